# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# max-connections, with connections that stay: of an agent by its sockets, of a static host by the flow table; and
# how many connections an agent's kernel took; and a drain that waits for them.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
# web3 has no agent: what its administrator does by hand.
on web3 sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
ip_on web3 address add "$VIP/32" dev lo
# Path probes are half taken, too, and none of them is counted beside the clients' SYNs.
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP
	port = 80
	scheduler = rr
	fin-timeout = 1s
	real-server = $(web_address web3) name=web3 max-connections=20
END
agent_configure web1 < <(agent_default_config web1 "$LB" "max-connections = 30")
servers_start 80
sed 's/scheduler = rr/scheduler = maglev/' "$work/lb/lb.conf" > "$work/refused.conf"
fact a_static_ceiling_needs_records not "$work/bin/dsr-lb" check-config --config "$work/refused.conf"
lb_start
agent_start web1
agent_start web2
must wait_until 20 backends_up 3

# hold NAME COUNT : connections that stay.
hold() {
	tool_start "$1" client connections "$VIP:80" "$2" 500
	must wait_until 20 connections_are "$1" ".open == $2"
}
full() {
	[[ $(backend_field state "$1") == up && $(backend_field effective_weight "$1") == 0 &&
		$(backend_field reason "$1") == "full: takes no new connections while it has $2" ]]
}
has_room() {
	[[ $(backend_field effective_weight "$1") == 1 ]]
}
# by NAME SERVER
by() {
	tool_ask "$1" report | jq ".servers.$2 // 0"
}
fact ceilings_are_shown equal "$(backend_field max_connections web1) $(backend_field max_connections web2) $(
	backend_field max_connections web3)" "30 0 20"
hold first 120
fact an_agent_that_has_as_many_is_full wait_until 10 full web1 30
fact a_static_that_has_as_many_is_full wait_until 10 full web3 20
must wait_until 10 is_in_force
hold second 40
fact full_ones_get_no_new_connection equal "$(by second web1) $(by second web3)" "0 0"
fact all_of_them_go_elsewhere equal "$(by second web2)" 40
fact what_they_have_they_keep equal "$(tool_ask first round | jq -c '[.open, .broken]')" '[120,0]'
stop_pid "${tool_pid[first]}"
fact below_it_an_agent_has_room_again wait_until 10 has_room web1
fact below_it_a_static_has_room_again wait_until 10 has_room web3
must wait_until 10 is_in_force
hold third 30
# Of agents is known how many connections their kernels took; a static host has no word of it.
counted() {
	local name
	for name in web1 web2; do
		[[ $(backend_field accepted "$name") == $(backend_field syns "$name") &&
			$(backend_field accepted "$name") -gt 30 ]] || return 1
	done
}
fact connections_that_were_taken_are_counted wait_until 10 counted
must on web1 nft flush ruleset
tables() {
	on "$1" nft list tables | grep -c dsr_agent_
}
fact a_flush_of_the_firewall_passes_the_count_over equal "$(tables web1)" 1
fact of_a_static_host_they_are_not_known equal "$(backend_field accepted web3)" null
fact both_get_connections_again at_least "$(($(by third web1) * $(by third web3)))" 25

# A drain that waits tells on a terminal what is left, and does not wait for a VIP that is none of this balancer's.
start_on web2 "$work/local" bash -c "exec 3<> '/dev/tcp/$VIP6/80' && sleep 300"
elsewhere() {
	[[ $(agent web2 status --json | jq --arg vip "$VIP6" '.vips[] | select(.address == $vip) | .established') -ge 1 ]]
}
must wait_until 10 elsewhere
start_on lb "$work/drain" python3 -c 'import pty, sys
sys.exit(pty.spawn(sys.argv[1:]))' "$work/bin/dsr-lb" drain web2 --wait=60s --runtime-dir "$work/lb/run"
drain_pid=$started
tells_what_is_left() {
	(($(grep -c 'web2: [1-9][0-9]* flows are still open' "$work/drain") >= 2))
}
fact a_drain_tells_what_is_left wait_until 20 tells_what_is_left
stop_pid "${tool_pid[second]}"
stop_pid "${tool_pid[third]}"
fact it_ends_with_the_last_connection_of_a_vip_here wait_until 20 gone "$drain_pid"
