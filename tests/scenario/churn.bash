# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Membership changes under 2,000 open connections: a new backend breaks none of them, one that
# goes breaks none of the others'.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 4 --no-nginx
servers_start 80
lb_start
for idx in 1 2 3; do
	agent_start "web$idx"
done
must wait_until 20 backends_up 3
must wait_until 30 membership_is_quiet
tool_start held client connections "$VIP:80" 2000 1000
tool_start held6 client connections "[$VIP6]:80" 200 1000
must wait_until 30 connections_are held '.open == 2000'
must wait_until 30 connections_are held6 '.open == 200'
before=$(tool_ask held)
note "$before"
fact the_connections_are_spread_over_three equal "$(jq '.servers | length' <<< "$before")" 3

agent_start web4
must wait_until 20 backends_up 4
after=$(tool_ask held round)
note "$after"
fact a_joining_backend_breaks_none_of_2000 equal "$(jq .broken <<< "$after")" 0
fact a_joining_backend_breaks_none_over_ipv6 equal "$(tool_ask held6 round | jq .broken)" 0

# New connections do go to the new one, while old ones stay.
tool_start more client connections "$VIP:80" 400 1000
must wait_until 30 connections_are more '.open == 400'
fact the_new_backend_gets_new_connections at_least "$(tool_ask more | jq '.servers.web4 // 0')" 40

# Weight and drain move slots too.
must lb weight web1 5
must lb drain web3
after=$(tool_ask held round)
fact a_weight_and_a_drain_break_none equal "$(jq .broken <<< "$after")" 0
must lb enable web3

# web2 dies with its host: its own connections are lost, the others' are not.
of_web2=$(jq '.servers.web2' <<< "$after")
ip_on web2 link set eth0 down
must wait_until 20 not backend_is web2 up
must wait_until 40 connections_are held ".broken == $of_web2"
after=$(tool_ask held round)
note "$after"
fact a_leaving_backend_breaks_only_its_own equal "$(jq -c .broken_of <<< "$after")" "{\"web2\":$of_web2}"
fact the_others_connections_all_talk equal "$(jq .open <<< "$after")" "$((2000 - of_web2))"

# web4 falls silent for a moment: it comes back at once, and keeps the connections of its new life.
on web4 nft -f - <<- END
	table netdev silence {
		chain in { type filter hook ingress device eth0 priority 0; policy drop; }
		chain out { type filter hook egress device eth0 priority 0; policy drop; }
	}
END
must wait_until 20 backend_is web4 down
on web4 nft delete table netdev silence
must wait_until 30 backend_is web4 up
tool_start again client connections "$VIP:80" 300 500
must wait_until 30 connections_are again '.open == 300'
fact a_returning_backend_gets_new_connections at_least "$(tool_ask again | jq '.servers.web4 // 0')" 20
# Longer than the balancer's own rounds of settling and tidying.
for round in 1 2 3 4 5 6; do
	after=$(tool_ask again round)
done
note "$after"
fact none_of_its_new_connections_is_broken equal "$(jq .broken <<< "$after")" 0

# Over a crash in the middle of the move nothing breaks either.
daemon_stop lb KILL
lb_start
after=$(tool_ask held round)
fact a_killed_balancer_in_the_middle_breaks_none equal "$(jq .open <<< "$after")" "$((2000 - of_web2))"
