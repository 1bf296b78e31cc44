# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Between clients and balancer, and on the way back, frames are lost, late, out of order and doubled.
# Transfers and datagrams come whole, and every frame of a flow reaches the flow's one server, while a
# server drains and another joins: by source-hash, which records a flow only where it has to, and by rr,
# which has to know a SYN that comes again.
. "$(dirname "$0")/../netns/topology.bash"

VIP62=2001:db8:f::11
BAD='limit 10000 delay 5ms 3ms loss 2% duplicate 2% reorder 5% 50%'
TRANSFERS=6 # to each VIP: four downloads and two uploads, each of another address
TRANSFER_BYTES=3000000
DATAGRAMS=100

# single_frames HOST : a super-frame would share one fate.
single_frames() {
	on "$1" ethtool -K eth0 tso off gso off > /dev/null
}
# bad HOST INTERFACE : what leaves there.
bad() {
	# shellcheck disable=SC2086 # words
	on "$1" tc qdisc add dev "$2" root netem $BAD 2> "$work/netem" &&
		count_frames "$1" "$2" egress sent
}
netem_counted() {
	on "$1" tc -s -j qdisc show dev "$2" | jq ".[0] | $3"
}
lost() {
	netem_counted "$1" "$2" .drops
}
# doubled HOST INTERFACE : what came out, beyond what went in and was not lost.
doubled() {
	printf '%d\n' "$(($(netem_counted "$1" "$2" '.packets + .drops') - $(counted "$1" sent)))"
}
topology_up --webs 4
bad router clients || skip "this kernel has no netem: $(tail -n 1 "$work/netem")"
must bad client eth0
single_frames client
source_of() {
	if [[ $1 == *:* ]]; then
		printf '2001:db8:1::%x' "$(($2 + 1))"
	else
		printf '203.0.113.%d' "$(($2 + 1))"
	fi
}
for ((idx = 2; idx <= TRANSFERS; idx++)); do
	addresses client eth0 "$(source_of "$VIP" "$idx")/24" "$(source_of "$VIP6" "$idx")/64"
done
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server hashed]
	vip = $VIP, $VIP6
	port = 80
	scheduler = source-hash

	[virtual-server turns]
	vip = $VIP2, $VIP62
	port = 80
	scheduler = rr

	[virtual-server hashed-names]
	vip = $VIP, $VIP6
	port = 5000
	protocol = udp
	scheduler = source-hash

	[virtual-server turns-names]
	vip = $VIP2, $VIP62
	port = 5000
	protocol = udp
	scheduler = rr
END
for idx in 1 2 3 4; do
	single_frames "web$idx"
	agent_configure "web$idx" < <(agent_default_config "web$idx" "$LB" "vip = $VIP2, $VIP62")
	tool_start "server-web$idx" "web$idx" named_server "web$idx" \
		"$VIP:5000" "[$VIP6]:5000" "$VIP2:5000" "[$VIP62]:5000"
	# Which connections reach a server. A SYN that comes again after a change may begin anew elsewhere.
	must on "web$idx" nft -f - <<- END
		table netdev connections {
			set heard4 { type ipv4_addr . ipv4_addr . inet_service; size 65535; flags dynamic; }
			set heard6 { type ipv6_addr . ipv6_addr . inet_service; size 65535; flags dynamic; }
			chain in {
				type filter hook ingress device eth0 priority 0
				tcp flags & syn == syn return
				ip daddr { $VIP, $VIP2 } update @heard4 { ip saddr . ip daddr . tcp sport }
				ip6 daddr { $VIP6, $VIP62 } update @heard6 { ip6 saddr . ip6 daddr . tcp sport }
			}
		}
	END
done
# connections_heard : a line for each connection and server, without the server.
connections_heard() {
	local idx set
	for idx in 1 2 3 4; do
		for set in heard4 heard6; do
			on "web$idx" nft -j list set netdev connections "$set" |
				jq -r '.. | objects | .concat? // empty | map(tostring) | join(" ")'
		done
	done
}

