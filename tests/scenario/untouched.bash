# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# An agent that stops leaves its host as it was before it ever ran: addresses, links and ARP
# settings, to the byte; and it never touches what others put there.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 1 --no-nginx
servers_start 80
# Unusual values, and kernels with wide ones, are put back at full width.
ip_on web1 link add dummy7 type dummy 2> /dev/null ||
	ip_on web1 link add dummy7 type veth peer name peer7
on web1 sysctl -qw net.ipv4.conf.dummy7.arp_ignore=8 net.ipv4.conf.dummy7.arp_announce=1
# Somebody else's address beside it, and a VIP that an administrator put there before.
ip_on web1 address add 198.51.100.99/32 dev lo
ip_on web1 address add "$VIP6/128" dev lo nodad
lb_start

look() {
	ip_on web1 address show | sed 's/valid_lft.*//'
	ip_on web1 link show
	on web1 sysctl net.ipv4.conf | grep -E '\.arp_(ignore|announce)'
	on web1 sysctl net.ipv6.conf
}
look > "$work/before"
agent_configure web1 < <(agent_default_config web1 "$LB" "drain-on-stop = 0")
changed() {
	! look | cmp -s - "$work/before"
}
as_before() {
	look > "$work/after"
	diff "$work/before" "$work/after"
}

agent_start web1
must wait_until 20 agent_is web1 up
fact it_does_change_the_host changed
fact a_label_shows_the_vip says 'lo:1' ip_on web1 address show dev lo
daemon_stop web1
fact a_stop_leaves_everything_as_before as_before
fact the_balancer_forgets_it equal "$(lb_json '[.virtual_servers[].backends[]] | length')" 0

# After a crash the remains stay, and the next start and stop undo them too.
agent_start web1
must wait_until 20 agent_is web1 up
daemon_stop web1 KILL
fact a_crash_leaves_the_vip_in_place says "$VIP/32" ip_on web1 address show dev lo
agent_start web1
must wait_until 20 agent_is web1 up
daemon_stop web1
fact a_stop_after_a_crash_leaves_everything_as_before as_before

# on-stop = keep leaves the VIP.
agent_configure web1 < <(agent_default_config web1 "$LB" $'drain-on-stop = 0\non-stop = keep')
agent_start web1
must wait_until 20 agent_is web1 up
daemon_stop web1
fact on_stop_keep_leaves_the_vip says "$VIP/32" ip_on web1 address show dev lo
agent_configure web1 < <(agent_default_config web1 "$LB" "drain-on-stop = 0")
agent_start web1
must wait_until 20 agent_is web1 up
daemon_stop web1
fact the_next_withdraw_undoes_it as_before
