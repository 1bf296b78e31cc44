# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# check = http://…: each VIP is asked a whole request at each backend's MAC. A server that answers with a bad status, does
# not answer, or does not listen there is kept out or thrown out with a reason that says so; the balancer needs no rule
# and no route for it, whether or not the VIP is its own, and nothing of the requests stays anywhere.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 6
for idx in 1 2 3 4 5 6; do
	touch "$work/web$idx/upload/health"
done
for idx in 2 3 4 5 6; do
	# What the administrator of such a host does by hand.
	on "web$idx" sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	ip_on "web$idx" address add "$VIP/32" dev lo
	ip_on "web$idx" address add "$VIP6/128" dev lo nodad
	count_frames "web$idx" eth0 ingress clients "ip saddr $CLIENT ip daddr $VIP"
done
nginx_signal() {
	local pid=nginx_pid_$1
	signal_pid "${!pid}" "$2"
}
# nginx_edit NAME SED_SCRIPT
nginx_edit() {
	sed -i "$2" "$work/$1/nginx.conf"
	nginx_signal "$1" HUP
}
# Its workers stop: the kernel takes connections as ever, and nobody answers.
wedge() {
	local pid=nginx_pid_$1 worker
	for worker in $(pgrep -P "${!pid}"); do
		signal_pid "$worker" "$2"
	done
}
nginx_edit web2 "s|access_log off;|log_format asked '\$http_host \$request \$status'; access_log $work/web2/upload/log asked;|"
nginx_edit web3 's|location /upload/ {|location /upload/ { return 503;|'
wedge web4 STOP
nginx_pid=nginx_pid_web5
stop_pid "${!nginx_pid}" QUIT
nginx_start web5 "$(web_address web5)"
rm "$work/web6/upload/health"

http_config() {
	cat <<- END
		[balancer]
		interface = eth0
		key-file = $work/lb/keys

		[virtual-server web]
		vip = $VIP, $VIP6
		port = 80
		check = agent, path, http://www.example.org/upload/health
		check-interval = 300ms
		check-timeout = 250ms
		real-server = $(web_address web2) name=web2
		real-server = $(web_address web3) name=web3
		real-server = $(web_address web4) name=web4
		real-server = $(web_address web5) name=web5
		real-server = $(web_address web6) name=web6
	END
}
on lb sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
rules() {
	on lb ip rule
	on lb ip -6 rule
}
rules_before=$(rules)
lb_configure < <(http_config)
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
	lb status --json | jq -r --arg name "$1" --arg vip "$2" "[.virtual_servers[].backends[] | select(.name == \$name) |
		.checks[] | select(.check == \"http://www.example.org/upload/health\" and .vip == \$vip)][0].$3"
}
get="GET /upload/health at"

fact an_agent_and_a_static_server_are_proven wait_until 20 backends_up 2
fact a_503_keeps_out wait_until 5 reason_is web3 "answered 503 to $get $VIP:80"
fact a_wedged_server_with_its_port_open_is_kept_out wait_until 5 reason_is web4 \
	"took the connection, but did not answer $get $VIP:80 within 250 ms"
fact one_that_listens_on_its_real_ip_alone_is_kept_out equal "$(check_of web5 "$VIP" reason)" \
	"connection refused for $get $VIP:80 (nothing listens there)"
fact a_404_keeps_out wait_until 5 reason_is web6 "answered 404 to $get $VIP:80"
fact its_path_is_well_all_the_same equal "$(lb status --json | jq -r '[.virtual_servers[].backends[] |
	select(.name == "web6") | .checks[] | select(.check == "path") | .ok] | unique | tostring')" "[true]"
fact over_ipv6_too equal "$(check_of web3 "$VIP6" reason)" "answered 503 to $get [$VIP6]:80"
fact and_well_over_both equal "$(check_of web2 "$VIP" ok) $(check_of web2 "$VIP6" ok)" "true true"
fact the_request_is_a_whole_one says "www.example.org GET /upload/health HTTP/1.1 200" cat "$work/web2/upload/log"
fact only_the_proven_serve equal "$(answer_names "$VIP" 60)" "web1 web2 "
fact and_over_ipv6 equal "$(answer_names "[$VIP6]" 60)" "web1 web2 "
refused_got=0
for idx in 3 4 5 6; do
	refused_got=$((refused_got + $(counted "web$idx" clients)))
done
fact the_refused_get_no_frame_of_a_client equal "$refused_got" 0

# thrown_out NAME PATTERN : and then no client's frame comes to it.
thrown_out() {
	local before
	wait_until 5 reason_is "$1" "$2" || return 1
	before=$(counted "$1" clients)
	answer_names "$VIP" 40 > /dev/null
	equal "$(counted "$1" clients)" "$before"
}
rm "$work/web2/upload/health"
fact a_page_that_is_gone_is_found thrown_out web2 "answered 404 to $get"
touch "$work/web2/upload/health" "$work/web6/upload/health"
fact what_is_mended_comes_in wait_until 10 backends_up 3
wedge web2 STOP
fact a_server_that_hangs_is_found thrown_out web2 "did not answer $get"
wedge web2 CONT
wedge web4 CONT
fact it_comes_back_when_it_goes_on wait_until 10 backends_up 4

# Of the balancer's own routes none leads to the VIP, and it is an address of its own, as keepalived makes it.
on lb ip route replace blackhole "$VIP"
on lb ip -6 route replace blackhole "$VIP6"
ip_on lb address add "$VIP/32" dev eth0
ip_on lb address add "$VIP6/128" dev eth0 nodad
nginx_edit web3 's|location /upload/ { return 503;|location /upload/ {|'
fact a_local_vip_is_asked wait_until 10 backend_is web3 up
rm "$work/web3/upload/health"
fact and_what_is_wrong_there_is_found wait_until 5 reason_is web3 "answered 404 to $get"

# Killed, started again, and stopped: nothing of the host's is another for it.
fact it_needs_no_rule equal "$(rules)" "$rules_before"
daemon_stop lb KILL
fact a_kill_leaves_no_rule equal "$(rules)" "$rules_before"
lb_start
fact a_restart_keeps_what_was_proven equal "$(backend_field state web2) $(backend_field state web6)" "up up"
fact and_what_was_not equal "$(backend_field state web3)" "down"
daemon_stop lb
fact a_stop_leaves_no_rule equal "$(rules)" "$rules_before"
left_behind() {
	local idx
	for idx in 1 2 3 4 6; do
		on "web$idx" ss -Htan "dst $LB or dst [$LB6]" exclude listening
		# A page that is not there is a line of its own.
		grep -v 'No such file or directory' "$work/web$idx/nginx.log"
	done
}
nothing_is_left() {
	equal "$(left_behind | grep -v ":7377")" "" 2> /dev/null
}
fact no_connection_and_no_line_is_left_on_servers wait_until 5 nothing_is_left
