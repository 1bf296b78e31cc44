# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# tags: long
#
# A stranger says where the real servers without an agent are. Their old places answer, so nobody believes it:
# no connection is lost. A server that has really got another network card is found where it is.
. "$(dirname "$0")/../netns/topology.bash"

VIP3=198.51.100.12
topology_up --webs 4
add_host stranger
wire stranger eth0 switch stranger
addresses stranger eth0 192.0.2.66/24 2001:db8:2::66/64
for idx in 1 2 3 4; do
	on "web$idx" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	ip_on "web$idx" address add "$VIP/32" dev lo
	ip_on "web$idx" address add "$VIP6/128" dev lo nodad
	ip_on "web$idx" address add "$VIP2/32" dev lo
	ip_on "web$idx" address add "$VIP3/32" dev lo
done
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP
	port = 80
	check = tcp:80
	real-server = $(web_address web1) name=web1
	real-server = $(web_address web2) name=web2

	[virtual-server six]
	vip = $VIP6
	port = 80
	check = tcp:80
	real-server = $(web_address6 web3) name=web3

	[virtual-server unchecked]
	vip = $VIP3
	port = 80
	check = none
	real-server = $(web_address web4) name=web4
END
# The gateway is one of several.
ip_on lb route replace default nexthop via "$ROUTER" dev eth0 nexthop via 192.0.2.250 dev eth0
ip_on lb -6 route replace default nexthop via 2001:db8:2::1 dev eth0 nexthop via 2001:db8:2::250 dev eth0
lb_start
must wait_until 20 backends_up 4
must wait_until 20 fetch / -o /dev/null

lb_mac=$(mac_of lb)
router_mac=$(mac_of router)
broadcast=ff:ff:ff:ff:ff:ff
nobody=02:00:00:00:00:66
# forge ADDRESS MAC [COUNT [RATE_HZ]] : replies to the balancer alone.
forge() {
	local address=$1 mac=$2 to=$LB
	shift 2
	[[ $address != *:* ]] || to=$LB6
	on stranger "$BUILD/tests/harness/forge" eth0 "$address" "$mac" "$lb_mac" "$to" "$@"
}
# lost_under_forgery VIP MAC ADDRESS… : of 71 connections one after the other, while a reply a second says
# that each server is at MAC.
lost_under_forgery() {
	local vip=$1 mac=$2 lost=0 next=0
	shift 2
	for _ in {1..71}; do
		if (($(now_ms) >= next)); then
			next=$(($(now_ms) + 1000))
			for address; do
				forge "$address" "$mac" || return
			done
		fi
		on client curl -sS --max-time 2 -o /dev/null "http://$vip/" 2> /dev/null || lost=$((lost + 1))
		sleep 0.1
	done
	printf '%d\n' "$lost"
}
macs() {
	lb_json '[.virtual_servers[].backends[].mac] | sort | tojson'
}
# downs : how often a server has left `up`
downs() {
	grep -c ' up -> ' "$work/lb/log"
}
places=$(macs)
left=$(downs)
servers=("$(web_address web1)" "$(web_address web2)")

# Beside each other: what is said of one server is nothing to the others.
lost_under_forgery "$VIP3" "$router_mac" "$(web_address web4)" > "$work/lost3" &
lost3=$!
for mac in "$router_mac" "$nobody" "$(mac_of stranger)"; do
	lost_under_forgery "$VIP" "$mac" "${servers[@]}" > "$work/lost" &
	lost=$!
	fact "none_is_lost_by_ipv6_at_$mac" equal "$(lost_under_forgery "[$VIP6]" "$mac" "$(web_address6 web3)")" 0
	wait "$lost"
	fact "none_is_lost_when_servers_are_said_to_be_at_$mac" equal "$(< "$work/lost")" 0
done
wait "$lost3"
fact none_of_an_unchecked_server_is_lost equal "$(< "$work/lost3")" 0
fact no_server_has_moved equal "$(macs)" "$places"
fact no_server_was_down equal "$(downs)" "$left"
fact every_server_is_up backends_up 4
fact the_log_names_the_gateway says "${servers[0]} is not believed to be at $router_mac: that MAC is that of the gateway $ROUTER" cat "$work/lb/log"
fact the_log_names_the_gateway_of_ipv6 says "$(web_address6 web3) is not believed to be at $router_mac: that MAC is that of the gateway" cat "$work/lb/log"

# A line a minute and server: those above are old only after a start.
daemon_stop lb
lb_start
must wait_until 20 backends_up 4
# The kernel takes no other MAC of IPv4 for a second after it heard one.
must forge "${servers[0]}" "$(mac_of web2)" 4 2
must forge "${servers[1]}" "$nobody" 4 2
must forge "$(web_address6 web3)" "$nobody"
must forge "$(web_address web4)" "$lb_mac" 4 2
fact the_log_names_the_other_server wait_until 5 says "${servers[0]} is not believed to be at $(mac_of web2): that MAC is that of ${servers[1]}" cat "$work/lb/log"
fact the_log_says_that_the_old_place_answers wait_until 5 says "${servers[1]} is not believed to be at $nobody: it still answers at $(mac_of web2)" cat "$work/lb/log"
fact the_log_says_so_of_ipv6 wait_until 5 says "$(web_address6 web3) is not believed to be at $nobody: it still answers at $(mac_of web3)" cat "$work/lb/log"
fact the_log_names_the_balancer wait_until 5 says "$(web_address web4) is not believed to be at $lb_mac: that MAC is that of the balancer" cat "$work/lb/log"
fact no_server_has_moved_over_a_start equal "$(macs)" "$places"

# Another network card is one whose old place is silent.
is_at() {
	[[ $(backend_field mac "$1") == "$2" ]]
}
# A host that comes with another card says so itself, more than once.
ip_on web1 link set eth0 down
ip_on web1 link set eth0 address 02:00:00:00:99:01
ip_on web1 link set eth0 up
default_routes web1 "$ROUTER" 2001:db8:2::1 2> /dev/null
since=$(now_ms)
on web1 "$BUILD/tests/harness/forge" eth0 "${servers[0]}" 02:00:00:00:99:01 "$broadcast" "${servers[0]}" 8 4
fact a_card_that_makes_itself_known_is_found wait_until 20 is_at web1 02:00:00:00:99:01
# A second in which the kernel takes no other MAC, and that for which the old place is asked.
fact it_is_found_within_three_and_a_half_seconds at_most "$(($(now_ms) - since))" "$((3500 * SLOW))"
ip_on web3 link set eth0 address 02:00:00:00:99:03
fact a_silent_card_is_found_by_ipv6 wait_until 20 is_at web3 02:00:00:00:99:03
ip_on web4 link set eth0 address 02:00:00:00:99:04
fact a_card_of_an_unchecked_server_is_found wait_until 20 is_at web4 02:00:00:00:99:04
must wait_until 20 backends_up 4