# requests ADDRESS COUNT [CURL ARGUMENTS…] : new connections, all at once, and how many each server had.
requests() {
	on client curl -sS --no-progress-meter --max-time $((60 * SLOW)) -Z --parallel-max 30 -H 'Connection: close' \
		"${@:3}" "http://$1/?[1-$2]" | sort | uniq -c | awk '{ printf "%s%s %s", sep, $2, $1; sep = " " }'
}
# sources_served ADDRESS : the server of each source, where it is one that answers all it asks.
sources_served() {
	local idx served
	for ((idx = 1; idx <= TRANSFERS; idx++)); do
		served=$(requests "$1" 5 --interface "$(source_of "$1" "$idx")")
		if [[ $served =~ ^(web[1-4])\ 5$ ]]; then
			printf '%s\n' "${BASH_REMATCH[1]}"
		else
			note "source $idx: $served" >&2
		fi
	done
}

groups=("hashed4 $VIP" "hashed6 [$VIP6]" "turns4 $VIP2" "turns6 [$VIP62]")
transfer_pids=()
# transfers_start GROUP ADDRESS : slow enough for what is to happen meanwhile.
transfers_start() {
	local idx rate=$((TRANSFER_BYTES / 15 / SLOW)) arguments=(-sS --no-progress-meter -Z --parallel-immediate)
	for ((idx = 1; idx <= TRANSFERS; idx++)); do
		((idx == 1)) || arguments+=(--next)
		arguments+=(--interface "$(source_of "$2" "$idx")" --max-time $((120 * SLOW)) -H 'Connection: close'
			-w "$idx %{exitcode} %{http_code} %header{x-server}\n")
		if ((idx <= 4)); then
			arguments+=(-o "$work/$1.$idx.got" "http://$2/paced/random?rate=$rate")
		else
			arguments+=(--limit-rate "$rate" -o /dev/null -T "$work/files/random" "http://$2/upload/$1.$idx")
		fi
	done
	start_on client "$work/$1.said" curl "${arguments[@]}"
	transfer_pids+=("$started")
}
# transfers_run : how many connections are open for them.
transfers_run() {
	on client ss -Htn state established '( dport = 80 )' | wc -l
}
all_run() {
	[[ $(transfers_run) == "$((4 * TRANSFERS))" ]]
}
# transfers_whole GROUP : the server of each transfer that came whole.
transfers_whole() {
	local idx said server file
	for ((idx = 1; idx <= TRANSFERS; idx++)); do
		said=$(grep "^$idx 0 20[0-4] web[1-4]\$" "$work/$1.said")
		server=${said##* }
		file=$work/$1.$idx.got
		((idx <= 4)) || file=$work/$server/upload/$1.$idx
		if [[ -n $said ]] && cmp -s "$work/files/random" "$file"; then
			printf '%s\n' "$server"
		else
			note "$1.$idx: $(tr '\n' ';' < "$work/$1.said")" >&2
		fi
	done
}
# datagrams GROUP WAY : most are answered, all of them whole and by their flow's server.
datagrams() {
	local said
	said=$(tool_ask "$1" "$2" $((60 * SLOW)))
	note "$1 $2: $said"
	equal "$(jq -c '[.answered >= .asked * 0.7, .answered - .intact, .moved]' <<< "$said")" '[true,0,0]'
}
# snmp HOST NAME : what TCP counts there.
snmp() {
	on "$1" awk -v name="$2" '
		$1 != "TcpExt:" { next }
		!column { for (i = 2; i <= NF; i++) if ($i == name) column = i; next }
		{ print $column }' /proc/net/netstat
}
servers_snmp() {
	local idx
	for idx in 1 2 3 4; do
		snmp "web$idx" "$1"
	done | awk '{ n += $1 } END { print n }'
}

lb_start
for idx in 1 2 3; do
	agent_start "web$idx"
done
must wait_until 20 backends_up 3
must wait_until 30 membership_is_quiet
head -c "$TRANSFER_BYTES" /dev/urandom > "$work/files/random"

declare -A before=()
for group in "${groups[@]}"; do
	read -r name address <<< "$group"
	if [[ $name == hashed* ]]; then
		before[$name]=$(sources_served "$address")
		fact "each_source_has_one_server_$name" equal "$(wc -w <<< "${before[$name]}")" "$TRANSFERS"
	else
		fact "a_connection_takes_one_turn_$name" equal "$(requests "$address" 60)" "web1 20 web2 20 web3 20"
	fi
	id=$((${id:-0} + 10000))
	tool_start "$name.udp" client udp_flows "${address}:5000" "$DATAGRAMS" "$id" 1000
	fact "datagrams_are_answered_$name" datagrams "$name.udp" whole
done

# The one goes that has most to lose: all flows of datagrams from one source.
leaving=$(head -n 1 <<< "${before[hashed4]}")
remaining=$(printf 'web%d\n' 1 2 3 4 | grep -vx "$leaving")
for group in "${groups[@]}"; do
	# shellcheck disable=SC2086 # words
	transfers_start $group
done
must wait_until 30 all_run
must lb drain "$leaving"
agent_start web4
must wait_until 20 backends_up 3
fact a_server_drains backend_is "$leaving" drain
fact another_joins backend_is web4 up
fact all_transfers_are_in_the_middle_of_it equal "$(transfers_run)" "$((4 * TRANSFERS))"
for group in "${groups[@]}"; do
	read -r name address <<< "$group"
	if [[ $name == hashed* ]]; then
		served=$(sources_served "$address")
		fact "each_source_has_one_server_meanwhile_$name" equal "$(wc -w <<< "$served")" "$TRANSFERS"
		fact "none_has_the_one_that_leaves_$name" equal "$(grep -cx "$leaving" <<< "$served")" 0
	else
		fact "a_connection_takes_one_turn_meanwhile_$name" equal "$(requests "$address" 60)" \
			"$(awk '{ printf "%s%s 20", sep, $1; sep = " " }' <<< "$remaining")"
	fi
	for way in whole random; do
		fact "datagrams_stay_${name}_$way" datagrams "$name.udp" "$way"
	done
done
for pid in "${transfer_pids[@]}"; do
	must wait_until 120 gone "$pid"
done
for group in "${groups[@]}"; do
	read -r name address <<< "$group"
	served=$(transfers_whole "$name")
	note "$name: $(sort <<< "$served" | uniq -c | tr -s ' \n' ' ')"
	fact "every_transfer_comes_whole_$name" equal "$(wc -w <<< "$served")" "$TRANSFERS"
	fact "some_from_the_one_that_leaves_$name" at_least "$(grep -cx "$leaving" <<< "$served")" 1
	[[ $name != hashed* ]] ||
		fact "each_from_its_source_s_server_$name" equal "$served" "${before[$name]}"
done

heard=$(connections_heard)
fact every_connection_is_heard at_least "$(wc -l <<< "$heard")" "$((4 * TRANSFERS + 4 * 5 * TRANSFERS + 4 * 60))"
fact none_is_heard_by_two_servers equal "$(sort <<< "$heard" | uniq -d)" ""

# The network was what it is said to be.
fact frames_were_lost at_least "$(lost client eth0)" 100
fact frames_were_lost_on_the_way_back at_least "$(lost router clients)" 100
fact frames_came_out_of_order at_least "$(servers_snmp TCPOFOQueue)" 100
fact frames_came_out_of_order_on_the_way_back at_least "$(snmp client TCPOFOQueue)" 100
fact frames_came_twice at_least "$(doubled client eth0)" 100
fact frames_came_twice_on_the_way_back at_least "$(doubled router clients)" 100
fact received_is_forwarded_passed_and_dropped equal \
	"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
