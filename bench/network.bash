# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Where the systems of the benchmark stand, each in a namespace and on a veth pair of its own, all
# at the same time, so that their rounds can alternate:
#
#     gN  in the generator's namespace: generator and sink, CPU 0
#     lN  in the system's namespace: polled by a thread of the kernel's own, CPU 1
#
# Sourced by bench/run, which undoes everything by network_down, however the run ends.

GENERATOR_MAC=02:00:00:00:00:fe
FIRST_VIP=10.100.0.1
BACKENDS=10
MEASURED_CPU=1
# Below everything that measures, above everything that does not.
NICE=-15

network_hosts=()
network_pids=()
network_count=0
declare -A system_port=() system_inner=() system_pids=() system_why=() system_rate=()

host() {
	printf '%s-%s' "$run" "$1"
}

# on HOST COMMAND…
on() {
	local name=$1
	shift
	ip netns exec "$(host "$name")" "$@"
}

host_add() {
	ip netns add "$(host "$1")" || return
	network_hosts+=("$1")
	ip -n "$(host "$1")" link set lo up
	on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
}

backend_mac() {
	printf '02:00:00:00:02:%02x' "$1"
}

backend_address() {
	printf '10.0.0.%d' "$((10 + $1))"
}

inner_mac() {
	printf '02:00:00:00:01:%02x' "${system_port[$1]#g}"
}

# pair_add NAME : the system's namespace and its pair.
pair_add() {
	local name=$1 outer inner idx
	network_count=$((network_count + 1))
	outer=g$network_count inner=l$network_count
	system_port[$name]=$outer system_inner[$name]=$inner
	host_add "$name"
	ip link add "$outer" netns "$(host generator)" address "$GENERATOR_MAC" type veth \
		peer name "$inner" netns "$(host "$name")" address "$(inner_mac "$name")"
	# GRO is what makes veth poll without an XDP program.
	on generator ethtool -K "$outer" gro on
	on "$name" ethtool -K "$inner" gro on
	ip -n "$(host generator)" link set "$outer" up
	ip -n "$(host "$name")" link set "$inner" up
	ip -n "$(host "$name")" address add 10.0.0.1/24 dev "$inner"
	for ((idx = 1; idx <= BACKENDS; idx++)); do
		ip -n "$(host "$name")" neighbour replace "$(backend_address "$idx")" \
			lladdr "$(backend_mac "$idx")" dev "$inner" nud permanent
	done
}

# In a session of its own and before others there: where the scheduler groups by session (autogroup),
# a process's own niceness counts within the session alone.
favoured=(setsid sh -c "echo $NICE > /proc/self/autogroup; exec nice -n $NICE \"\$@\"" sh)

# start_on NAME LOG COMMAND… : on the measured CPU, in the background; the process id is in $started.
start_on() {
	local name=$1 log=$2
	shift 2
	"${favoured[@]}" taskset -c "$MEASURED_CPU" nsenter --net="/run/netns/$(host "$name")" \
		"$@" > "$log" 2>&1 < /dev/null &
	started=$!
	network_pids+=("$started")
	disown "$started"
}

gone() {
	! kill -0 "$1" 2> /dev/null
}

# wait_until SECONDS COMMAND…
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		((SECONDS <= end)) || return 1
		sleep 0.05
	done
}

# The kernel's thread that polls an interface is napi/INTERFACE-ID.
poller_of() {
	local file comm
	for file in /proc/[0-9]*/comm; do
		read -r comm < "$file" || continue
		[[ $comm != "napi/$1-"* ]] || printf '%s\n' "${file//[!0-9]/}"
	done 2> /dev/null
}

# pin_poller NAME INTERFACE CPU : polling by a thread, and the thread there; prints its ids.
pin_poller() {
	local pid pids
	on "$1" sh -c "echo 1 > /sys/class/net/$2/threaded" || return
	wait_until 5 has_poller "$2" || return
	pids=$(poller_of "$2")
	for pid in $pids; do
		taskset -cp "$3" "$pid" > /dev/null && renice -n "$NICE" -p "$pid" > /dev/null || return
	done
	printf '%s' "${pids//$'\n'/,}"
}

has_poller() {
	[[ -n $(poller_of "$1") ]]
}

# With it a thread's time is without the softirqs that run on top of it: the sink's, for one.
irq_time() {
	local config
	config=$(zcat /proc/config.gz 2> /dev/null || cat "/boot/config-$(uname -r)" 2> /dev/null)
	case $config in
	*CONFIG_IRQ_TIME_ACCOUNTING=y*) echo true ;;
	'') echo null ;;
	*) echo false ;;
	esac
}

network_up() {
	host_add generator
}

# Ends what was started, and its namespaces, but the generator's.
network_clear() {
	local pid name
	for pid in "${network_pids[@]}"; do
		kill "$pid" 2> /dev/null
	done
	for pid in "${network_pids[@]}"; do
		wait_until 10 gone "$pid" || kill -KILL "$pid" 2> /dev/null
	done
	for name in "${network_hosts[@]}"; do
		[[ $name == generator ]] || ip netns del "$(host "$name")"
	done
	network_pids=() network_hosts=(generator)
	system_port=() system_inner=() system_pids=() system_why=() system_rate=()
}

network_down() {
	network_clear
	ip netns del "$(host generator)" 2> /dev/null
}
