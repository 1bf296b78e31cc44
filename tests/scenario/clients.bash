# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# allow-clients and deny-clients: who is taken by which virtual server, in both families, echo included; what
# becomes of the others is counted under its name, and explain says it; reloads change it for living flows too.
. "$(dirname "$0")/../netns/topology.bash"

STRANGER=203.0.113.3
FRIEND=203.0.113.4
STRANGER6=2001:db8:1::3
topology_up --webs 2
# configure LIST… : the lines of the virtual server web
configure() {
	lb_configure <<- END
		[balancer]
		interface = eth0
		key-file = $work/lb/keys

		[virtual-server web]
		vip = $VIP, $VIP6
		port = 80
		$(printf '%s\n' "$@")

		[virtual-server open]
		vip = $VIP2
		port = 80
		deny-clients = $FRIEND
	END
}
chosen=("allow-clients = 203.0.113.0/29, 2001:db8:1::2" "deny-clients = $STRANGER/32")
configure "${chosen[@]}"
for idx in 1 2; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" | sed "s/^vip = .*/&, $VIP2/")
done
for address in "$STRANGER/24" "$FRIEND/24"; do
	ip_on client address add "$address" dev eth0
done
ip_on client address add "$STRANGER6/64" dev eth0 nodad
lb_and_agents_start

drops() {
	lb_json '.drops["client-denied"]'
}
# is_served FROM VIP
is_served() {
	on client curl -sS -o /dev/null --interface "$1" --max-time $((10 * SLOW)) "http://$2/"
}
# One SYN that gets no answer, and no reset either: to end in time says nothing else.
is_dropped() {
	local before status=0
	before=$(drops)
	on client curl -s -o /dev/null --interface "$1" --max-time 0.6 "http://$2/" || status=$?
	equal "$status" 28 && at_least "$(drops)" "$((before + 1))"
}
# is_pinged FROM VIP
is_pinged() {
	local protocol=1
	[[ $1 != *:* ]] || protocol=58
	[[ $(on client "$BUILD/tests/harness/ip_ask" "$1" "$2" "$protocol" 1 64 "${3:-$((5000 * SLOW))}" |
		jq .answered) == 1 ]]
}
is_not_pinged() {
	local before
	before=$(drops)
	not is_pinged "$1" "$2" 300 && equal "$(drops)" "$((before + 1))"
}
# explained FROM VIP WANTED
explained() {
	equal "$(lb explain "$1" "$2" --json | jq -r '[.verdict, .reason, .virtual_server] | join(" ")')" "$3"
}

fact the_reason_is_there_from_the_start equal "$(drops)" 0
fact an_allowed_client_is_served is_served "$CLIENT" "$VIP"
fact so_is_another is_served "$FRIEND" "$VIP"
fact an_allowed_client_is_served_by_ipv6 is_served "$CLIENT6" "[$VIP6]"
fact a_denied_one_in_an_allowed_network_is_dropped is_dropped "$STRANGER" "$VIP"
fact who_is_in_no_list_is_dropped is_dropped "$STRANGER6" "[$VIP6]"
fact echo_of_an_allowed_client_is_answered is_pinged "$CLIENT" "$VIP"
fact echo_of_a_denied_client_is_dropped is_not_pinged "$STRANGER" "$VIP"
fact echo_of_a_denied_client_is_dropped_in_ipv6 is_not_pinged "$STRANGER6" "$VIP6"
fact another_virtual_server_has_its_own_list is_served "$STRANGER" "$VIP2"
fact which_denies_whom_the_first_allows is_dropped "$FRIEND" "$VIP2"
fact explain_says_who_is_denied explained "$STRANGER:4000" "$VIP:80" "drop client-denied web"
fact explain_says_it_in_ipv6 explained "[$STRANGER6]:4000" "[$VIP6]:80" "drop client-denied web"
fact explain_says_who_is_taken explained "$CLIENT:4000" "$VIP:80" "forward forwarded web"
flows_of() {
	lb flows --json | jq --arg client "$1" 'map(select(.client == $client)) | length'
}
fact nothing_is_recorded_of_those_denied equal "$(flows_of "$STRANGER6")" 0

# A transfer of a client that a reload denies stands still, and goes on when the next one takes it again.
start_on client "$work/transfer" curl -sS -o "$work/got" --interface "$FRIEND" --max-time 120 \
	-w '%{size_download}' "http://$VIP/paced/1M?rate=300k"
transfer=$started
got() {
	at_least "$(stat -c %s "$work/got" 2> /dev/null || echo 0)" "$1"
}
must wait_until 10 got 1
configure "${chosen[@]}" "deny-clients = $FRIEND"
before=$(drops)
must lb reload
denies_the_living() {
	(($(drops) > before))
}
fact a_reload_denies_a_living_flow wait_until 10 denies_the_living
fact others_notice_nothing is_served "$CLIENT" "$VIP"
configure
must lb reload
fact without_lists_all_are_taken is_served "$STRANGER" "$VIP"
fact and_in_ipv6 is_served "$STRANGER6" "[$VIP6]"
fact the_other_list_stands is_dropped "$FRIEND" "$VIP2"
fact the_flow_that_was_denied_goes_on wait_until 60 gone "$transfer"
fact and_is_whole equal "$(cat "$work/transfer")" 1048576

# refuses PATTERN LIST… : check-config, with the configuration that these lines make
refuses() {
	local pattern=$1
	shift
	configure "$@"
	exits 78 lb_check && says "$pattern" lb_check
}
lb_check() {
	setpriv --reuid "$LB_UID" --regid "$LB_UID" --clear-groups "$work/bin/dsr-lb" check-config \
		--config "$work/lb/lb.conf"
}
fact host_bits_are_refused refuses 'lb.conf:[89]: allow-clients: .*203.0.113.7/29' "allow-clients = 203.0.113.7/29"
fact no_network_is_refused refuses 'lb.conf:[89]: deny-clients: .*nobody' "deny-clients = nobody"
fact a_network_in_both_lists_is_refused refuses 'lb.conf:(9|10): deny-clients: .*in allow-clients already' \
	"allow-clients = 203.0.113.0/24" "deny-clients = 203.0.113.0/24"
configure "${chosen[@]}"
fact lists_pass lb_check
topology_down
