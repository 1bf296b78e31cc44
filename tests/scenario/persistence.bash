# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# persistence over real connections, under rr, so that a client without it goes to another server each
# time: who is a client (the prefix), how long it stays, what starts its time again, what outlives the
# daemon.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3
# configure SECONDS
configure() {
	lb_configure <<- END
		[balancer]
		interface = eth0
		key-file = $work/lb/keys

		[virtual-server web]
		vip = $VIP, $VIP6
		port = 80
		scheduler = rr
		persistence = ${1}s
		persistence-prefix = 24, 64
		fin-timeout = 1s
	END
}
# Time in whole seconds: a client stays for 4 to 5 seconds.
configure 4
addresses client eth0 203.0.113.3/24 203.0.113.250/24 2001:db8:1::3/64
# Two more networks of the client.
ip_on router route add 203.0.114.0/23 via "$CLIENT"
ip_on router -6 route add 2001:db8:1:1::/64 via "$CLIENT6"
ip_on client address add 203.0.114.2/32 dev lo
ip_on client address add 203.0.115.2/32 dev lo
ip_on client address add 2001:db8:1:1::2/128 dev lo nodad
lb_and_agents_start

# from ADDRESS : one connection; the server that answered.
from() {
	local host=$VIP
	[[ $1 != *:* ]] || host="[$VIP6]"
	on client curl -sS --max-time 10 --interface "$1" "http://$host/"
}
answers() {
	equal "$(from "$1")" "$2"
}
began_ms=$(now_ms)
# The clock begins again.
mark() {
	began_ms=$(now_ms)
}
passed_ms() {
	(($(now_ms) - began_ms >= $1))
}

mark
first=$(from "$CLIENT")
same=0
for idx in {1..20}; do
	for source in "$CLIENT" 203.0.113.3 203.0.113.250; do
		[[ $(from "$source") != "$first" ]] || same=$((same + 1))
	done
done
fact one_network_is_one_client equal "$same" 60
second=$(from 203.0.114.2)
fact another_network_is_another_client not equal "$second" "$first"
first6=$(from "$CLIENT6")
fact one_ipv6_network_is_one_client answers 2001:db8:1::3 "$first6"
fact another_ipv6_network_is_another not answers 2001:db8:1:1::2 "$first6"

# Each connection starts the time again: 9 seconds after the first it is still the same.
for idx in 1 2 3; do
	mark
	fact "a_client_stays_for_3_seconds_$idx" answers "$CLIENT" "$first"
	must wait_until 10 passed_ms 3000
done
fact its_time_starts_again_with_each_connection answers "$CLIENT" "$first"
# Meanwhile that of the other network ran out, 5 seconds after its only connection at the latest.
fact without_a_connection_it_ends not answers 203.0.114.2 "$second"

# While a flow lives the time does not run out: a download of ten seconds, here for more than the time.
third=$(from 203.0.115.2)
mark
start_on client "$work/download.log" curl -sS --max-time 60 --interface 203.0.115.2 -o "$work/download" \
	"http://$VIP/slow/500k"
download=$started
must wait_until 10 passed_ms 6000
fact the_download_lives not gone "$download"
fact a_client_stays_while_a_flow_lives answers 203.0.115.2 "$third"

# What is kept outlives the daemon, however long it takes to start.
configure 60
must lb reload
kept=$(from "$CLIENT")
daemon_stop lb KILL
lb_start
must wait_until 20 backends_up 3
fact a_client_stays_over_a_kill answers "$CLIENT" "$kept"
fact a_client_with_a_flow_stays_over_a_kill answers 203.0.115.2 "$third"
must lb drain "$kept"
fact a_draining_server_gets_no_client_back not answers "$CLIENT" "$kept"
must lb enable "$kept"
fact the_download_ends_whole wait_until 20 gone "$download"
fact no_byte_of_it_is_missing equal "$(stat -c %s "$work/download")" 512000
