# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A host of many agents, which tests/harness/agents.c plays, each at an address of its own. Sourced
# after topology.bash.

FARM_LB=10.77.0.1    # the balancer on the farm's subnet
FARM_FIRST=10.77.4.1 # the first agent
farm_direct=

# farm_address N : of agent N, from 1 on.
farm_address() {
	local number=$((4 * 256 + $1))
	printf '10.77.%d.%d' "$((number >> 8))" "$((number & 255))"
}

# farm_up COUNT [direct] : the host `farm` on the balancer's segment, or at the end of a cable to the
# balancer's eth1. The balancer knows the agents' MAC for good: a kernel keeps 1,024 learned
# neighbours in all its namespaces together (net.ipv4.neigh.default.gc_thresh3).
farm_up() {
	local count=$1 port=eth0 idx mac
	farm_direct=${2:-}
	add_host farm
	if [[ -n $farm_direct ]]; then
		port=eth1
		ip_on lb link add eth1 type veth peer name eth0 netns "$(ns farm)"
		ip_on lb link set eth1 up
		ip_on farm link set eth0 up
	else
		wire farm eth0 switch farm
	fi
	addresses lb "$port" "$FARM_LB/16"
	mac=$(mac_of farm)
	for ((idx = 1; idx <= count; idx++)); do
		printf 'address add %s/16 dev eth0\n' "$(farm_address "$idx")"
	done > "$work/farm.addresses"
	for ((idx = 1; idx <= count; idx++)); do
		printf 'neigh replace %s lladdr %s dev %s nud permanent\n' \
			"$(farm_address "$idx")" "$mac" "$port"
	done > "$work/farm.neighbours"
	ip_on farm -batch "$work/farm.addresses" || return
	ip_on lb -batch "$work/farm.neighbours"
}

# The balancer's own section.
farm_lb_config() {
	printf '[balancer]\ninterface = eth0\nkey-file = %s\n' "$work/lb/keys"
	[[ -z $farm_direct ]] || printf 'backend-interface = eth1\n'
}

# farm_all_but N : the prefixes that have every address of the farm's subnet but that of agent N.
farm_all_but() {
	local number=$((4 * 256 + $1)) bits
	for ((bits = 0; bits < 16; bits++)); do
		printf '%s10.77.%d.%d/%d' "${separator-}" "$(((number ^ 1 << bits) >> bits << bits >> 8))" \
			"$(((number ^ 1 << bits) >> bits << bits & 255))" "$((32 - bits))"
		local separator=', '
	done
}

# farm_pools POOLS : virtual servers at $VIP, from port 1000 on, each with all agents but another one;
# agent 1 is in all of them.
farm_pools() {
	local pool
	for ((pool = 0; pool < $1; pool++)); do
		printf '[virtual-server pool%d]\nvip = %s\nport = %d\ncheck = agent\nallow = %s\n' "$pool" "$VIP" \
			"$((1000 + pool))" "$(farm_all_but "$((pool + 2))")"
	done
}

# farm_start COUNT VIP… : all agents, at once.
farm_start() {
	local count=$1
	shift
	install -m 600 "$work/key" "$work/farm.key"
	tool_start farm farm agents eth0 "$FARM_FIRST" "$count" "$FARM_LB:7377" "$work/farm.key" "$@"
}

# farm_is JQ-CONDITION : about the agents' report.
farm_is() {
	[[ $(tool_ask farm | jq "$1") == true ]]
}

# The balancer itself, which its launcher became.
lb_pid() {
	printf '%s' "${daemon_pid[lb]}"
}

# cpu_us PID : time that its main thread has had.
cpu_us() {
	awk '{ printf "%d", $1 / 1000 }' "/proc/$1/task/$1/schedstat"
}
