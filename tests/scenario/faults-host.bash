# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Bad days of a host, one by one, under load: the kernel kills either daemon for memory, no descriptor is left, netlink
# drops events, the clock is set, nobody reads the log, bpf(2) is forbidden. Each row says what was lost.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/load.bash"

topology_up --webs 3 --no-nginx
servers_start 80

# The wall clock of the daemons alone.
clock=$work/clock
truncate -s 8 "$clock"
chmod 644 "$clock"
clock_so=$(realpath "$BUILD/tests/harness/preload/wall_clock.so")
# clock_set SECONDS : forward, or back.
clock_set() {
	word_write "$clock" "$1"
}
with_clock() {
	if [[ -n $SAN ]]; then
		"$@"
	else
		LD_PRELOAD=$clock_so WALL_CLOCK=$clock "$@"
	fi
}
with_clock lb_and_agents_start
must wait_until 30 membership_is_quiet
load_start

# ---- the clock ----

last_event() {
	lb events --json | tail -n 1 | jq -r .time
}
ages_are_sane() {
	[[ $(lb_json '[.uptime_s, .virtual_servers[].backends[].since_s] | all(. >= 0 and . < 3600)') == true ]]
}
clock_jumps() {
	local offset
	for offset in 3600 -3600 315360000 -1000000000 0; do
		clock_set "$offset"
		for_seconds 1 ages_are_sane || return
	done
	wait_until 5 backends_up 3
}
before=$(falls)
if [[ -n $SAN ]]; then
	skip_fact the_clock_is_set "a sanitizer wants to be preloaded first"
else
	fault the_clock_is_set 0 0 clock_jumps
	fact nobody_fails_for_the_clock equal "$(falls)" "$before"
	clock_set 315360000
	must lb disable web3
	fact an_event_bears_the_wall_clock says "^$(date -u -d '+10 years' +%Y)-" last_event
	clock_set 0
	must lb enable web3
	must wait_until 10 backends_up 3
	load_again
fi

# ---- memory ----

# memory_group SIZE : a memory cgroup as $group, or the reason why not.
memory_group() {
	local parent
	for parent in /sys/fs/cgroup/memory /sys/fs/cgroup; do
		group=$parent/$DSR_TEST_RUN
		mkdir "$group" 2> /dev/null || continue
		echo "$1" > "$group/memory.limit_in_bytes" 2> /dev/null && return
		echo "$1" > "$group/memory.max" 2> /dev/null && return
		rmdir "$group"
	done
	group=
	return 1
}
# The status of the scenario goes on to topology_down.
groups_end() {
	local status=$?
	[[ ! -d ${group:-} ]] || rmdir "$group"
	return "$status"
}
trap 'groups_end; topology_down' EXIT

# out_of_memory NAME COMMAND… : the kernel kills it for memory, while the commands make it want more. What it had before counts
# nowhere, so it takes a while; where there is no such cgroup it is killed by us, which is the same to it.
out_of_memory() {
	local pid=${daemon_pid[$1]} begin
	if ! memory_group 256K; then
		note "no memory cgroup here: killed by hand"
		signal_pid "$pid" KILL
	else
		echo "$pid" > "$group/cgroup.procs"
		begin=$(now_ms)
		while ! gone "$pid" && (($(now_ms) - begin < 8000)); do
			"${@:2}" > /dev/null 2>&1
		done
		if gone "$pid"; then
			note "the kernel killed $1 for memory: $(awk '/^oom_kill / { print $2 }' "$group/memory.oom_control" "$group/memory.events" 2> /dev/null)"
		else
			note "$1 wanted too little memory to be killed for: killed by hand"
			signal_pid "$pid" KILL
		fi
	fi
	wait_until 10 gone "$pid" && groups_end
}
# As systemd does after RestartSec=200ms of the units.
unit_pauses() {
	sleep_ms 200
}
wants_memory_lb() {
	turn=$((${turn:-0} + 1))
	{
		lb_default_config
		for ((idx = 0; idx < 60; idx++)); do
			printf '[virtual-server v%d]\nvip = %s\nport = %d\n' "$idx" "$VIP2" $((1000 + turn % 2 * 100 + idx))
		done
	} | lb_write_config
	timeout 5 "$work/bin/dsr-lb" reload --runtime-dir "$work/lb/run"
}
balancer_is_killed_for_memory() {
	out_of_memory lb wants_memory_lb || return
	lb_default_config | lb_write_config
	unit_pauses
	with_clock lb_start
	wait_until 10 backends_up 3
}
before=$(falls)
fault the_kernel_kills_the_balancer_for_memory 0 0 balancer_is_killed_for_memory
fact nobody_falls_when_the_balancer_is_killed equal "$(falls)" "$before"

