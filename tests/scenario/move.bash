# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A live server gets another network card, then another address: it is the same backend all the while,
# and none of its connections is lost.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3
lb_and_agents_start

established() {
	on client ss -Htn state established dst "$VIP" | wc -l
}
# falls : of backends that were up.
falls() {
	grep -c 'backend .*: up -> ' "$work/lb/log" || true
}
is_at() {
	equal "$(backend_field "$1" web1)" "$2" > /dev/null
}

# An address that goes takes no other of its subnet with it, as on hosts under systemd.
on web1 sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1
transfers_start
open=$(established)
must at_least "$open" 1
changed=$(now_ms)
ip_on web1 link set eth0 address 02:00:00:00:01:99
fact a_new_card_is_believed wait_until 10 is_at mac 02:00:00:00:01:99
elapsed=$(($(now_ms) - changed))
note "after $elapsed ms"
fact that_takes_a_second_at_most at_most "$elapsed" $((1000 * SLOW))
fact it_never_was_down equal "$(falls)" 0
fact its_connections_stay equal "$(established)" "$open"

# The new address comes before the old one goes.
NEW=192.0.2.111
ip_on web1 address add "$NEW/24" dev eth0
ip_on web1 address del 192.0.2.11/24 dev eth0
fact a_new_address_is_believed_within_seconds wait_until 10 is_at address "$NEW"
fact it_is_the_same_backend grep -q "backend web1: its address changed, 192.0.2.11 -> $NEW" "$work/lb/log"
fact there_are_as_many_as_before backends_up 3
fact it_was_not_down_meanwhile equal "$(falls)" 0
fact its_connections_stay_again equal "$(established)" "$open"
must wait_until 60 gone "$transfers_pid"
fact no_transfer_breaks transfers_are_whole
