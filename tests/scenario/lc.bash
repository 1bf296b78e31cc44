# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# scheduler = lc over connections that stay: new ones go to the backend with the fewest for its weight;
# agents report theirs, those of a static backend are counted in the flow table.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
# web3 has no agent: what its administrator does by hand.
on web3 sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
ip -n "$(ns web3)" address add "$VIP/32" dev lo
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

# hold NAME COUNT : connections that stay.
hold() {
	tool_start "$1" client connections "$VIP:80" "$2" 500
	must wait_until 20 connections_are "$1" ".open == $2"
	note "$1: $(tool_ask "$1" | jq -cS .servers)"
}
# of NAME SERVER
of() {
	tool_ask "$1" | jq ".servers.$2 // 0"
}
# counted BACKEND COUNT : as the balancer sees it.
counted() {
	local field=established
	[[ $1 != web3 ]] || field=flows
	[[ $(backend_field "$field" "$1") == "$2" ]]
}
near() {
	at_least "$1" "$(($2 - $3))" && at_most "$1" "$(($2 + $3))"
}

# Weights 1, 2, 1. What is on its way between two reports may be counted late.
hold first 400
fact a_weight_of_one_has_a_quarter near "$(of first web1)" 100 8
fact a_weight_of_two_has_a_half near "$(of first web2)" 200 8
fact the_static_one_has_its_quarter near "$(of first web3)" 100 8
fact reported_is_what_is_held wait_until 10 counted web2 "$(of first web2)"
fact counted_is_what_the_static_holds wait_until 10 counted web3 "$(of first web3)"

# Without web2 the others fill up; it comes back the least loaded, and gets all until it is level.
must lb drain web2
hold second 200
fact while_it_drains_it_gets_none equal "$(of second web2)" 0
fact the_others_share_alike near "$(of second web1)" 100 8
must wait_until 10 counted web1 "$(($(of first web1) + $(of second web1)))"
must lb enable web2
hold third 190
fact the_least_loaded_gets_the_new_ones at_least "$(of third web2)" 175

# Half of what web1 and the static one hold ends: both have room again, at once as much.
stop_pid "${tool_pid[second]}"
must wait_until 10 counted web1 "$(($(of first web1) + $(of third web1)))"
must wait_until 10 counted web3 "$(($(of first web3) + $(of third web3)))"
hold fourth 60
fact ended_connections_burden_nobody near "$(of fourth web1)" 30 4
fact ended_flows_burden_nobody near "$(of fourth web3)" 30 4
for held in first third fourth; do
	now=$(tool_ask "$held" round)
	fact "the_${held}_connections_stay_where_they_are" equal "$(jq -c '[.open == .wanted, .broken]' <<< "$now")" '[true,0]'
done