wants_memory_agent() {
	local line
	turn=$((${turn:-0} + 1))
	line=$(for ((idx = 0; idx < 36; idx++)); do printf '198.51.100.%d, ' $((100 + turn % 2 * 40 + idx)); done)
	agent_default_config web1 | sed "s/^vip = /&$line/" > "$work/web1/agent.conf"
	timeout 5 "$work/bin/dsr-agent" reload --runtime-dir "$work/web1/run"
}
agent_is_killed_for_memory() {
	out_of_memory web1 wants_memory_agent || return
	agent_default_config web1 > "$work/web1/agent.conf"
	unit_pauses
	with_clock agent_start web1
	wait_until 10 agent_is web1 up && wait_until 10 backends_up 3
}
# An agent is silent here for as long as the kernel looks for memory, a shell starts it anew, or its socket is filled: that this
# takes less than the default's 900 ms no machine promises. That one which ends at once is back within them, `packages` shows.
# out_after HEARTBEATS : from now on, so many in a row without an answer.
out_after() {
	lb_default_config | sed "/^\[balancer\]/a heartbeat-fall = $1" | lb_write_config
	lb reload
}
must out_after 10
before=$(falls)
fault the_kernel_kills_an_agent_for_memory 0 0 agent_is_killed_for_memory
fact its_server_stays_up equal "$(falls)" "$before"
must out_after 3

# ---- descriptors ----

# next_file PID : the descriptor that it would get next.
next_file() {
	local fd=0
	while [[ -L /proc/$1/fd/$fd ]]; do
		fd=$((fd + 1))
	done
	printf '%d' "$fd"
}
# files_limit PID NUMBER : by its own user, for root's word may not be enough in a container.
files_limit() {
	local uid
	uid=$(awk '/^Uid:/ { print $2 }' "/proc/$1/status")
	setpriv --reuid "$uid" --regid "$uid" --clear-groups prlimit --pid "$1" --nofile="$2:"
}
plenty=$(awk '/^Max open files/ { print $4 }' "/proc/${daemon_pid[lb]}/limits")
served_names() {
	lb_json '[.virtual_servers[].name] | sort | join(" ")'
}
# Four descriptors more at each try, until a reload has enough: it is whole or nothing, and nobody stops serving.
no_descriptors_balancer() {
	local pid=${daemon_pid[lb]} left wanted names=web status enough=0 odd=0
	for ((left = 0; left < 300 && enough < 3; left += 4)); do
		{
			lb_default_config
			printf '[virtual-server more%d]\nvip = %s\nport = 99\n' "$left" "$VIP2"
		} | lb_write_config
		files_limit "$pid" $(($(next_file "$pid") + left))
		status=0
		timeout 0.5 "$work/bin/dsr-lb" reload --runtime-dir "$work/lb/run" > "$work/said" 2>&1 || status=$?
		files_limit "$pid" "$plenty"
		wait_until 5 lb_answers lb || return
		# Who gave up waiting was not answered: then it may have been done, or be done now.
		wanted=$names
		((status != 0 && status != 124)) || wanted="more$left web"
		names=$(served_names)
		[[ $names == "$wanted" || $status == 124 ]] || {
			odd=$((odd + 1))
			note "with $left more descriptors, status $status: $names instead of $wanted: $(tail -n 1 "$work/said")"
		}
		((status != 0)) || enough=$((enough + 1))
	done
	note "a reload wanted no more than $((left - 4 * enough)) descriptors more"
	equal "$enough $odd" "3 0" && wait_until 5 backends_up 3
}
fault no_descriptor_is_left_to_the_balancer 0 0 no_descriptors_balancer

# A connection waits that cannot be accepted: no reason to go round in circles. An agent
# goes by what it saw last for some seconds (RECONCILE_LACK_US).
waits_quietly() {
	local pid=$1 cpu
	files_limit "$pid" 1
	"${@:2}" > /dev/null 2>&1 &
	cpu=$(cpu_ms "$pid")
	sleep 2
	cpu=$(($(cpu_ms "$pid") - cpu))
	files_limit "$pid" "$plenty"
	wait $!
	note "in two seconds without a descriptor it used $cpu ms"
	at_most "$cpu" 300
}
fact the_balancer_waits_quietly_for_a_descriptor waits_quietly "${daemon_pid[lb]}" timeout 5 "$work/bin/dsr-lb" status --runtime-dir "$work/lb/run"
no_descriptors_agent() {
	waits_quietly "${daemon_pid[web1]}" timeout 5 "$work/bin/dsr-agent" status --runtime-dir "$work/web1/run" &&
		wait_until 5 agent_is web1 up && backends_up 3
}
before=$(falls)
fault no_descriptor_is_left_to_an_agent 0 0 no_descriptors_agent
fact its_server_stays_up_without_descriptors equal "$(falls)" "$before"

