# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# One of ten servers goes. Where flows are kept, only its own move: none of the others'. Sessionless,
# Maglev's minimal disruption is all: its own, and at most 0.5 % of the others'.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 10 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server kept]
	vip = $VIP, $VIP6
	port = 80
	protocol = any

	[virtual-server hashed]
	vip = $VIP, $VIP6
	port = 5001
	protocol = udp
	sessionless = yes
END
servers_start 80 5001
# All at once: where a balancer starts with nothing, new flows of UDP stay with who was first for some time.
agents_start
lb_start
must wait_until 20 backends_up "$topology_webs"
must wait_until 30 membership_is_quiet

tool_start tcp client connections "$VIP:80" 1000 1000
tool_start udp client udp_flows "$VIP:80" 1000
tool_start hashed client udp_flows "$VIP:5001" 4000
must wait_until 30 connections_are tcp '.open == 1000'
before=$(tool_ask tcp round)
udp=$(tool_ask udp whole)
hashed=$(tool_ask hashed whole)
fact all_ten_serve_tcp equal "$(jq '.servers | length' <<< "$before")" 10
fact every_udp_flow_is_answered equal "$(jq .intact <<< "$udp")" 1000
fact every_sessionless_flow_is_answered equal "$(jq .intact <<< "$hashed")" 4000

# With its host: nobody says goodbye.
own_tcp=$(jq '.servers.web7 // 0' <<< "$before")
own_udp=$(jq '.servers.web7 // 0' <<< "$udp")
own_hashed=$(jq '.servers.web7 // 0' <<< "$hashed")
note "of web7: $own_tcp connections, $own_udp flows, $own_hashed sessionless ones"
ip_on web7 link set eth0 down
must wait_until 20 not backend_is web7 up

after=$(tool_ask udp whole)
note "udp: $after"
fact every_udp_flow_is_answered_again equal "$(jq .intact <<< "$after")" 1000
fact only_its_own_udp_flows_move equal "$(jq -c .moved_of <<< "$after")" "{\"web7\":$own_udp}"
after=$(tool_ask hashed whole)
note "sessionless: $after"
fact every_sessionless_flow_is_answered_again equal "$(jq .intact <<< "$after")" 4000
fact its_own_sessionless_flows_move equal "$(jq '.moved_of.web7' <<< "$after")" "$own_hashed"
others=$(jq '.moved - .moved_of.web7' <<< "$after")
fact of_the_others_at_most_half_a_percent_moves at_most "$others" 20
must wait_until 30 connections_are tcp ".broken == $own_tcp"
after=$(tool_ask tcp round)
note "tcp: $after"
fact only_its_own_connections_break equal "$(jq -c .broken_of <<< "$after")" "{\"web7\":$own_tcp}"
fact the_others_connections_all_talk equal "$(jq .open <<< "$after")" "$((1000 - own_tcp))"
