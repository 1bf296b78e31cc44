# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# check = path: each VIP is asked at each backend's MAC, as a client asks. Whatever keeps clients from being answered
# keeps the server out, or throws it out, with a reason that names it; and nothing of the probes stays on servers.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 8
for idx in 2 3 4 5 6 7 8; do
	# What the administrator of such a host does by hand.
	on "web$idx" sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	ip_on "web$idx" address add "$VIP/32" dev lo
	ip_on "web$idx" address add "$VIP6/128" dev lo nodad
	count_frames "web$idx" eth0 ingress clients "ip saddr $CLIENT ip daddr $VIP"
done
ip_on web2 address add "$VIP2/32" dev lo
firewall_drops() {
	on "$1" nft -f - <<- END
		table inet wall {
			chain input {
				type filter hook input priority 0; policy accept;
				ip daddr $VIP tcp dport 80 drop
			}
		}
	END
}
nginx_stop() {
	local pid=nginx_pid_$1
	stop_pid "${!pid}" QUIT
}
# Each of the others has a fault of its own.
ip_on web3 address delete "$VIP/32" dev lo
nginx_stop web4
nginx_stop web5
nginx_start web5 "$(web_address web5)"
firewall_drops web6
ip_on web7 address delete "$VIP6/128" dev lo

nobodys_mac=02:00:00:00:77:77
path_config() {
	cat <<- END
		[balancer]
		interface = eth0
		key-file = $work/lb/keys

		[virtual-server web]
		vip = $VIP, $VIP6
		port = 80
		check = agent, path
		check-interval = 300ms
		check-timeout = 200ms
		real-server = $(web_address web2) name=web2
		real-server = $(web_address web3) name=web3
		real-server = $(web_address web4) name=web4
		real-server = $(web_address web5) name=web5
		real-server = $(web_address web6) name=web6
		real-server = $(web_address web7) name=web7
		real-server = $(web_address web8) name=web8 mac=$nobodys_mac

		[virtual-server every-port]
		vip = $VIP2
		check = path
		check-interval = 300ms
		real-server = $(web_address web2) name=web2
	END
}
lb_configure < <(path_config)
lb_start
agent_start web1

# reason_is NAME PATTERN : it is not up, and says why.
reason_is() {
	local status
	status=$(lb status --json)
	jq -e --arg name "$1" --arg pattern "$2" '[.virtual_servers[].backends[] | select(.name == $name)][0] |
		.state != "up" and (.reason | test($pattern))' <<< "$status" > /dev/null
}
# check_of NAME VIP FIELD
check_of() {
	lb status --json | jq -r --arg name "$1" --arg vip "$2" \
		"[.virtual_servers[].backends[] | select(.name == \$name) | .checks[] | select(.check == \"path\" and .vip == \$vip)][0].$3"
}

fact an_agent_and_a_static_server_are_proven wait_until 20 backends_up 2
fact a_static_server_without_the_vip_is_refused wait_until 3 reason_is web3 "no answer for $VIP:80 from $(mac_of web3)"
fact one_where_nothing_listens_is_refused wait_until 3 reason_is web4 "nothing listens on $VIP:80"
fact one_that_listens_on_its_real_ip_alone_is_refused wait_until 3 reason_is web5 "nothing listens on $VIP:80"
fact one_whose_firewall_drops_is_refused wait_until 3 reason_is web6 "no answer for $VIP:80.*firewall"
fact one_without_the_ipv6_vip_is_refused wait_until 3 reason_is web7 "\[$VIP6\]:80 (is unreachable|from)"
fact one_with_a_wrong_mac_is_refused wait_until 3 reason_is web8 "no answer for $VIP:80 from $nobodys_mac"
fact its_checks_tell_the_vips_apart equal "$(check_of web7 "$VIP" ok) $(check_of web7 "$VIP6" ok)" "true false"
fact the_agent_is_a_check_of_its_own equal "$(backend_field 'checks[0].check' web1)" agent
fact only_the_proven_serve equal "$(answer_names "$VIP" 60)" "web1 web2 "
fact and_over_ipv6 equal "$(answer_names "[$VIP6]" 60)" "web1 web2 "
refused_got=0
for idx in 3 4 5 6 7 8; do
	refused_got=$((refused_got + $(counted "web$idx" clients)))
done
fact the_refused_get_no_frame_of_a_client equal "$refused_got" 0
fact a_virtual_server_of_every_port_is_asked_by_echo equal "$(check_of web2 "$VIP2" ok)" true

# What is mended comes in.
ip_on web3 address add "$VIP/32" dev lo
nginx_start web4
nginx_stop web5
nginx_start web5
on web6 nft delete table inet wall
ip_on web7 address add "$VIP6/128" dev lo nodad
path_config | sed "s/ mac=$nobodys_mac//" | lb_write_config
must lb reload
fact the_mended_come_in wait_until 10 backends_serve 8
fact all_serve equal "$(answer_names "$VIP" 400)" "web1 web2 web3 web4 web5 web6 web7 web8 "

# thrown_out NAME PATTERN : within three seconds, and then no client's frame comes to it.
thrown_out() {
	local before
	wait_until 3 reason_is "$1" "$2" || return 1
	before=$(counted "$1" clients)
	answer_names "$VIP" 60 > /dev/null
	equal "$(counted "$1" clients)" "$before"
}
ip_on web3 address delete "$VIP/32" dev lo
fact a_vip_that_is_removed_is_found thrown_out web3 "no answer for $VIP:80"
nginx_stop web4
fact a_server_that_ends_is_found thrown_out web4 "nothing listens on $VIP:80"
firewall_drops web6
fact a_firewall_that_drops_is_found thrown_out web6 "no answer for $VIP:80"
ip_on web7 address delete "$VIP6/128" dev lo
fact an_ipv6_vip_that_is_removed_is_found wait_until 3 reason_is web7 "\[$VIP6\]:80"

# The balancer is killed: what was proven goes on, and what was not stays out.
daemon_stop lb KILL
lb_start
fact a_restart_keeps_what_was_proven equal "$(backend_field state web2) $(backend_field state web5)" "up up"
fact and_what_was_not equal "$(backend_field state web4) $(backend_field state web6)" "down down"
fact the_agent_is_back wait_until 10 backend_is web1 up

# The VIP is an address of the balancer, as keepalived makes it.
ip_on lb address add "$VIP/32" dev eth0
ip_on web3 address add "$VIP/32" dev lo
fact a_local_vip_is_probed wait_until 5 backend_is web3 up
ip_on web3 address delete "$VIP/32" dev lo
fact and_its_loss_is_found wait_until 3 reason_is web3 "no answer for $VIP:80"

# Probes leave nothing behind.
left_behind() {
	local idx
	for idx in 1 2 5 8; do
		on "web$idx" ss -Htan state syn-recv state time-wait "dst $LB or dst [$LB6]"
		cat "$work/web$idx/nginx.log"
	done
}
fact no_socket_and_no_line_is_left_on_servers equal "$(left_behind)" ""
