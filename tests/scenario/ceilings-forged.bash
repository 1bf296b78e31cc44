# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# max-connections of hosts without an agent under SYNs in the name of clients that are not there: they fill nobody, and
# connections find servers beside them. Connections do fill them; that then nobody serves is said, and by whom it was counted.
. "$(dirname "$0")/../netns/topology.bash"

CEILING=20

topology_up --webs 3 --no-nginx
# None has an agent: what their administrator does by hand.
for idx in 1 2 3; do
	on "web$idx" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	ip_on "web$idx" address add "$VIP/32" dev lo
done
# What the servers answer to nobody ends at the router, without a word about it.
ip_on router route add blackhole 198.18.0.0/15
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP
	port = 80
	scheduler = rr
	real-server = $(web_address web1) name=web1 max-connections=$CEILING
	real-server = $(web_address web2) name=web2 max-connections=$CEILING
	real-server = $(web_address web3) name=web3 max-connections=$CEILING
END
servers_start 80
lb_start
must wait_until 20 backends_up 3

# hold NAME COUNT : connections that stay.
hold() {
	tool_start "$1" client connections "$VIP:80" "$2" 500
	wait_until 20 connections_are "$1" ".open == $2"
}
full_ones() {
	lb_json '[.virtual_servers[0].backends[] | select(.reason | startswith("full"))] | length'
}
are_full() {
	[[ $(full_ones) == "$1" ]]
}
# Records of each server, as often its ceiling: of the one that has the fewest.
forged_ceilings() {
	lb_json "[.virtual_servers[0].backends[].flows] | min / $CEILING | floor"
}
many_are_recorded() {
	(($(forged_ceilings) >= 10))
}

is_said_once() {
	[[ $(grep -c 'virtual server web: ready -> not ready: .* 3 full, 3 of them by the flow table' "$work/lb/log") == 1 ]]
}

# A host whose clients all come to nothing would be suspected for that.
must hold held 12
must on router "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" 3000 1000 > /dev/null
fact forged_syns_are_recorded wait_until 5 many_are_recorded
# Each second they are counted.
worst=0
end=$(($(now_ms) + 3500 * SLOW))
while (($(now_ms) < end)); do
	now=$(full_ones)
	((now <= worst)) || worst=$now
	sleep_ms 200
done
fact they_fill_nobody equal "$worst" 0
fact they_are_recorded_still at_least "$(forged_ceilings)" 10
fact connections_find_servers_beside_them hold second 40

# With 4 and at least 13 that it has, three more are its ceiling.
fact connections_fill_all_of_them hold third 9
fact all_of_them_are_full wait_until 10 are_full 3
must wait_until 10 is_in_force
dropped() {
	lb_json '.drops["no-backend"] // 0'
}
before=$(dropped)
fact who_is_full_takes_no_new_connection not on client timeout 2 bash -c "exec 3<> '/dev/tcp/$VIP/80'"
fact for_want_of_a_backend at_least "$(dropped)" $((before + 1))
fact nobody_serves exits 2 lb status
fact the_status_says_that_they_are_full says '3 full, 3 of them by the flow table' lb status
must wait_until 5 is_said_once
said_s=$(lb_json .uptime_s)
for name in held second third; do
	fact "none_of_${name}_is_broken" equal "$(tool_ask "$name" round | jq .broken)" 0
done
# Each second they are counted again.
counted_again() {
	[[ $(lb_json ".uptime_s >= $said_s + 3") == true ]]
}
must wait_until 10 counted_again
fact the_log_says_so_once is_said_once
must stop_pid "${tool_pid[third]}"
must stop_pid "${tool_pid[second]}"
fact below_it_they_serve_again wait_until 10 exits 0 lb status
fact a_new_connection_is_served hold fourth 12
