# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# scheduler = rr over real connections: turns come out exactly in proportion to the weights, over all
# workers, both families, a drain, and a daemon that is killed; connections stay where their turn was.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys
	workers = 2

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80
	scheduler = rr
END
agent_configure web1 < <(agent_default_config web1 "$LB" 'weight = 3')
agent_configure web2 < <(agent_default_config web2 "$LB" 'weight = 2')
servers_start 80
lb_and_agents_start

# turns NAME COUNT VIP EXPECTED : so many connections at once, and who has them.
turns() {
	tool_start "$1" client connections "$3:80" "$2" 500
	wait_until 20 connections_are "$1" ".open == $2" || return 1
	equal "$(tool_ask "$1" | jq -cS .servers)" "$4"
}
fact six_hundred_take_turns_as_3_2_1 turns first 600 "$VIP" '{"web1":300,"web2":200,"web3":100}'
fact so_they_do_over_ipv6 turns second 60 "[$VIP6]" '{"web1":30,"web2":20,"web3":10}'
fact every_flow_is_recorded at_least "$(lb flows web --json | jq length)" 660

must lb drain web2
fact without_web2_they_take_turns_as_3_1 turns third 400 "$VIP" '{"web1":300,"web3":100}'
must lb enable web2
must lb weight web3 5
fact with_another_weight_as_3_2_5 turns fourth 100 "$VIP" '{"web1":30,"web2":20,"web3":50}'

daemon_stop lb KILL
lb_start
must wait_until 20 backends_up 3
fact after_a_kill_they_take_turns_as_3_2_5 turns fifth 100 "$VIP" '{"web1":30,"web2":20,"web3":50}'
for held in first second third fourth fifth; do
	now=$(tool_ask "$held" round)
	note "$held: $now"
	fact "no_connection_of_the_${held}_round_moved" equal "$(jq -c '[.open == .wanted, .broken]' <<< "$now")" '[true,0]'
done
