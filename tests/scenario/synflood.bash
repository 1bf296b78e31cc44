# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# A SYN flood of 1,000,000 spoofed clients while 1,000 connections talk, a third of the rows are moving
# and the flow table is small: no connection breaks, memory keeps to max-flows, every frame is accounted
# for, those that the ring had no room for included.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
# A server whose agent is silent for three heartbeats is out, with all of its connections: what a machine that is full of the
# storm does to agents is not told here.
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys
	max-flows = 16k
	heartbeat-fall = 10

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80
END
servers_start 80
# What the servers answer to nobody ends at the router, without a word about it.
ip_on router route add blackhole 198.18.0.0/15
count_frames switch lb egress spoofed "ip saddr 198.18.0.0/15"
# Of the spoofed SYNs, those that the balancer's port took.
spoofed_arrived() {
	printf '%d' "$(($(counted switch spoofed) - $(port_refused) + refused_before))"
}
memory_kb() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$(pgrep -f "^$work/bin/dsr-lb run" | head -n 1)/status"
}
lb_and_agents_start
must wait_until 30 membership_is_quiet
# Frames from before the daemon's start, counted by the kernel alone.
offset=$(lb_unaccounted)

# What a storm has cost in segments comes again after up to twice the time that it takes: a quarter of a minute, or on a busy
# machine a whole one.
PATIENCE_S=150
tool_start old client connections "$VIP:80" 700 500 "$PATIENCE_S"
must wait_until 30 connections_are old '.open == 700'
# Now a third of the rows are moving: new flows there are recorded, as the flood's will be.
must lb drain web3
tool_start new client connections "$VIP:80" 300 500 "$PATIENCE_S"
must wait_until 30 connections_are new '.open == 300'
must tool_ask new round > /dev/null
note "before: $(lb_json '{flow_table, moving: .virtual_servers[0].moving_slots}' | tr -d '\n')"
memory_before=$(memory_kb)
spoofed_before=$(lb_json '.virtual_servers[0].syns')
refused_before=$(port_refused)

storm() {
	local said
	said=$(on router timeout $((300 * SLOW)) "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" "$1" 70000)
	note "storm: $said"
	equal "$(jq .sent <<< "$said")" "$1"
}
fact a_million_are_sent storm 1000000
# The balancer's port refuses what a busy machine does not take from it in time: so much comes again.
for ((again = 0; again < 5; again++)); do
	missing=$((900000 - $(spoofed_arrived)))
	((missing > 0)) || break
	must storm $((missing + missing / 4))
done
memory_after=$(memory_kb)
after=$(lb_json '{packets, drops, flow_table, syns: .virtual_servers[0].syns}')
note "after: $(tr -d '\n' <<< "$after")"
note "memory: $memory_before kB, then $memory_after kB; reached the balancer: $(spoofed_arrived)"

# All of them ask and are answered once more: a broken one would have been seen.
for held in old new; do
	now=$(tool_ask "$held" round $((PATIENCE_S + 10)))
	note "$held: $now"
	fact "none_of_the_${held}_connections_breaks" equal "$(jq .broken <<< "$now")" 0
	fact "all_${held}_connections_talk" equal "$(jq '.open == .wanted' <<< "$now")" true
done
fact the_flood_did_reach_the_balancer at_least "$(spoofed_arrived)" 900000
# One and a half times the flows of IPv4, one and a quarter of IPv6: a group of buckets is seldom full then.
fact the_table_has_its_fixed_size equal "$(jq .flow_table.capacity <<< "$after")" \
	"$((16384 * 3 / 2 + 16384 * 5 / 4))"
fact its_entries_keep_to_its_capacity equal "$(jq '.flow_table | .entries <= .capacity' <<< "$after")" true
fact unproven_records_made_room at_least "$(jq .flow_table.evictions <<< "$after")" 1
# AddressSanitizer keeps freed memory for a while.
fact the_daemon_does_not_grow at_most "$((memory_after - memory_before))" \
	"$([[ -n $SAN ]] && echo 65536 || echo 4096)"
# Exactly: what the kernel saw, and every one of them with its reason.
stop_pid "${tool_pid[old]}"
stop_pid "${tool_pid[new]}"
fact received_is_what_reached_the_port wait_until 10 lb_unaccounted_is "$offset"
fact received_is_forwarded_passed_and_dropped equal \
	"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
fact dropped_is_the_sum_of_its_reasons equal \
	"$(lb_json '.packets.dropped - ([.drops[]] | add // 0)')" 0
lost() {
	lb_json '[.drops["ring-full"], .drops["send-failed"]] | map(. // 0) | add'
}
# Whatever SYN the ring had room for was sent to a server, and counted once.
fact syns_are_those_that_were_not_lost at_least \
	"$(($(lb_json '.virtual_servers[0].syns') - spoofed_before + $(lost)))" "$(spoofed_arrived)"
must lb enable web3
