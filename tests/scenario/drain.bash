# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# drain and weight by the numbers of their manual: a draining backend keeps its flows and takes none;
# when drain-timeout is over, what is left moves at its next packet. A change of weight moves the rows
# that the new shares need, and of the others no more than 0.6 %.
. "$(dirname "$0")/../netns/topology.bash"

DRAIN_S=6
topology_up --webs 4 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP
	port = 80
	drain-timeout = ${DRAIN_S}s

	[virtual-server hashed]
	vip = $VIP
	port = 5001
	protocol = udp
	sessionless = yes
	drain-timeout = 1s
END
for idx in 1 2 3 4; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" "$LB" 'drain-on-stop = 0')
done
servers_start 80 5001
lb_and_agents_start
must wait_until 30 membership_is_quiet
tool_start held client connections "$VIP:80" 800 200
tool_start hashed client udp_flows "$VIP:5001" 2000
must wait_until 30 connections_are held '.open == 800'
before=$(tool_ask hashed whole)
note "held: $(tool_ask held)"

# share BACKEND : its rows of the table, in thousandths.
share() {
	lb_json "[.virtual_servers[] | select(.name == \"web\").backends[] | select(.name == \"$1\")][0] |
		.share * 1000 | round"
}
moving() {
	lb_json '[.virtual_servers[] | select(.name == "web").moving_slots][0]'
}

# From 1, 1, 1, 1 to 2, 1, 1, 1: web1's share grows from 1/4 to 2/5, so 15 % of the rows have to move.
no_row_moves() {
	[[ $(moving) == 0 ]]
}
# The balancer settles what is there when membership has been quiet.
fact no_row_moves_before wait_until 10 no_row_moves
must lb weight web1 2
fact a_weight_of_two_has_two_fifths equal "$(share web1)" 400
fact the_others_have_a_fifth_each equal "$(share web2) $(share web3) $(share web4)" '200 200 200'
moved=$(moving)
need=$((65537 * 15 / 100))
note "$moved of 65537 rows move, $need have to"
fact what_has_to_move_moves at_least "$moved" "$((need - 4))"
fact no_more_than_that_and_a_bit at_most "$moved" "$((need + 65537 * 6 / 1000))"
after=$(tool_ask hashed whole)
note "sessionless: $(jq -c '{intact, moved, moved_of}' <<< "$after")"
# 2,000 flows are a sample of the rows: three standard deviations are 48.
fact sessionless_flows_move_as_rows_do at_most "$(jq .moved <<< "$after")" "$((2000 * 156 / 1000 + 48))"
fact none_of_web1_moves_away equal "$(jq '.moved_of.web1 // 0' <<< "$after")" 0
fact a_weight_breaks_no_connection equal "$(tool_ask held round | jq -c '[.open, .broken]')" '[800,0]'
must lb weight web1 1
fact back_again_the_shares_are_equal equal "$(share web1) $(share web2)" '250 250'
fact back_again_breaks_none_either equal "$(tool_ask held round | jq -c '[.open, .broken]')" '[800,0]'

# Drain: what web2 has stays, for so long as is said, and nothing comes.
of_web2=$(tool_ask held | jq .servers.web2)
drained_ms=$(now_ms)
must lb drain web2
fact it_is_said_to_drain backend_is web2 drain
fact its_effective_weight_is_nothing equal "$(backend_field effective_weight web2)" 0
fact its_rows_are_the_others equal "$(share web2)" 0
tool_start new client connections "$VIP:80" 400 200
must wait_until 10 connections_are new '.open == 400'
fact it_takes_no_new_connection equal "$(tool_ask new | jq '.servers.web2 // 0')" 0
drained_for() {
	(($(now_ms) - drained_ms >= $1))
}
must wait_until 10 drained_for $((DRAIN_S * 1000 - 3000))
fact three_seconds_before_the_end_it_keeps_what_it_has equal \
	"$(tool_ask held round | jq -c '[.open, .broken]')" '[800,0]'
fact that_was_before_the_end not drained_for $((DRAIN_S * 1000))
# Its connections talk every 200 ms; at another server they are unknown, and reset.
fact then_what_is_left_moves wait_until 10 connections_are held ".broken == $of_web2"
note "$(($(now_ms) - drained_ms)) ms after drain"
fact not_before_the_end drained_for $((DRAIN_S * 1000))
fact within_two_seconds_of_it not drained_for $((DRAIN_S * 1000 + 2000))
fact nothing_of_others_moves equal "$(tool_ask held round | jq -c '[.open, .broken_of]')" \
	"[$((800 - of_web2)),{\"web2\":$of_web2}]"
fact it_still_drains backend_is web2 drain
must lb enable web2
tool_start again client connections "$VIP:80" 400 200
must wait_until 10 connections_are again '.open == 400'
fact enabled_it_takes_connections at_least "$(tool_ask again | jq '.servers.web2 // 0')" 60
fact enabling_breaks_none equal "$(tool_ask new round | jq -c '[.open, .broken]')" '[400,0]'
