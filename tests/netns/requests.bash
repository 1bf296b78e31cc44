# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# HTTP load by curl on the servers' nginx, a connection each request, and what the servers' kernels have of it. Sourced after
# topology.bash.

requests_pids=()

# requests_start PARALLEL URL… : in the background, so many at a time; URLs are curl's, with [1-100] in them.
requests_start() {
	local parallel=$1 url urls=()
	shift
	for url; do
		urls+=(-o /dev/null "$url")
	done
	start_on client "$work/requests" stdbuf -oL curl -sS --no-progress-meter -Z --parallel-immediate --parallel-max "$parallel" \
		-H 'Connection: close' --max-time 120 -w '%{http_code}\n' "${urls[@]}"
	requests_pids+=("$started")
}

# Each of them has got its last answer.
requests_have_ended() {
	local pid
	for pid in "${requests_pids[@]}"; do
		gone "$pid" || return 1
	done
}

requests_stop() {
	local pid
	for pid in "${requests_pids[@]}"; do
		must stop_pid "$pid"
	done
}

# Nothing but 200 was answered.
requests_are_well() {
	equal "$(sort "$work/requests" | uniq -c | grep -v ' 200$' | head -n 5)" ""
}

# open_on SERVER : the connections of clients, as its kernel has them.
open_on() {
	on "$1" ss -Htn state established "sport = :80" | wc -l
}

# kernel_watch SERVER : from now on, fifty times a second, the time in µs, how many connections its kernel has, and how many have
# begun (RFC 4022: tcpCurrEstab, tcpPassiveOpens); nobody but clients has any there.
kernel_watch() {
	start_on "$1" "$work/$1.watch.log" bash -c '
		exec {never}<> <(:)
		while :; do
			while read -ra words; do
				[[ ${words[0]} != Tcp: ]] || tcp=("${words[@]}")
			done < /proc/net/snmp
			printf "%s %s %s\n" "${EPOCHREALTIME/[.,]/}" "${tcp[9]}" "${tcp[6]}"
			read -rt 0.02 -u "$never"
		done >> "$1"' watch "$work/$1.watch"
}

# kernel_peak SERVER : the most that it had at once.
kernel_peak() {
	awk '$2 > peak { peak = $2 } END { print peak + 0 }' "$work/$1.watch"
}

# kernel_begun_within SERVER MS : the most that began in any time so long.
kernel_begun_within() {
	awk -v window_us="$(($2 * 1000))" '
		{ time[NR] = $1; begun[NR] = $3 }
		END {
			from = 1
			for (at = 1; at <= NR; at++) {
				while (from < at && time[from + 1] <= time[at] - window_us)
					from++
				if (begun[at] - begun[from] > most)
					most = begun[at] - begun[from]
			}
			print most + 0
		}' "$work/$1.watch"
}

# kernel_begun_full SERVER CEILING MS : how many began when it had had so many for all of that time; and how long that was, in ms.
kernel_begun_full() {
	awk -v ceiling="$2" -v window_us="$(($3 * 1000))" '
		full && last - full >= window_us { late += $3 - begun; long_us += $1 - last }
		{ last = $1; begun = $3; if ($2 < ceiling) full = 0; else if (!full) full = $1 }
		END { print late + 0, int(long_us / 1000) }' "$work/$1.watch"
}

# kernel_at SERVER TIME_US : at the first look from then on: how many it had, and how many had begun.
kernel_at() {
	awk -v time_us="$2" '$1 >= time_us { print $2, $3; exit }' "$work/$1.watch"
}

# kernel_had_us SERVER : when it had any the last time.
kernel_had_us() {
	awk '$2 > 0 { had = $1 } END { print had + 0 }' "$work/$1.watch"
}
