# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Each step of doc/windows.md left out, by a Linux host that behaves as Windows does then: the balancer says what the page
# says that it says.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 1
ip_on web1 link set eth0 address 02:00:00:00:00:11
default_routes web1 "$ROUTER" 2001:db8:2::1 2> /dev/null
on web1 sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
# The adapter: an interface with no network.
ip_on web1 link add vip0 type dummy 2> /dev/null || ip_on web1 link add vip0 type bridge
ip_on web1 link set vip0 up
vips() {
	ip_on web1 address "$1" "$VIP/32" dev "$2"
	ip_on web1 address "$1" "$VIP6/128" dev "$2" nodad
}
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80
	check = path
	check-interval = 300ms
	real-server = $(web_address web1) name=win1
END

# says_as_the_page REASON : it is not up for that, in the page's very words; of another VIP there may be more.
is_for() {
	! backend_is win1 up && [[ "$(backend_field reason win1); " == "$1; "* ]]
}
says_as_the_page() {
	grep -qF "| \`$1\` |" doc/windows.md || {
		note "doc/windows.md has no line: $1"
		return 1
	}
	wait_until 20 is_for "$1"
}
is_up() {
	wait_until 20 backend_is win1 up
}
mac=02:00:00:00:00:11
silence="path: no answer for $VIP:80 from $mac (VIP missing on lo? firewall?)"
silence6="path: no answer for [$VIP6]:80 from $mac (VIP missing on lo? firewall?)"
# wall RULE… : what Windows does by itself
wall() {
	printf 'table inet wall {\n%s\n}\n' "$*" | on web1 nft -f -
}
no_wall() {
	on web1 nft delete table inet wall
}
input='type filter hook input priority 0;'

lb_start
fact without_the_vip says_as_the_page "$silence"
vips add vip0
fact with_all_steps_it_is_up is_up
fact it_serves equal "$(fetch /)" web1
wall "chain in { $input iif eth0 ip daddr $VIP drop; iif eth0 ip6 daddr $VIP6 meta l4proto tcp drop; }"
fact without_weak_receive says_as_the_page "$silence"
no_wall
fact with_weak_receive is_up
wall "chain out { type filter hook output priority 0; oif eth0 ip saddr $VIP drop; }"
fact without_weak_send says_as_the_page "$silence"
no_wall
fact with_weak_send is_up
wall "chain in { $input ip6 daddr $VIP6 tcp dport 80 drop; }"
fact with_the_firewall_of_ipv6 says_as_the_page "$silence6"
no_wall
fact without_the_firewall is_up
stop_pid "$nginx_pid_web1" QUIT
fact without_the_service says_as_the_page "path: nothing listens on $VIP:80 (connection refused)"
nginx_start web1
fact with_the_service is_up
ip_on web1 address add "$VIP/32" dev eth0
fact with_the_vip_on_the_card says_as_the_page "answers ARP for $VIP on eth0 (arp_ignore of that interface is 0?)"
ip_on web1 address del "$VIP/32" dev eth0
fact without_it is_up
ip_on web1 address add "$VIP6/128" dev eth0 nodad
fact with_the_ipv6_vip_on_the_card says_as_the_page "answers ND for $VIP6 on eth0 (is it an address of that interface?)"
ip_on web1 link set eth0 down
fact with_the_host_off says_as_the_page "no answer to ARP"
