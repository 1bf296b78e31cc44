# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Flows outlive the daemon: 200 open transfers go on over SIGTERM and over kill -9 of the
# balancer; a broken configuration changes nothing when it is reloaded.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3
lb_and_agents_start

# Each connection still gets bytes: the client's sum grows by more than one could explain.
established_after() {
	local state
	state=$(on client ss -Htn state established dst "$VIP" | wc -l)
	equal "$state" 200
}

backends_since() {
	lb_json '[.virtual_servers[0].backends[] | .name + .state] | sort | join(" ")'
}

before=$(backends_since)
transfers_start
daemon_stop lb TERM
fact transfers_stay_open_while_the_daemon_is_away established_after
lb_start
fact a_stopped_daemon_comes_back_with_its_backends_up equal "$(backends_since)" "$before"
fact new_requests_are_served_at_once says '^web[123]$' fetch /
daemon_stop lb KILL
lb_start
fact a_killed_daemon_comes_back_with_its_backends_up equal "$(backends_since)" "$before"
fact new_requests_are_served_at_once_after_a_kill says '^web[123]$' fetch /

# It was away for so long that agents ask seldom by now: nobody waits for them to register anew, since
# heartbeats go on in the sessions that they know (doc/protocol.md).
agents_ask_seldom() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		[[ $(agent "web$idx" status --json |
			jq '.balancers[0] | .state != "registered" and .since_s >= 6') == true ]] || return
	done
}
# falls : of backends that were up, by the daemon that runs now.
falls() {
	awk '/^-- start at/ { n = 0 } /backend .*: up -> / { n++ } END { print n + 0 }' "$work/lb/log"
}
has_run_for() {
	[[ $(lb_json ".uptime_s >= $1") == true ]]
}
answered_heartbeats() {
	lb_json '[.virtual_servers[0].backends[] | .state + ":" + (.heartbeats_missed <= 1 | tostring)] |
		unique | join(" ")'
}
daemon_stop lb KILL
must wait_until 30 agents_ask_seldom
lb_start
must wait_until 10 has_run_for 4
fact after_a_long_absence_nobody_falls equal "$(falls)" 0
fact and_all_have_answered_heartbeats equal "$(answered_heartbeats)" up:true

# A reload of what is broken: refused with file and line, and nothing is changed.
settled() {
	lb_json '{config_generation, vs: [.virtual_servers[] | {name, vip, ports, table_digest}]}' | jq -cS .
}
settled_before=$(settled)
good=$(cat "$work/lb/lb.conf")
printf '%s\n' "$good" "sheduler = maglev" > "$work/lb/lb.conf"
line=$(grep -n sheduler "$work/lb/lb.conf" | cut -d: -f1)
fact a_broken_reload_exits_78 exits 78 lb reload
fact a_broken_reload_names_file_and_line says "lb\\.conf:$line: .*scheduler" lb reload
fact a_broken_reload_changes_nothing equal "$(settled)" "$settled_before"
printf '%s\n' "$good" > "$work/lb/lb.conf"
fact a_mended_reload_succeeds exits 0 lb reload
fact requests_are_served_after_it says '^web[123]$' fetch /

must wait_until 120 gone "$transfers_pid"
fact none_of_200_transfers_is_broken transfers_are_whole

# What an administrator said of a backend that is away at a restart holds when it comes back.
is_listed() {
	[[ $(lb_json '[.virtual_servers[].backends[].name] | index("web1") != null') == "$1" ]]
}
must lb disable web1
daemon_stop web1 TERM
must wait_until 10 is_listed false
daemon_stop lb TERM
lb_start
agent_start web1
must wait_until 10 is_listed true
fact a_disabled_backend_that_left_is_disabled_after_a_restart equal "$(backend_field state web1)" maint
