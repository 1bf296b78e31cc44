# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Who stands still under load: the balancer's daemon for half a minute, an agent for as long, and a whole real server,
# as of a virtual machine that is suspended. Each row says what was lost. STOP_S=30 is how long.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/load.bash"

STOP_S=${STOP_S:-30}
topology_up --webs 3 --no-nginx
servers_start 80
lb_and_agents_start
must wait_until 30 membership_is_quiet
load_start

# stopped NAME : the daemon, for that time.
stopped() {
	signal_pid "${daemon_pid[$1]}" STOP
	sleep "$STOP_S"
	signal_pid "${daemon_pid[$1]}" CONT
}
all_answer() {
	[[ $(lb_json '[.virtual_servers[0].backends[] | .state + (.heartbeats_missed | tostring)] | unique | join(" ")') == up0 ]]
}

# Programs in the kernel forward meanwhile; who is judged was not away.
balancer_stands_still() {
	stopped lb
	wait_until 5 all_answer
}
before=$(falls)
fault the_daemon_stands_still 0 0 balancer_stands_still
fact nobody_fails_for_the_daemons_absence equal "$(falls)" "$before"

# Its agent is the voice of a server: who says nothing is taken for dead, and its connections end. The others' stay.
agent_stands_still() {
	signal_pid "${daemon_pid[web1]}" STOP
	wait_until 5 backend_is web1 down
	sleep $((STOP_S - 1))
	signal_pid "${daemon_pid[web1]}" CONT
	wait_until 10 backends_up 3
}
its_own=$(load_of web1)
fault an_agent_stands_still "$its_own" 0 agent_stands_still
fact its_own_connections_alone_break equal "$(tool_ask held | jq -c '.broken_of | keys')" '["web1"]'
load_again

# Every process of the host, and its card: what a suspended machine is to others.
suspend() {
	local pid
	for pid in $(ip netns pids "$(ns "$1")"); do
		signal_pid "$pid" "$2"
	done
}
host_is_suspended() {
	suspend web2 STOP
	ip_on switch link set web2 down
	wait_until 5 backend_is web2 down
	sleep $((STOP_S / 3))
	ip_on switch link set web2 up
	suspend web2 CONT
	wait_until 10 backends_up 3
}
its_own=$(load_of web2)
# What came to it before it was found out: a third of LOAD_HZ in 900 ms, and what the machine adds.
fault an_agents_host_is_suspended "$its_own" $((LOAD_HZ / 3 * 13 / 10)) host_is_suspended
fact that_hosts_connections_alone_break equal "$(tool_ask held | jq -c '.broken_of | keys')" '["web2"]'
