# SPDX-License-Identifier: GPL-2.0-or-later
#
# The engine changes from one start to the next: packet, xdp, tc, packet. Connections in the middle
# of a move and flows of UDP, which only the record holds where they are, go on; the interface keeps
# nothing of the former engine.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
servers_start 80 81
with_mode() {
	lb_configure < <(
		lb_default_config | sed "/^\[balancer\]/a mode = $1"
		printf '\n[virtual-server udp]\nvip = %s, %s\nport = 81\nprotocol = udp\n' "$VIP" "$VIP6"
	)
}
with_mode packet
lb_and_agents_start
must wait_until 30 membership_is_quiet
# A segment that met no engine comes again after twice the time at most that there was none: they wait for more than that.
tool_start held client connections "$VIP:80" 200 500 40
tool_start held6 client connections "[$VIP6]:80" 100 500 40
tool_start flows client udp_flows "$VIP:81" 300
tool_start flows6 client udp_flows "[$VIP6]:81" 100 30000
must wait_until 30 connections_are held '.open == 200'
must wait_until 30 connections_are held6 '.open == 100'
for name in flows flows6; do
	must equal "$(tool_ask "$name" patiently | jq '.asked == .answered')" true
done
# By the table alone, these would move now.
must lb weight web1 7
must lb drain web2

# goes_on AFTER ON-THE-INTERFACE
goes_on() {
	fact "connections_talk_$1" equal "$(tool_ask held round | jq -c '[.open, .broken]')" '[200,0]'
	fact "connections_over_ipv6_talk_$1" equal "$(tool_ask held6 round | jq -c '[.open, .broken]')" '[100,0]'
	fact "udp_flows_stay_$1" equal "$(tool_ask flows patiently | jq -c '[.answered, .moved, .again <= .asked / 2]')" '[300,0,true]'
	fact "udp_flows_over_ipv6_stay_$1" equal "$(tool_ask flows6 patiently | jq -c '[.answered, .moved, .again <= .asked / 2]')" '[100,0,true]'
	fact "the_interface_has_its_program_alone_$1" equal "$(programs_on lb eth0)" "$2"
	fact "received_is_accounted_for_$1" equal \
		"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
}
goes_on at_first_by_packet guard
before=packet
for step in "xdp KILL xdp" "tc TERM tc" "packet KILL guard" "tc KILL tc" "xdp TERM xdp" \
	"packet TERM guard"; do
	read -r mode signal there <<< "$step"
	daemon_stop lb "$signal"
	with_mode "$mode"
	lb_start
	goes_on "from_${before}_to_${mode}_after_${signal}" "$there"
	before=$mode
done
