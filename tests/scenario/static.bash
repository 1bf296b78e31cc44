# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Real servers without an agent: named in the configuration, their MACs resolved, judged by ARP and
# by a TCP check where one is configured.
. "$(dirname "$0")/../netns/topology.bash"

VIP3=198.51.100.12
topology_up --webs 4
for idx in 1 2 3 4; do
	# What the administrator of such a host does by hand.
	on "web$idx" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	ip_on "web$idx" address add "$VIP/32" dev lo
	ip_on "web$idx" address add "$VIP6/128" dev lo nodad
	ip_on "web$idx" address add "$VIP2/32" dev lo
	ip_on "web$idx" address add "$VIP3/32" dev lo
done
static_config() {
	cat <<- END
		[balancer]
		interface = eth0
		key-file = $work/lb/keys

		[virtual-server web]
		vip = $VIP, $VIP6
		port = 80
		check = tcp:80
		check-interval = 300ms
		check-timeout = 1s
		real-server = $(web_address web1) name=web1 weight=2
		real-server = $(web_address web2) name=web2

		[virtual-server plain]
		vip = $VIP2
		port = 80
		check-interval = 300ms
		real-server = $(web_address web3) name=web3

		[virtual-server unchecked]
		vip = $VIP3
		port = 80
		check = none
		real-server = $(web_address web4) name=web4
	END
}
lb_configure < <(static_config)
lb_start
fact static_servers_come_up wait_until 20 backends_up 4
fact their_source_is_static equal "$(backend_field source web1)" static
fact their_mac_is_resolved equal "$(backend_field mac web1)" "$(mac_of web1)"
equal_mac() {
	[[ $(backend_field mac "$1") == "$2" ]]
}
fact they_serve equal "$(answer_names "$VIP" 60)" "web1 web2 "
fact they_serve_ipv6_by_the_same_mac equal "$(answer_names "[$VIP6]" 60)" "web1 web2 "
fact a_server_without_tcp_check_serves equal "$(answer_names "$VIP2" 5)" "web3 "
fact check_none_serves equal "$(answer_names "$VIP3" 5)" "web4 "

# Somebody on the host of a configured server has a key of its own, for another name, and says that it is there, for a
# virtual server that takes agents; then it says nothing any more.
VIP4=198.51.100.13
lb_write_config < <(
	static_config
	printf '[virtual-server adopting]\nvip = %s\nport = 80\ncheck = agent\n' "$VIP4"
)
"$work/bin/dsr-lb" keygen other > "$work/other"
sed 's/$/ agent=other/' "$work/other" >> "$work/lb/keys"
must lb reload
agent_configure web2 < <(agent_default_config other)
sed -i "s|$work/other/key|$work/web2/key|; s|^vip = .*|vip = $VIP4|" "$work/web2/agent.conf"
install -m 600 -o "$AGENT_UID" -g "$AGENT_UID" "$work/other" "$work/web2/key"
agent_start web2
fact an_agent_with_another_name_is_refused_at_its_address wait_until 10 says \
	"$(web_address web2) is real-server web2; give the agent that name" agent web2 status
must daemon_stop web2 KILL
# Three heartbeats' time, and as long as a check takes to fail.
silent_since=$(now_ms)
been_silent() {
	(($(now_ms) - silent_since > 3000 * SLOW))
}
must wait_until 20 been_silent
fact it_stays_static equal "$(backend_field source web2)" static
fact it_stays_up equal "$(backend_field state web2)" up
fact none_of_20_is_lost equal "$(lost_of 20 "$VIP")" 0
fact it_never_was_down equal "$(grep -c 'backend web2: up ->' "$work/lb/log")" 0
lb_write_config < <(static_config)
must lb reload
fact reject_says_what_to_do_instead grep -q "dsr-lb disable web1" <<< "$(lb reject web1 2>&1)"

# The service dies, the host lives.
stop_pid "$nginx_pid_web1" KILL
for pid in $(ip netns pids "$(ns web1)"); do kill -KILL "$pid"; done
fact a_dead_service_is_found_by_the_tcp_check wait_until 20 backend_is web1 down
fact its_reason_names_the_check says 'tcp:80' backend_field reason web1
fact the_other_serves_alone equal "$(answer_names "$VIP" 20)" "web2 "
fact status_is_1_when_one_is_down exits 1 lb status
nginx_start web1
fact it_comes_back wait_until 30 backend_is web1 up

# The host dies: only ARP tells.
ip_on web3 link set eth0 down
fact a_dead_host_is_found_by_arp wait_until 60 not backend_is web3 up
fact status_is_2_without_service exits 2 lb status
fact ready_is_1_for_it exits 1 lb ready plain
fact ready_is_0_for_the_other exits 0 lb ready web
ip_on web3 link set eth0 up
default_routes web3 "$ROUTER" 2001:db8:2::1 2> /dev/null
fact it_comes_back_too wait_until 60 backend_is web3 up

# Another network card: its frames go there, and the log says since when.
old_mac=$(mac_of web3)
ip_on web3 link set eth0 address 02:00:00:00:99:03
fact a_new_mac_is_found wait_until 60 equal_mac web3 02:00:00:00:99:03
fact the_log_says_it_changed grep -q "backend web3: its MAC changed, $old_mac -> 02:00:00:00:99:03" "$work/lb/log"
must wait_until 60 backend_is web3 up

# Static servers change with the configuration, whole or not at all.
must wait_until 30 membership_is_quiet
published=$(lb_json .publications.count)
static_config | sed "s/web2$/web2 weight=7/" | lb_write_config
fact a_reload_changes_a_weight exits 0 lb reload
fact a_reload_is_one_publication equal "$(lb_json .publications.count)" "$((published + 1))"
fact the_weight_is_the_new_one equal "$(backend_field weight web2)" 7
static_config | sed "/name=web2/d" | lb_write_config
must lb reload
fact a_reload_removes_a_server equal "$(backend_field state web2)" null
static_config | sed "s/$(web_address web2) name=web2/10.99.0.1 name=far/" | lb_write_config
fact a_server_that_is_not_on_the_link_is_refused exits 78 lb reload
fact the_refusal_says_so says "^dsr-lb: $work/lb/lb.conf: real-server 10\.99\.0\.1 is not on .* link, .*; remove it" lb reload
static_config | sed "s/$(web_address web2) name=web2/$(web_address web2):8080 name=web2/" | lb_write_config
fact a_server_with_a_port_is_refused exits 78 lb reload
fact the_refusal_says_why says 'port' lb reload
fact web1_still_serves says web1 fetch /

# A balancer that has no descriptor left cannot make a check: that is no server's failure, and said once.
files_limit() {
	setpriv --reuid "$LB_UID" --regid "$LB_UID" --clear-groups prlimit --pid "${daemon_pid[lb]}" --nofile="$1:"
}
no_check_lines() {
	grep -c 'a check cannot be made: tcp:80: Too many open files' "$work/lb/log"
}
some_checks_later() {
	(($(no_check_lines) > 0 && $(now_ms) - began > 4000 * SLOW))
}
lines=$(grep -c 'backend web1: ' "$work/lb/log")
plenty=$(awk '/^Max open files/ { print $4 }' "/proc/${daemon_pid[lb]}/limits")
began=$(now_ms)
must files_limit 3
fact a_check_that_cannot_be_made_is_told wait_until 10 some_checks_later
must files_limit "$plenty"
fact it_is_told_once equal "$(no_check_lines)" 1
fact nothing_is_told_of_the_server equal "$(grep -c 'backend web1: ' "$work/lb/log")" "$lines"
fact the_server_is_up equal "$(backend_field state web1)" up
