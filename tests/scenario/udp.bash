# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# UDP without records: 20,000 flows, some long, some that ask a few times as DNS does, over a join, a drain,
# weights, restarts of the balancer, another join and a death. None reaches another server unless its own died; new
# ones go to who joined; records are there only while rows move. All that but the first join happens again under a
# flood of spoofed datagrams, more of them than the filter of flows seen has room for. UDP_FLOOD (400,000)
# is how many, UDP_FLOOD_HZ (20,000) how many a second.
. "$(dirname "$0")/../netns/topology.bash"

FLOOD=${UDP_FLOOD:-400000}
FLOOD_HZ=${UDP_FLOOD_HZ:-20000}
# A short one, where something has to be over: what a start without kept state takes for old, and rows that settle. A
# long one, within which every flow is asked on any machine.
SHORT_S=10
LONG_S=600

topology_up --webs 4 --no-nginx
# configure UDP-TIMEOUT
configure() {
	lb_configure <<- END
		[balancer]
		interface = eth0
		${MODE:+mode = $MODE}
		key-file = $work/lb/keys
		max-flows = 64k
		# Nobody dies but by the verb: of a death that a stalled machine makes, flows move by right.
		heartbeat-interval = 2s
		heartbeat-fall = 10

		[virtual-server names]
		vip = $VIP, $VIP6
		port = 53
		protocol = udp
		udp-timeout = ${1}s
		check = agent
	END
}
configure "$SHORT_S"
for idx in 1 2 3 4; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" "$LB" 'drain-on-stop = 0')
done
servers_start 53
# What the servers say to nobody ends at the router.
ip_on router route add blackhole 198.18.0.0/15
lb_start
for idx in 1 2 3; do
	agent_start "web$idx"
done
must wait_until 60 backends_up 3

records() {
	lb flows names --json | jq "[.[] | $1] | length"
}
moving() {
	lb_json '[.virtual_servers[].moving_slots] | add'
}
nothing_moves() {
	[[ $(moving) == 0 ]]
}
# The filter was started with the balancer.
filter_is_old() {
	[[ $(lb_json ".uptime_s > $((3 * SHORT_S + 5))") == true ]]
}

sets=()
# begin NAME COUNT ADDRESS : so many flows, each of which asks once.
begin() {
	tool_start "$1" client udp_flows "$3:53" "$2"
	sets+=("$1")
	tool_ask "$1" whole > "$work/$1.first"
	note "$1: $(jq -c '{answered, servers}' "$work/$1.first")"
}
# stay FACT [SERVER] : every flow asks again; where it is answered it is by its own server, unless that was SERVER.
stay() {
	local name answered=0 moved=0 of=0 asked=0 answer
	for name in "${sets[@]}"; do
		answer=$(tool_ask "$name" whole)
		asked=$((asked + $(jq .asked <<< "$answer")))
		answered=$((answered + $(jq .answered <<< "$answer")))
		moved=$((moved + $(jq .moved <<< "$answer")))
		of=$((of + $(jq ".moved_of[\"${2:-}\"] // 0" <<< "$answer")))
	done
	note "$1: of $asked flows $answered were answered, $moved moved, $of of them of ${2:-nobody}; $(moving) rows move"
	fact "$1" equal "$((moved - of))" 0
	fact "nearly_all_are_answered_$1" at_least "$answered" $((asked * 95 / 100))
}
joined() {
	jq '.servers.web4 // 0' "$work/$1.first"
}

must wait_until 60 filter_is_old
fact every_row_is_settled wait_until 30 nothing_moves
configure "$LONG_S"
must lb reload
begin long 9000 "$VIP"
begin long6 3000 "[$VIP6]"
begin early 2000 "$VIP"
stay every_flow_stays_when_all_is_settled
fact no_flow_has_a_record equal "$(records .)" 0

# Who joins gets new flows, each with a record as long as its row moves; old ones stay without any.
agent_start web4
must wait_until 60 backends_up 4
rows_move() {
	(($(moving) >= 10000))
}
fact rows_move wait_until 10 rows_move
begin asked4 1500 "$VIP"
begin asked6 1500 "[$VIP6]"
fact new_flows_go_to_who_joined at_least "$(joined asked4)" 200
fact new_flows_over_ipv6_do at_least "$(joined asked6)" 200
n=$(records .)
fact these_are_recorded at_least "$n" $(($(joined asked4) + $(joined asked6)))
# Of the others' rows some move among them.
fact and_hardly_any_others at_most "$(records 'select(.backend != "web4")')" 60
fact a_record_is_not_made_for_old_flows at_most "$n" 3000
stay every_flow_stays_over_a_join

# churn WHEN
churn() {
	must lb drain web1
	stay "every_flow_stays_over_a_drain_$1"
	begin "drained-$1" 500 "$VIP"
	must lb enable web1
	must lb weight web2 3
	stay "every_flow_stays_over_a_weight_$1"
	begin "weighed-$1" 500 "$VIP"
	daemon_stop lb TERM
	lb_start
	must wait_until 60 backends_up 4
	stay "every_flow_stays_over_a_restart_$1"
	daemon_stop lb KILL
	lb_start
	must wait_until 60 backends_up 4
	must lb weight web2 configured
	stay "every_flow_stays_over_a_kill_$1"
}
churn in_quiet
begin more 1000 "$VIP"

start_on router "$work/storm" timeout 600 "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:53" \
	"$FLOOD" "$FLOOD_HZ" datagram
storm_pid=$started
taken_before=$(link_counter lb eth0 rx.packets)
churn in_a_flood
# As many as are promised above, and in doc/testing.md.
all_flows() {
	local name sum=0
	for name in "${sets[@]}"; do
		sum=$((sum + $(jq .asked "$work/$name.first")))
	done
	equal "$sum" 20000
}
fact there_are_20000_flows all_flows
# The second join: who dies for a moment comes back.
must lb disable web3
stay only_those_of_the_dead_move web3
must lb enable web3
must wait_until 60 backends_up 4
stay every_flow_stays_over_another_join web3
must wait_until 600 gone "$storm_pid"
note "the flood: $(cat "$work/storm"), $(lb_json '.flow_table | tojson')"
fact all_of_the_flood_was_sent equal "$(jq .sent "$work/storm")" "$FLOOD"
fact the_balancer_got_it at_least $(($(link_counter lb eth0 rx.packets) - taken_before)) $((FLOOD / 2))
fact it_put_no_flow_out equal "$(lb_json .flow_table.evictions)" 0
stay every_flow_stays_after_the_flood web3

# When nobody speaks any more rows settle, and records are gone.
for name in "${sets[@]}"; do
	stop_pid "${tool_pid[$name]}"
done
configure "$SHORT_S"
must lb reload
fact rows_settle wait_until $((6 * SHORT_S)) nothing_moves
no_records() {
	[[ $(records .) == 0 ]]
}
fact records_end wait_until $((3 * SHORT_S)) no_records