# ---- netlink ----

netlink_drops() {
	on "$1" awk 'NR > 1 { n += $9 } END { print n + 0 }' /proc/net/netlink
}
# More events than a socket's queue takes, in a moment in which the daemon does not read.
drown() {
	local idx
	for ((idx = 0; idx < 2000; idx++)); do
		printf 'address add 127.9.%d.%d/32 dev lo\n' $((idx >> 8)) $((idx & 255))
	done > "$work/drown"
	sed 's/ add / del /' "$work/drown" > "$work/undrown"
	ip_on "$1" -force -batch "$work/drown" > /dev/null 2>&1
	ip_on "$1" -force -batch "$work/undrown" > /dev/null 2>&1
}
has_vip() {
	[[ -n $(ip_on web1 address show dev lo to "$VIP") ]]
}
agent_loses_events() {
	local drops
	drops=$(netlink_drops web1)
	signal_pid "${daemon_pid[web1]}" STOP
	drown web1
	ip_on web1 address del "$VIP/32" dev lo
	signal_pid "${daemon_pid[web1]}" CONT
	drops=$(($(netlink_drops web1) - drops))
	note "its queue dropped $drops events"
	wait_until 5 has_vip && at_least "$drops" 1 && wait_until 10 backends_up 3
}
must out_after 10
fault an_agents_netlink_drops_events 0 0 agent_loses_events
must out_after 3

lb_mac() {
	ip_on lb link set eth0 address "$1"
}
new_flow_is_served() {
	tool_start one client new_flows "$VIP:80" 50
	sleep_ms 500
	[[ $(tool_end one | jq '.connected > 0 and .refused + .silent == 0') == true ]]
}
balancer_loses_events() {
	local drops old
	old=$(mac_of lb)
	drops=$(netlink_drops lb)
	signal_pid "${daemon_pid[lb]}" STOP
	drown lb
	lb_mac 02:00:00:00:99:99
	signal_pid "${daemon_pid[lb]}" CONT
	drops=$(($(netlink_drops lb) - drops))
	note "its queue dropped $drops events"
	# The new one is announced, and served.
	wait_until 5 new_flow_is_served && at_least "$drops" 1 && lb_mac "$old" && wait_until 5 new_flow_is_served && wait_until 10 backends_up 3
}
# What comes before the new MAC is announced.
fault the_balancers_netlink_drops_events 0 "$LOAD_HZ" balancer_loses_events

# ---- the log ----

# Who reads the log does so no more: the pipe is full, and whatever happens is said to nobody. Then the reader goes.
log_is_full() {
	local idx
	for ((idx = 0; idx < 20; idx++)); do
		timeout 5 "$work/bin/dsr-lb" weight web1 $((idx + 2)) --runtime-dir "$work/lb/run" > /dev/null || return
		timeout 5 "$work/bin/dsr-lb" reload --runtime-dir "$work/lb/run" > /dev/null || return
	done
	timeout 5 "$work/bin/dsr-lb" weight web1 configured --runtime-dir "$work/lb/run" > /dev/null && wait_until 10 backends_up 3
}
mkfifo "$work/nobody"
chmod 666 "$work/nobody"
exec {nobody}<> "$work/nobody"
daemon_stop lb
mv "$work/lb/log" "$work/lb/log.before"
ln -s "$work/nobody" "$work/lb/log"
lb_start
rm "$work/lb/log"
mv "$work/lb/log.before" "$work/lb/log"
must wait_until 10 backends_up 3
timeout 1 sh -c 'cat /dev/zero > "$1"' sh "$work/nobody"
fault nobody_reads_the_log 0 0 log_is_full
exec {nobody}<&-
fault the_reader_of_the_log_has_gone 0 0 log_is_full

# ---- bpf(2) ----

# Neither maps nor programs may be made: what is configured as `auto` serves by raw sockets and says why; who asks for a program
# is told. What the former run left in the kernel goes on meanwhile.
must daemon_stop lb
saved_capabilities=$LB_CAPABILITIES
LB_CAPABILITIES=+net_raw,+net_admin
sed -i '/^mode = /d' "$work/lb/lb.conf"
bpf_is_forbidden() {
	lb_launch
	wait_until 10 lb_answers lb && lb_mode_is packet && wait_until 10 backends_up 3 && wait_until 5 new_flow_is_served
}
fault bpf_is_forbidden 0 0 bpf_is_forbidden
fact why_it_is_not_tc_is_said grep -iqE '(bpf|tc engine).*(permitted|CAP_BPF)' "$work/lb/log"
LB_CAPABILITIES=$saved_capabilities
