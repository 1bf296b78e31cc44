# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Memory that is not to be had: of a start and of a reload, of either daemon, one allocation after the other fails. A start
# that cannot go on says why, and not that the configuration is wrong; a reload that fails has changed nothing; nobody
# crashes or hangs, and who serves goes on serving. MEMORY_STEP=1 tries each allocation, the default every 31st.
. "$(dirname "$0")/../netns/topology.bash"

[[ -z $SAN ]] || skip "a sanitizer has its own malloc()"
step=${MEMORY_STEP:-31}
preload=$PWD/$BUILD/tests/harness/preload/no_memory.so
[[ $BUILD != /* ]] || preload=$BUILD/tests/harness/preload/no_memory.so

topology_up --webs 1
lb_configure < <(lb_default_config)
agent_configure web1 < <(agent_default_config web1)
chown -R 0:0 "$work/lb" "$work/web1"
countdown=$work/countdown
truncate -s 8 "$countdown"
countdown_set() {
	word_write "$countdown" "$1"
}
countdown_left() {
	od -An -td8 "$countdown"
}
plenty=$((1 << 40))

# launch lb|web1 : in the background, as `pid`.
launch() {
	local program=dsr-lb file=lb.conf
	[[ $1 == lb ]] || program=dsr-agent file=agent.conf
	rm -f "$work/$1/run/control.sock"
	: > "$work/$1/log"
	nsenter --net="/run/netns/$DSR_TEST_RUN-$1" env -u RUNTIME_DIRECTORY -u STATE_DIRECTORY \
		LD_PRELOAD="$preload" NO_MEMORY="$countdown" "$work/bin/$program" run --config "$work/$1/$file" \
		--runtime-dir "$work/$1/run" --state-dir "$work/$1/state" >> "$work/$1/log" 2>&1 < /dev/null &
	pid=$!
}
verb() {
	local program=dsr-lb
	[[ $1 == lb ]] || program=dsr-agent
	"$work/bin/$program" "$2" --runtime-dir "$work/$1/run" --state-dir "$work/$1/state" "${@:3}"
}
# A child of this shell, so that its number is nobody else's.
has_ended() {
	! kill -0 "$pid" 2> /dev/null
}
listens_or_ended() {
	[[ -S $work/$1/run/control.sock ]] || has_ended
}
# end : tells the process to stop, if it has not ended; `ended` is its status, or "hangs".
end() {
	local hangs=
	kill -TERM "$pid" 2> /dev/null
	wait_until 20 has_ended || {
		kill -KILL "$pid"
		hangs=hangs
	}
	wait "$pid" 2> /dev/null
	ended=${hangs:-$?}
}

# try_starts NAME : `odd` are those that did what none may.
try_starts() {
	local at total failed=0
	odd=()
	countdown_set "$plenty"
	launch "$1"
	must wait_until 20 listens_or_ended "$1"
	end
	total=$((plenty - $(countdown_left)))
	for ((at = 1; at <= total; at += step)); do
		countdown_set "$at"
		launch "$1"
		wait_until 20 listens_or_ended "$1" || odd+=("$at: neither serves nor ends")
		end
		case $ended in
		0) ;;
		1)
			failed=$((failed + 1))
			[[ -s $work/$1/log ]] || odd+=("$at: says nothing")
			;;
		*) odd+=("$at: $ended: $(tail -n 1 "$work/$1/log")") ;;
		esac
	done
	note "$total allocations from start to stop; of those tried $failed kept it from starting"
	((${#odd[@]} == 0)) || note "$(printf '%s\n' "${odd[@]}")"
}

# What the next reload of each brings, in turns, and what is to be seen of it.
next_configuration() {
	turn=$((1 - turn))
	if [[ $1 == lb ]]; then
		lb_default_config > "$work/lb/lb.conf"
		((turn == 0)) || printf '%s\n' '[virtual-server more]' "vip = $VIP2" >> "$work/lb/lb.conf"
	else
		agent_default_config web1 "$LB" "weight = $((1 + turn))" > "$work/web1/agent.conf"
	fi
}
seen() {
	if [[ $1 == lb ]]; then
		verb lb status --json | jq '.virtual_servers | length - 1'
	else
		verb web1 status --json | jq '.weight - 1'
	fi
}

# try_reloads NAME
try_reloads() {
	local at total status before failed=0
	turn=0
	odd=()
	countdown_set 0
	next_configuration "$1"
	launch "$1"
	must wait_until 20 listens_or_ended "$1"
	countdown_set "$plenty"
	next_configuration "$1"
	must verb "$1" reload
	total=$((plenty - $(countdown_left)))
	for ((at = 1; at <= total; at += step)); do
		before=$(seen "$1")
		next_configuration "$1"
		countdown_set "$at"
		status=0
		verb "$1" reload > "$work/said" 2>&1 || status=$?
		countdown_set 0
		! has_ended || {
			odd+=("$at: it died: $(tail -n 1 "$work/$1/log")")
			break
		}
		if ((status == 0)); then
			[[ $(seen "$1") == "$turn" ]] || odd+=("$at: it is not as the reload said")
		else
			failed=$((failed + 1))
			# 69: the answer was lost, and what there is to say stands in the log.
			[[ $(seen "$1") == "$before" || ($status == 69 && $(seen "$1") == "$turn") ]] ||
				odd+=("$at: $status, but something has changed: $(tail -n 1 "$work/said")")
			[[ -s $work/said ]] || odd+=("$at: $status, and says nothing")
		fi
	done
	note "$total allocations of a reload; of those tried $failed made it fail"
	((${#odd[@]} == 0)) || note "$(printf '%s\n' "${odd[@]}")"
}
nothing_odd() {
	((${#odd[@]} == 0))
}

for name in lb web1; do
	try_starts "$name"
	fact "a_start_of_${name}_ends_well_or_says_why" nothing_odd
	try_reloads "$name"
	fact "a_reload_of_${name}_is_whole_or_changes_nothing" nothing_odd
	[[ $name != lb ]] || lb_pid=$pid
done
fact a_server_still_registers wait_until 30 backend_is web1 up
fact and_serves says '^web1$' fetch /
end
fact the_agent_ends_well equal "$ended" 0
pid=$lb_pid
end
fact the_balancer_ends_well equal "$ended" 0
