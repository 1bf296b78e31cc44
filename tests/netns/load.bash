# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Load under which a fault happens, and what the fault cost: connections that were open, and new ones that came
# meanwhile at a steady rate. Sourced after topology.bash.

LOAD_CONNECTIONS=90
LOAD_HZ=200
# For how long a connection waits for an answer.
load_patience_s=10
# What the last fault cost; and of the time that it took, in ms, for how long it was itself the cause that nothing came through.
fault_broken=0 fault_lost=0 fault_own_ms=0

# load_start : connections that talk all the time; servers_start 80 came before.
load_start() {
	tool_start held client connections "$VIP:80" "$LOAD_CONNECTIONS" 200 "$load_patience_s"
	must wait_until 30 connections_are held ".open == $LOAD_CONNECTIONS"
}

# load_again : as many as before, when a fault has broken some.
load_again() {
	must stop_pid "${tool_pid[held]}"
	load_start
}

# load_of SERVER : how many of the open connections it has.
load_of() {
	tool_ask held | jq --arg server "$1" '.servers[$server] // 0'
}

# fault NAME BROKEN LOST COMMAND… : the fault and what mends it, as a fact; then that no more than so many connections broke
# and so many new ones were lost, from its begin until all is well again; what came in $fault_own_ms not counted.
fault() {
	local name=$1 broken_max=$2 lost_max=$3 broken summary
	shift 3
	broken=$(tool_ask held | jq .broken)
	tool_start stream client new_flows "$VIP:80" "$LOAD_HZ"
	fault_own_ms=0
	fact "$name" "$@"
	fault_broken=$(($(tool_ask held round | jq .broken) - broken))
	summary=$(tool_end stream)
	fault_lost=$(jq '.refused + .silent' <<< "$summary")
	note "$name: of $LOAD_CONNECTIONS open connections $fault_broken broke, of $(jq .opened <<< "$summary") new ones $fault_lost were lost"
	fact "${name}_breaks_no_more_than_$broken_max" at_most "$fault_broken" "$broken_max"
	fact "${name}_loses_no_more_than_$lost_max" at_most "$fault_lost" $((lost_max + LOAD_HZ * fault_own_ms / 1000))
}

# for_seconds N COMMAND… : it is so all the time.
for_seconds() {
	local begin
	begin=$(now_ms)
	while (($(now_ms) - begin < $1 * 1000)); do
		"${@:2}" || return
		sleep_ms 100
	done
}

# falls : how often a backend ceased to be up, by the daemon's log.
falls() {
	grep -c 'backend .*: up -> ' "$work/${1:-lb}/log" || true
}

# cpu_ms PID : what it has used.
cpu_ms() {
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 1000 / hz) }' "/proc/$1/stat"
}
