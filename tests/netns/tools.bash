# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The programs of tests/harness/ in a scenario: started on a host, asked, ended. Sourced by
# topology.bash.

declare -A tool_pid=() tool_in=() tool_out=()

# tool_start NAME HOST PROGRAM [ARGUMENT…] : NAME is what the scenario calls it.
tool_start() {
	local name=$1 host=$2 program=$3 in out
	shift 3
	rm -f "$work/$name.in" "$work/$name.out"
	mkfifo "$work/$name.in" "$work/$name.out"
	# Opened for both directions, a FIFO waits for nobody and never ends.
	exec {in}<> "$work/$name.in" {out}<> "$work/$name.out"
	ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" nsenter --net="/run/netns/$DSR_TEST_RUN-$host" \
		"$BUILD/tests/harness/$program" "$@" \
		< "$work/$name.in" > "$work/$name.out" 2>> "$work/$name.err" {in}>&- {out}>&- &
	tool_pid[$name]=$!
	tool_in[$name]=$in
	tool_out[$name]=$out
	topology_pids+=("$!")
	disown "$!"
}

# tool_ask NAME [COMMAND] : its one line of answer.
tool_ask() {
	local line
	printf '%s\n' "${2:-report}" >&"${tool_in[$1]}"
	read -r -t "${3:-60}" line <&"${tool_out[$1]}" || {
		note "no answer from $1: $(tail -n 3 "$work/$1.err")" >&2
		return 1
	}
	printf '%s\n' "$line"
}

# tool_end NAME : ends it and prints its last line.
tool_end() {
	local line
	signal_pid "${tool_pid[$1]}" TERM
	read -r -t 20 line <&"${tool_out[$1]}" || {
		note "no last word from $1: $(tail -n 3 "$work/$1.err")" >&2
		return 1
	}
	wait_until 10 gone "${tool_pid[$1]}"
	printf '%s\n' "$line"
}

# word_write FILE NUMBER : as the eight bytes that a library of tests/harness/preload/ reads; it is never empty meanwhile.
word_write() {
	local idx byte bytes=''
	for ((idx = 0; idx < 64; idx += 8)); do
		printf -v byte '\\x%02x' $(($2 >> idx & 255))
		bytes+=$byte
	done
	printf '%b' "$bytes" 1<> "$1"
}

# connections_are NAME JQ-CONDITION : about its report.
connections_are() {
	[[ $(tool_ask "$1" | jq "$2") == true ]]
}

# servers_start PORT… : a named_server on every web server, at both VIPs.
servers_start() {
	local idx port name endpoints=()
	for port; do
		endpoints+=("$VIP:$port" "[$VIP6]:$port")
	done
	for ((idx = 1; idx <= topology_webs; idx++)); do
		name=web$idx
		tool_start "server-$name" "$name" named_server "$name" "${endpoints[@]}"
	done
}
