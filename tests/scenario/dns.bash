# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# DNS by real servers and `dig`: UDP in both families, an answer of several fragments (which the balancer
# never sees), and TCP where the client asks for it.
. "$(dirname "$0")/../netns/topology.bash"

for program in dnsmasq dig; do
	command -v "$program" > /dev/null || skip "no $program; \`make deps\` installs it"
done
topology_up --webs 3 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server names]
	vip = $VIP, $VIP6
	port = 53
	protocol = any
	check = agent
END
lb_and_agents_start
must wait_until 30 membership_is_quiet

# A text of 3,000 bytes: too long for a datagram of one packet.
text=$(printf 'x%.0s' {1..250})
long=$(printf ",$text%.0s" {1..12})
for idx in 1 2 3; do
	start_on "web$idx" "$work/dnsmasq$idx.log" dnsmasq --keep-in-foreground --conf-file=/dev/null \
		--no-resolv --no-hosts --bind-interfaces --listen-address="$VIP,$VIP6" \
		--user=nobody --group=nogroup --pid-file="$work/dnsmasq$idx.pid" --log-facility=- \
		--edns-packet-max=4096 --txt-record="who.test,web$idx" --txt-record="long.test$long" \
		--host-record=www.test,192.0.2.80,2001:db8:2::80
done
serves_names() {
	on "$1" dig @"$VIP" +time=1 +tries=1 +short who.test TXT | grep -q "$1"
}
for idx in 1 2 3; do
	must wait_until 10 serves_names "web$idx"
done

# ask ADDRESS OPTIONS… : by the client, once, no retry.
ask() {
	on client dig "@$1" +time=3 +tries=1 "${@:2}"
}
# asks ADDRESS COUNT : so many questions, each from a port of its own; who answered, and how often.
asks() {
	local idx
	for ((idx = 0; idx < $2; idx++)); do
		printf 'who.test TXT\n'
	done > "$work/questions"
	ask "$1" +notcp +short -f "$work/questions" | sort | uniq -c | awk '{ print $2, $1 }'
}

for address in "$VIP" "$VIP6"; do
	family=ipv4
	[[ $address != *:* ]] || family=ipv6
	answered=$(asks "$address" 300)
	note "$(tr '\n' ';' <<< "$answered")"
	fact "300_questions_are_answered_over_$family" equal "$(awk '{ n += $2 } END { print n + 0 }' <<< "$answered")" 300
	fact "all_three_answer_over_$family" equal "$(grep -c '"web[123]"' <<< "$answered")" 3
	fact "an_address_is_right_over_$family" says '^192\.0\.2\.80$' ask "$address" +short www.test A
	fact "an_ipv6_address_is_right_over_$family" says '^2001:db8:2::80$' ask "$address" +short www.test AAAA
	fact "an_unknown_name_is_answered_over_$family" says 'status: (NXDOMAIN|REFUSED)' ask "$address" none.test A
	fact "a_fragmented_answer_arrives_over_$family" says 'MSG SIZE +rcvd: 3[0-9]{3}' \
		ask "$address" +bufsize=4096 +ignore +notcp long.test TXT
	fact "a_truncated_answer_is_had_by_TCP_over_$family" says '\(TCP\)' \
		ask "$address" +noedns +noignore long.test TXT
done
fact no_record_was_needed equal "$(lb flows names --json | jq length)" 0
fact received_is_forwarded_passed_and_dropped equal \
	"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
