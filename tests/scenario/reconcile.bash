# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The agent mends what others break: a VIP that is deleted, a setting that is changed (which the
# kernel tells nobody), an interface that appears; and says so when only the administrator can.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2 --no-nginx
servers_start 80
lb_and_agents_start

has_vip() {
	[[ -n $(ip_on web1 address show dev lo to "$1") ]]
}
arp_is() {
	equal "$(on web1 sysctl -n "net.ipv4.conf.$1.arp_ignore" "net.ipv4.conf.$1.arp_announce" | tr '\n' ' ')" "$2 "
}

agent_status() {
	local status=0
	agent "$1" status > /dev/null 2>&1 || status=$?
	printf '%s\n' "$status"
}

ip_on web1 address del "$VIP/32" dev lo
fact a_deleted_vip_is_put_back wait_until 5 has_vip "$VIP/32"
ip_on web1 address del "$VIP6/128" dev lo
fact a_deleted_ipv6_vip_is_put_back wait_until 5 has_vip "$VIP6/128"
on web1 sysctl -qw net.ipv4.conf.eth0.arp_ignore=0
fact a_changed_setting_is_mended wait_until 5 arp_is eth0 "1 2"
on web1 sysctl -qw net.ipv4.conf.eth0.arp_ignore=3
fact a_wrong_setting_is_mended wait_until 5 arp_is eth0 "1 2"

begin=$(now_ms)
ip_on web1 link add late0 type veth peer name late1
until [[ $(on web1 sysctl -n net.ipv4.conf.late0.arp_ignore) == 1 ]] || (($(now_ms) > begin + 2000)); do :; done
took=$(($(now_ms) - begin))
note "a new interface was silent after $took ms"
fact a_new_interface_is_silent_within_100_ms at_most "$took" 100
fact the_backend_is_up_through_all_of_it wait_until 10 backend_is web1 up

# Containers' interfaces that must answer ARP are left alone; the way to the balancer never is.
printf 'arp-exempt = cali*, eth*\n' >> "$work/web1/agent.conf"
must agent web1 reload
ip_on web1 link add cali0 type veth peer name late2
must wait_until 5 arp_is late2 "1 2"
fact an_exempt_interface_is_left_alone arp_is cali0 "0 0"
fact status_says_that_it_is_exempt equal \
	"$(agent web1 status --json | jq -c '[.arp[] | select(.exempt) | [.interface, .arp_ignore, .ok]]')" '[["cali0",0,true]]'
fact the_way_to_the_balancer_is_silent arp_is eth0 "1 2"
fact a_warning_says_so says 'arp-exempt names eth0' cat "$work/web1/log"
fact the_backend_with_exempt_interfaces_is_up backend_is web1 up
sed -i '/^arp-exempt/d' "$work/web1/agent.conf"
must agent web1 reload
fact without_the_key_it_is_silent wait_until 5 arp_is cali0 "1 2"

# `all` cannot be mended over netlink: the agent says so and is no longer used.
on web1 sysctl -qw net.ipv4.conf.all.arp_ignore=3
fact a_spoiled_all_takes_the_server_down wait_until 10 backend_is web1 down
fact its_reason_names_all says 'all' backend_field reason web1
fact the_vip_stays_on_lo has_vip "$VIP/32"
fact the_agents_status_is_2_or_1 says '^[12]$' agent_status web1
on web1 sysctl -qw net.ipv4.conf.all.arp_ignore=0
fact a_mended_all_brings_it_back wait_until 20 backend_is web1 up

# The VIP on another interface would be answered for.
ip_on web2 address add "$VIP/32" dev eth0
fact a_vip_on_another_interface_takes_the_server_down wait_until 10 backend_is web2 down
ip_on web2 address del "$VIP/32" dev eth0
fact without_it_the_server_comes_back wait_until 20 backend_is web2 up

# A balancer that forgets everything is told again.
daemon_stop lb KILL
lb_forget lb
lb_configure < <(lb_default_config)
lb_start
fact a_balancer_that_forgot_everything_is_told_again wait_until 20 backends_up 2
