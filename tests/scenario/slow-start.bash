# SPDX-License-Identifier: GPL-2.0-or-later
# tags: alone
# shellcheck shell=bash
#
# slow-start by the numbers of its manual: a backend that becomes up begins at 20 % of its weight and
# grows on a straight line, in steps of a second here; effective_weight says so at every moment, the
# table has that share, and turns of real connections come out in it.
. "$(dirname "$0")/../netns/topology.bash"

SLOW_START_S=8
topology_up --webs 3 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server turns]
	vip = $VIP
	port = 80
	scheduler = rr
	slow-start = ${SLOW_START_S}s

	[virtual-server rows]
	vip = $VIP
	port = 81
	slow-start = ${SLOW_START_S}s

	[virtual-server at-once]
	vip = $VIP
	port = 82
END
servers_start 80 81 82
lb_start
# weights VIRTUAL-SERVER : of its backends, as they are in force.
weights() {
	lb_json ".virtual_servers[] | select(.name == \"$1\") | [.backends[] |
		select(.effective_weight > 0) | {(.name): .effective_weight}] | add // {} | tojson"
}
has_weights() {
	[[ $(weights "$1") == "$2" ]]
}
agent_start web1
agent_start web2
# Both begin at the same time, or nearly: between them nothing is slow.
fact two_that_begin_are_at_full_weight_in_time wait_until $((SLOW_START_S + 5)) \
	has_weights turns '{"web1":1,"web2":1}'
must backends_up 2

# web3 comes; all that the balancer says of it until it is there, with its age.
agent_start web3
must wait_until 20 backend_is web3 up
# The tables of a newcomer may wait a moment for others that come with it.
is_in_the_tables() {
	lb_json '.virtual_servers[] | select(.name == "rows").backends[] | select(.name == "web3").share' |
		jq -e '. > 0' > /dev/null
}
must wait_until 5 is_in_the_tables
must tool_start burst client connections "$VIP:80" 220 500
samples=$work/samples
has_grown() {
	lb_json '[.virtual_servers[] | {name, backend: (.backends[] | select(.name == "web3"))} | {name, age: .backend.since_s,
		weight: .backend.effective_weight, share: .backend.share}] | tojson' >> "$samples"
	tail -n 1 "$samples" | jq -e '.[] | select(.name == "turns").weight == 1' > /dev/null
}
fact it_is_at_full_weight_in_time wait_until $((SLOW_START_S + 3)) has_grown
# ask JQ-PROGRAM : over the samples, in order.
ask() {
	jq -sr "$1" "$samples"
}
note "weights: $(ask 'map(.[] | select(.name == "turns").weight) | unique | tojson')"
fact it_begins_at_a_fifth equal "$(ask '.[0][] | select(.name == "turns").weight')" 0.2
fact it_grows_in_steps_of_a_second equal \
	"$(ask 'map(.[] | select(.name == "turns").weight * 100 | round) | unique | tojson')" \
	'[20,30,40,50,60,70,80,90,100]'
fact it_never_shrinks equal "$(ask 'map(.[] | select(.name == "turns").weight) | . == sort')" true
# Between the line and one step below it, but for what passed between two looks.
fact it_is_on_the_line equal "$(ask 'map(.[] | select(.name == "turns" and .weight < 1) |
	((.weight - 0.2) / 0.8 * '$SLOW_START_S') as $begun | .age - $begun | . > -0.3 and . < 1.5) | all')" true
# Of each step, the last that was seen (a table follows its weights within a moment): one part of two
# and a part, to a thousandth. Of the last step one look was taken, so it is waited for.
# A step's first sample may still have the table of the step before.
fact the_table_has_its_share equal "$(ask 'def near($weight): .share - $weight / (2 + $weight) | fabs < 0.001;
	map(.[] | select(.name == "rows" and .weight < 1)) | (map(near(.weight) or near(.weight - 0.1)) | all) and
	(group_by(.weight) | map(length < 2 or any(near(.weight))) | all)')" true
has_a_third() {
	lb_json '.virtual_servers[] | select(.name == "rows").backends[] | select(.name == "web3").share' |
		jq -e '. * 1000 | round == 333' > /dev/null
}
fact and_a_third_in_the_end wait_until 2 has_a_third
fact without_slow_start_it_begins_at_once equal \
	"$(ask '[.[][] | select(.name == "at-once") | .weight, (.share * 1000 | round)] | unique | tojson')" '[1,333]'

# The burst was opened within the first second: 11 turns, 5 and 5 and one.
must wait_until 10 connections_are burst '.open == 220'
burst=$(tool_ask burst)
note "$burst"
fact turns_follow_the_weight equal "$(jq -cS .servers <<< "$burst")" '{"web1":100,"web2":100,"web3":20}'
tool_start after client connections "$VIP:80" 300 500
must wait_until 10 connections_are after '.open == 300'
fact all_are_equal_in_the_end equal "$(tool_ask after | jq -cS .servers)" '{"web1":100,"web2":100,"web3":100}'
fact no_connection_moved_meanwhile equal "$(tool_ask burst round | jq -c '[.open, .broken]')" '[220,0]'
