# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A port of a virtual server that nobody listens on keeps the backend out; what cannot be judged does not. And
# agents and balancers of the former version of the protocol, with FORMER_LB=/path/of/dsr-lb and
# FORMER_AGENT=/path/of/dsr-agent of a build that knew version 1 alone.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80
	check = agent

	[virtual-server names]
	vip = $VIP
	port = 53, 5000-5010
	protocol = udp
	check = agent

	[virtual-server any]
	vip = $VIP2
	port = any
	check = agent
END
for name in web1 web2; do
	agent_configure "$name" < <(agent_default_config "$name" "$LB" "check-interval = 200ms" |
		sed "s/^vip = .*/&, $VIP2/")
done
tool_start rest1 web1 named_server web1 "[$VIP6]:80" "$VIP:53"
tool_start rest2 web2 named_server web2 "$VIP:53"
tool_start web1 web1 named_server web1 "$VIP:80"
# Of web2 somebody listens on its real IP alone.
tool_start web2 web2 named_server web2 "$(web_address web2):80"
lb_start
agent_start web1
agent_start web2

# reason_is NAME TEXT : on both sides.
reason_is() {
	equal "$(backend_field reason "$1")" "$2" && equal "$(agent "$1" status --json | jq -r .reason)" "$2"
}
# serves NAME VIRTUAL-SERVER : it is one of its backends, and has a share.
share_of() {
	dsr_lb lb status --json | jq --arg name "$1" --arg virtual "$2" \
		'[.virtual_servers[] | select(.name == $virtual) | .backends[] | select(.name == $name)][0].share > 0'
}
has_listener() {
	[[ $(agent "$1" status --json | jq -c --arg vip "$2" --argjson port "$3" --arg protocol "$4" \
		'[.listeners[] | select(.vip == $vip and .port == $port and .protocol == $protocol)] | length') == "$5" ]]
}

fact whoever_listens_on_all_is_up wait_until 20 backend_is web1 up
fact ranges_and_any_port_are_not_judged equal "$(backend_field reason web1)" ""
unheard="nothing listens on $VIP:80 (named_server listens on $(web_address web2):80 alone)"
known_elsewhere() {
	reason_is web2 "$unheard" || reason_is web2 "${unheard/named_server/a socket}"
}
fact the_real_ip_alone_is_not_enough wait_until 20 known_elsewhere
fact the_agent_calls_it_down agent_is web2 down
fact its_other_virtual_servers_have_it equal "$(share_of web2 names) $(share_of web2 any)" "true true"
fact that_one_has_it_not equal "$(share_of web2 web)" false
fact listeners_are_listed has_listener web1 "$VIP" 80 tcp 1
fact datagrams_are_listed has_listener web1 "$VIP" 53 udp 1
fact what_is_not_there_is_not_listed has_listener web2 "$VIP" 80 tcp 0

# Every VIP, by a wildcard of IPv6 that takes IPv4 too.
stop_pid "${tool_pid[web2]}"
start_on web2 "$work/wildcard" python3 -c '
import signal, socket
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", 80))
s.listen()
signal.pause()'
fact a_wildcard_will_do wait_until 10 backend_is web2 up
fact then_nothing_is_to_be_said wait_until 5 reason_is web2 ""
serves_web2() {
	[[ $(share_of web2 web) == true ]]
}
fact and_it_has_its_share wait_until 5 serves_web2

# Datagrams: who stops to take them is out of that virtual server alone.
stop_pid "${tool_pid[rest2]}"
fact who_takes_no_datagrams_says_so wait_until 10 reason_is web2 "nothing listens on udp $VIP:53"
shares_are() {
	[[ "$(share_of web2 names) $(share_of web2 web)" == "$1" ]]
}
fact it_is_out_of_that_virtual_server_alone wait_until 5 shares_are "false true"
tool_start rest2 web2 named_server web2 "$VIP:53"
fact when_it_takes_them_again_it_is_in wait_until 10 shares_are "true true"

unheard_now() {
	equal "$(backend_field reason web1)" "nothing listens on $VIP:80"
}
stopped=$(now_ms)
stop_pid "${tool_pid[web1]}"
fact who_stops_to_listen_is_out wait_until 5 unheard_now
fact it_is_told_within_the_interval at_most $(($(now_ms) - stopped)) $((1500 * SLOW))
serves_ipv6_alone() {
	[[ $(dsr_lb lb status --json | jq '[.virtual_servers[] | select(.name == "web") | .backends[] |
		select(.name == "web1")][0].share * 100 | round') == 25 ]]
}
fact the_other_vip_is_served_on wait_until 5 serves_ipv6_alone

# A virtual server more: asked at once, judged when it is answered.
sed -i '/^\[virtual-server names\]/i\[virtual-server more]\nvip = '"$VIP"'\nport = 8080\ncheck = agent\n' "$work/lb/lb.conf"
must lb reload
more_is_unheard() {
	equal "$(backend_field reason "$1")" "nothing listens on $VIP:8080"
}
fact a_reload_asks_anew wait_until 5 more_is_unheard web2

# A program that knows version 1 alone, on either side: they find each other, and nothing is judged by ports.
if [[ -n ${FORMER_AGENT:-} ]]; then
	daemon_stop web1
	install -m 755 "$FORMER_AGENT" "$work/bin/dsr-agent"
	agent_start web1
	fact a_former_agent_is_taken wait_until 20 backend_is web1 up
	fact nothing_is_asked_of_it equal "$(backend_field reason web1)" ""
	daemon_stop web1
	install -m 755 "$BUILD/dsr-agent" "$work/bin/dsr-agent"
	agent_start web1
	fact its_upgrade_is_asked wait_until 20 more_is_unheard web1
fi
if [[ -n ${FORMER_LB:-} ]]; then
	daemon_stop lb
	install -m 755 "$FORMER_LB" "$work/bin/dsr-lb"
	lb_start
	unjudged() {
		backends_up 2 && equal "$(backend_field reason web1)$(backend_field reason web2)" ""
	}
	fact a_former_balancer_takes_agents wait_until 20 unjudged
	daemon_stop lb
	install -m 755 "$BUILD/dsr-lb" "$work/bin/dsr-lb"
	lb_start
	fact sessions_of_the_former_version_go_on equal "$(backend_field state web1) $(backend_field state web2)" "up up"
	daemon_stop web1
	agent_start web1
	fact a_new_session_is_of_the_new_version wait_until 20 more_is_unheard web1
fi
