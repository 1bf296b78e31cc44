# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# An agent of 1,024 VIPs, IPv4 and IPv6, that registers in parts: the first and the last are served, one that is taken
# away is named and put back, and one more is refused with its line. With FORMER_LB=/path/of/dsr-lb and
# FORMER_AGENT=/path/of/dsr-agent of a build that knew no such registration: both find each other as before, and
# an agent of too many VIPs says which balancer is too old.
. "$(dirname "$0")/../netns/topology.bash"

VIPS=1024
GROUP=64 # of one virtual server

# vip N : from 0 on, the even ones of IPv4.
vip() {
	if (($1 % 2)); then
		printf '2001:db8:e::%x' $(($1 / 2 + 1))
	else
		printf '198.18.%d.%d' $((($1 / 2 + 1) >> 8)) $((($1 / 2 + 1) & 255))
	fi
}

# vips FROM TO : a list.
vips() {
	local idx
	for ((idx = $1; idx < $2; idx++)); do
		printf '%s%s' "${comma:-}" "$(vip "$idx")"
		local comma=', '
	done
}

# agent_config N [MORE] : with the first N VIPs, one a line; the file has 4 lines before them.
agent_config() {
	local idx
	printf '[agent]\nbalancer = %s\nkey-file = %s\nname = web1\n' "$LB" "$work/web1/key"
	for ((idx = 0; idx < $1; idx++)); do
		printf 'vip = %s\n' "$(vip "$idx")"
	done
}

rss_kib() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/${daemon_pid[$1]}/status"
}

# What its agent says of the balancer.
balancer_reason() {
	agent web1 status --json | jq -r '.balancers[0].reason'
}

present() {
	agent web1 status --json | jq '[.vips[] | select(.present)] | length'
}

on_lo() {
	ip_on web1 -o address show dev lo to "$1" | grep -q .
}

up_everywhere() {
	[[ $(lb_json '[.virtual_servers[].backends[] | select(.state == "up" and .share == 1)] | length') == $((VIPS / GROUP)) ]]
}

# answers N : the server, at that VIP, to the client.
answers() {
	local host
	host=$(vip "$1")
	[[ $host != *:* ]] || host="[$host]"
	equal "$(on client curl -sS --max-time 10 "http://$host/")" web1
}

topology_up --webs 1
ip_on router route add 198.18.0.0/16 dev eth0
ip_on router route add 2001:db8:e::/64 dev eth0
lb_configure < <(
	printf '[balancer]\ninterface = eth0\nkey-file = %s\n' "$work/lb/keys"
	for ((first = 0; first < VIPS; first += GROUP)); do
		printf '[virtual-server v%d]\nvip = %s\nport = 80\n' "$first" "$(vips "$first" $((first + GROUP)))"
	done
)
agent_configure web1 < <(agent_config $((VIPS + 1)))
fact one_more_is_refused_by_its_line says "agent.conf:$((4 + VIPS + 1)): vip: more than 1024 addresses" \
	agent web1 check-config --config "$work/web1/agent.conf"
fact as_a_configuration exits 78 agent web1 check-config --config "$work/web1/agent.conf"
sed -i '$d' "$work/web1/agent.conf"
fact so_many_are_taken exits 0 agent web1 check-config --config "$work/web1/agent.conf"

lb_start
note "a balancer without backends: $(rss_kib lb) KiB"
began=$(now_ms)
agent_start web1
registered() {
	[[ $(agent web1 status --json | jq -r '.balancers[0].state') == up ]]
}
fact an_agent_of_so_many_registers wait_until 20 registered
note "registered after $(($(now_ms) - began)) ms; $(rss_kib web1) KiB"
fact within_a_sensible_time at_most $(($(now_ms) - began)) $((5000 * SLOW))
fact every_vip_is_there equal "$(present)" "$VIPS"
fact it_is_up_in_all_its_virtual_servers wait_until 30 up_everywhere
note "up everywhere after $(($(now_ms) - began)) ms; balancer: $(rss_kib lb) KiB"
fact the_first_vip_is_answered answers 0
fact the_last_vip_is_answered answers $((VIPS - 1))
fact one_in_the_middle_is_answered answers 500
fact nothing_was_refused equal "$(lb_json '.control.rejected | to_entries | map(select(.value > 0 and .key != "parts")) | length')" 0

