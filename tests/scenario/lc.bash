# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# scheduler = lc over connections that stay: new ones go to the backend with the fewest for its weight;
# agents report theirs, those of a static backend are counted in the flow table.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
# web3 has no agent: what its administrator does by hand.
on web3 sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
ip_on web3 address add "$VIP/32" dev lo
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP
	port = 80
	scheduler = lc
	fin-timeout = 1s
	real-server = $(web_address web3) name=web3
END
for name in web1 web2; do
	agent_configure "$name" <<- END
		[agent]
		balancer = $LB
		vip = $VIP
		key-file = $work/$name/key
		name = $name
		weight = ${name#web}
	END
done
servers_start 80
lb_start
agent_start web1
agent_start web2
must wait_until 20 backends_up 3

# hold NAME COUNT : connections that stay, by batches. What is on its way while an agent reports is counted
# late, so each batch waits until all are counted: of a batch alone some may lie wrong.
BATCH=40
total=0
declare -A batches=()
all_counted() {
	[[ $(lb_json '[.virtual_servers[0].backends[] | if .source == "static" then .flows else
		.established end] | add') == "$total" ]]
}
hold() {
	local idx
	batches[$1]=$(($2 / BATCH))
	for ((idx = 1; idx <= batches[$1]; idx++)); do
		tool_start "$1$idx" client connections "$VIP:80" "$BATCH" 500
		must wait_until 20 connections_are "$1$idx" ".open == $BATCH"
		total=$((total + BATCH))
		must wait_until 10 all_counted
	done
	note "$1: web1 $(of "$1" web1), web2 $(of "$1" web2), web3 $(of "$1" web3)"
}
# asked NAME QUESTION JQ-PROGRAM : over the answers of its batches.
asked() {
	local idx
	for ((idx = 1; idx <= batches[$1]; idx++)); do
		tool_ask "$1$idx" "$2"
	done | jq -s -c "$3"
}
of() {
	asked "$1" report "map(.servers.$2 // 0) | add"
}
release() {
	local idx
	for ((idx = 1; idx <= batches[$1]; idx++)); do
		stop_pid "${tool_pid[$1$idx]}"
	done
	total=$((total - batches[$1] * BATCH))
	must wait_until 10 all_counted
}
near() {
	at_least "$1" "$(($2 - $3))" && at_most "$1" "$(($2 + $3))"
}

# Weights 1, 2, 1.
hold first 200
fact a_weight_of_one_has_a_quarter near "$(of first web1)" 50 8
fact a_weight_of_two_has_a_half near "$(of first web2)" 100 8
fact the_static_one_has_its_quarter near "$(of first web3)" 50 8
fact reported_is_what_is_held equal "$(backend_field established web2)" "$(of first web2)"
fact counted_is_what_the_static_holds equal "$(backend_field flows web3)" "$(of first web3)"

# Without web2 the others fill up; it comes back the least loaded, and gets all until it is level.
must lb drain web2
hold second 120
fact while_it_drains_it_gets_none equal "$(of second web2)" 0
fact the_others_share_alike near "$(of second web1)" 60 10
must lb enable web2
hold third 120
fact the_least_loaded_gets_the_new_ones at_least "$(of third web2)" 105

# Half of what web1 and the static one hold ends: both have room again, at once as much.
release second
hold fourth 40
fact ended_connections_burden_nobody near "$(of fourth web1)" 20 8
fact ended_flows_burden_nobody near "$(of fourth web3)" 20 8
for held in first third fourth; do
	fact "the_${held}_connections_stay_where_they_are" equal \
		"$(asked "$held" round 'map([.open == .wanted, .broken]) | unique')" '[[true,0]]'
done
