# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a scenario says: facts as TAP lines, notes, skips; and waiting for something with a deadline.
# Sourced by topology.bash.

facts_number=0
facts_failed=0
# How many times slower than a usual one this machine is: an emulated one has patience.
SLOW=${SLOW:-1}

# fact NAME COMMAND… : one line of TAP; the scenario goes on either way.
fact() {
	local name=$1
	shift
	facts_number=$((facts_number + 1))
	if "$@"; then
		printf 'ok %d - %s\n' "$facts_number" "$name"
	else
		facts_failed=$((facts_failed + 1))
		printf 'not ok %d - %s\n' "$facts_number" "$name"
		note "failed at $(date +%T.%3N): $*"
	fi
}

note() {
	printf '# %s\n' "$*"
}

# must COMMAND… : what the facts stand on; the scenario ends when it fails.
must() {
	"$@" && return
	facts_failed=$((facts_failed + 1))
	printf 'not ok %d - %s\n' "$((++facts_number))" "set-up: $*"
	exit 1
}

# skip REASON : this machine cannot show the scenario's facts.
skip() {
	printf '1..0 # SKIP %s\n' "$*"
	exit 77
}

# skip_fact NAME REASON
skip_fact() {
	facts_number=$((facts_number + 1))
	printf 'ok %d - %s # SKIP %s\n' "$facts_number" "$1" "$2"
}

now_ms() {
	local now=${EPOCHREALTIME/[.,]/}
	printf '%s' "$((now / 1000))"
}

now_us() {
	printf '%s' "${EPOCHREALTIME/[.,]/}"
}

# wait_until SECONDS COMMAND… : asks until the command succeeds; says what did not come to pass. Less often
# the longer it takes: to ask costs time that others could use, and a sixteenth more is no other answer.
wait_until() {
	local begin=${EPOCHREALTIME/[.,]/} waited pause deadline_ms=$(($1 * 1000 * SLOW))
	shift
	until "$@" > /dev/null 2>&1; do
		waited=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
		if ((waited > deadline_ms)); then
			note "waited in vain for: $*"
			return 1
		fi
		pause=$((waited / 16))
		((pause > 20)) || pause=20
		((pause < 300)) || pause=300
		sleep_ms "$pause"
	done
}

# sleep_ms TIME : of less than a second, without a process: a descriptor that never has anything is read.
exec {facts_never}<> <(:)
sleep_ms() {
	local pause
	printf -v pause '0.%03d' "$1"
	read -rt "$pause" -u "$facts_never"
	return 0
}

equal() {
	[[ $1 == "$2" ]] || {
		note "is '$1', not '$2'"
		return 1
	}
}

# at_most IS LIMIT, at_least IS LIMIT : whole numbers.
at_most() {
	(($1 <= $2)) || {
		note "is $1, more than $2"
		return 1
	}
}

at_least() {
	(($1 >= $2)) || {
		note "is $1, less than $2"
		return 1
	}
}

# exits STATUS COMMAND…
exits() {
	local wanted=$1 status=0
	shift
	"$@" > /dev/null 2>&1 || status=$?
	equal "$status" "$wanted"
}

# says PATTERN COMMAND… : what it prints, on either stream, matches.
says() {
	local pattern=$1 output line
	shift
	output=$("$@" 2>&1 || true)
	while IFS= read -r line; do
		[[ ! $line =~ $pattern ]] || return 0
	done <<< "$output"
	note "no /$pattern/ in: $output"
	return 1
}

not() {
	! "$@"
}
