# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Frames counted outside of the balancer, and what is on its interface. Sourced by topology.bash.
#
# Not on the balancer's own interface: a program there takes frames before nft sees them.

# count_frames HOST INTERFACE ingress|egress NAME [MATCH…] : by nft; each NAME once for a host.
count_frames() {
	local host=$1 interface=$2 hook=$3 name=$4
	shift 4
	on "$host" nft -f - <<- END
		table netdev count-$name {
			counter frames { }
			chain $hook { type filter hook $hook device $interface priority 0; $* counter name frames; }
		}
	END
}

# counted HOST NAME
counted() {
	on "$1" nft -j list counter netdev "count-$2" frames | jq '.nftables[] | .counter? // empty | .packets'
}

# link_counter HOST INTERFACE FIELD : as rx.packets, tx.dropped
link_counter() {
	ip_on "$1" -s -j link show dev "$2" | jq ".[0].stats64.$3"
}

# What the balancer's port does not take, its queue being full.
port_refused() {
	link_counter switch "${1:-lb}" tx.dropped
}

# The same, and what the other end does not take of what the balancer sends.
queues_refused() {
	printf '%d' "$(($(port_refused) + $(link_counter switch lb rx.dropped)))"
}

# spoofed_count_start : at every server, the SYNs of syn_storm. Few are answered: none at all would be a server that accepts
# no connection, which the balancer would rightly find out about. The answers end at the router.
spoofed_count_start() {
	ip_on router route replace blackhole 198.18.0.0/15
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		count_frames "web$idx" eth0 ingress spoofed "${1:-} ip saddr 198.18.0.0/15"
		on "web$idx" nft add rule netdev count-spoofed ingress ip saddr 198.18.0.0/15 limit rate over 20/second drop
	done
}

spoofed_counted() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		counted "web$idx" spoofed
	done | awk '{ n += $1 } END { print n + 0 }'
}

# program_ids HOST INTERFACE : of the XDP program there, and of those at tc's ingress (tcx, or filters).
program_ids() {
	ip_on "$1" -j -d link show dev "$2" | jq '.[0].xdp.prog.id // empty'
	on "$1" "$BUILD/tests/harness/tcx" "$2"
	on "$1" tc -j filter show dev "$2" ingress | jq '.[].options.prog.id | values'
}

# program_id HOST INTERFACE : of the first; 0: none.
program_id() {
	{
		program_ids "$@"
		echo 0
	} | head -n 1
}

# programs_on HOST INTERFACE : their names, without the dsr_ that ours have.
programs_on() {
	local id names=()
	for id in $(program_ids "$@"); do
		names+=("$(bpftool -j prog show id "$id" | jq -r '.name | ltrimstr("dsr_")')")
	done
	printf '%s\n' "${names[*]}"
}

# interface_took NAME : frames, by the balancer's eth0. No process is started: it has to be quick (below).
interface_took() {
	local line
	while read -r line; do
		[[ $line != eth0:* ]] || read -r _ _ took _ <<< "$line"
	done < "/proc/${daemon_pid[$1]}/net/dev"
}

# lb_unaccounted [NAME] : how many frames the interface took more than the balancer says it received,
# at a moment in which none came between the two looks: so nothing is between them but what asks.
# The kernel alone counted those before its start.
lb_unaccounted() {
	local name=${1:-lb} received again took try
	for ((try = 0; try < 200; try++)); do
		received=$(dsr_lb "$name" status --json)
		interface_took "$name"
		again=$(dsr_lb "$name" status --json)
		received=$(jq .packets.received <<< "$received")
		again=$(jq .packets.received <<< "$again")
		[[ $received != "$again" ]] || break
	done
	printf '%d\n' "$((took - again))"
}
lb_unaccounted_is() {
	[[ $(lb_unaccounted) == "$1" ]]
}