# Among so many the one that goes is known at once.
lost=$(vip 777)
must ip_on web1 address del "$lost/128" dev lo
fact one_that_is_taken_away_is_put_back wait_until 10 on_lo "$lost"
fact and_named wait_until 5 grep -q "VIP $lost added (deleted by others)" "$work/web1/log"
fact it_stays_up backend_is web1 up
heartbeats=$(lb_json .control.accepted)
cpu_before=$(awk '{ print $14 + $15 }' "/proc/${daemon_pid[web1]}/stat")
lb_before=$(awk '{ print $14 + $15 }' "/proc/${daemon_pid[lb]}/stat")
more_heard() {
	(($(lb_json .control.accepted) > heartbeats + 20))
}
must wait_until 30 more_heard
note "20 heartbeats: agent $(($(awk '{ print $14 + $15 }' "/proc/${daemon_pid[web1]}/stat") - cpu_before)) ticks," \
	"balancer $(($(awk '{ print $14 + $15 }' "/proc/${daemon_pid[lb]}/stat") - lb_before)) ticks"

# What lasts is told: an address elsewhere, which nobody but the administrator can mend.
must ip_on web1 address add "$lost/128" dev eth0 nodad
fact one_that_leaks_is_named wait_until 10 says "VIP $lost is on eth0" backend_field reason web1
must ip_on web1 address del "$lost/128" dev eth0
fact and_then_it_serves_again wait_until 30 backend_is web1 up

# Killed, both come back as they were; the balancer has kept its session.
daemon_stop lb KILL
lb_start
fact a_killed_balancer_has_it_still wait_until 20 backend_is web1 up
fact and_forwards answers $((VIPS - 1))
daemon_stop web1 KILL
began=$(now_ms)
agent_start web1
fact a_killed_agent_comes_back wait_until 20 registered
note "again registered after $(($(now_ms) - began)) ms"
began=$(now_ms)
daemon_stop web1
note "stopped within $(($(now_ms) - began)) ms"
none_is_left() {
	[[ -z $(ip_on web1 -o address show dev lo to 198.18.0.0/16) && -z $(ip_on web1 -6 -o address show dev lo to 2001:db8:e::/64) ]]
}
fact whoever_stops_takes_all_away none_is_left

if [[ -n ${FORMER_AGENT:-} ]]; then
	install -m 755 "$FORMER_AGENT" "$work/bin/dsr-agent"
	agent_configure web1 < <(agent_config 40)
	agent_start web1
	fact a_former_agent_is_taken wait_until 20 backend_is web1 up
	fact and_serves_what_it_has answers 39
	daemon_stop web1
	install -m 755 "$BUILD/dsr-agent" "$work/bin/dsr-agent"
	agent_start web1
	fact its_upgrade_is_taken wait_until 20 backend_is web1 up
	daemon_stop web1
fi
if [[ -n ${FORMER_LB:-} ]]; then
	daemon_stop lb
	rm -f "$work"/lb/run/state* "$work"/lb/state/*
	install -m 755 "$FORMER_LB" "$work/bin/dsr-lb"
	lb_start
	agent_configure web1 < <(agent_config 41)
	agent_start web1
	too_old="$LB speaks version [0-9]+ of the protocol, which has no more than 40 VIPs, and this agent has 41"
	fact who_has_too_many_says_that_a_former_balancer_is_too_old wait_until 20 says "$too_old" balancer_reason
	fact and_is_not_there equal "$(backend_field state web1)" null
	agent_configure web1 < <(agent_config 40)
	must agent web1 reload
	fact so_many_are_served_by_it wait_until 20 backend_is web1 up
	fact as_clients_see answers 39
	agent_configure web1 < <(agent_config 41)
	must agent web1 reload
	fact too_many_are_told_again wait_until 20 says "$too_old" balancer_reason
	daemon_stop lb
	install -m 755 "$BUILD/dsr-lb" "$work/bin/dsr-lb"
	lb_start
	fact when_the_balancer_is_upgraded_it_registers wait_until 20 registered
	fact and_all_are_served wait_until 20 answers 40
	daemon_stop web1
fi
