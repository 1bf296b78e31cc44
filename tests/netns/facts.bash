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
	local begin now pause deadline_ms=$(($1 * 1000 * SLOW))
	begin=$(now_ms)
	shift
	until "$@" > /dev/null 2>&1; do
		now=$(now_ms)
		if ((now - begin > deadline_ms)); then
			note "waited in vain for: $*"
			return 1
		fi
		pause=$(((now - begin) / 16))
		((pause > 20)) || pause=20
		((pause < 300)) || pause=300
		printf -v pause '0.%03d' "$pause"
		sleep "$pause"
	done
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
	local pattern=$1 output
	shift
	output=$("$@" 2>&1 || true)
	grep -qE -- "$pattern" <<< "$output" || {
		note "no /$pattern/ in: $output"
		return 1
	}
}

not() {
	! "$@"
}
