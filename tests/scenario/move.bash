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

transfers_start
open=$(established)
must at_least "$open" 1
ip -n "$(ns web1)" link set eth0 address 02:00:00:00:01:99
fact a_new_card_is_believed_within_seconds wait_until 10 is_at mac 02:00:00:00:01:99
fact it_never_was_down equal "$(falls)" 0
fact its_connections_stay equal "$(established)" "$open"
