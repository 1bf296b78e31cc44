# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# A hundred agents, and their keys changed one after the other; fifty broken reloads and fifty good ones, under traffic. No
# heartbeat is missed, no frame is lost, nobody falls.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/farm.bash"
. "$(dirname "$0")/../netns/load.bash"

AGENTS=100
topology_up --webs 0 --no-nginx
must farm_up "$AGENTS"
# All of them are one host, which serves for all.
on farm sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
ip_on farm address add "$VIP/32" dev lo
ip_on farm route add default via "$ROUTER" dev eth0 onlink
tool_start server farm named_server farm "$VIP:80"
# config [LINES] : of the balancer.
config() {
	farm_lb_config
	printf '[virtual-server all]\nvip = %s\nport = 80\ncheck = agent\n%s' "$VIP" "${1:-}"
}
lb_configure < <(config)
lb_start
must farm_start "$AGENTS" "$VIP"
must wait_until 30 backends_up "$AGENTS"
must wait_until 30 membership_is_quiet
load_start
# SYNs that are counted: the host takes what is sent.
ip_on router route replace blackhole 198.18.0.0/15
count_frames farm eth0 ingress spoofed "ip saddr 198.18.0.0/15"
on farm nft add rule netdev count-spoofed ingress ip saddr 198.18.0.0/15 limit rate over 20/second drop

missed_by_balancer() {
	lb_json '[.virtual_servers[].backends[].heartbeats_missed] | max'
}
# beside FUNCTION : under counted frames, with heartbeats counted on both sides.
beside() {
	local name=$1 sent before
	must tool_ask farm mark > /dev/null
	before=$(counted farm spoofed)
	falls_before=$(falls)
	start_on router "$work/stream" "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" 1000000 $((5000 / SLOW))
	stream=$started
	fault "$name" 0 0 "$@"
	must stop_pid "$stream"
	sent=$(tail -n 1 "$work/stream" | jq .sent)
	note "$name: $sent frames sent, $(($(counted farm spoofed) - before)) came; $(tool_ask farm)"
	all_came() {
		(($(counted farm spoofed) - before == sent))
	}
	fact "${name}_loses_no_frame" wait_until 3 all_came
	fact "${name}_has_no_late_heartbeat" farm_is '.late == 0'
	fact "${name}_has_heartbeats" farm_is ".heartbeats > 5 * $AGENTS"
	fact "nobody_falls_for_$name" equal "$(falls)" "$falls_before"
}

settled() {
	lb_json '[.virtual_servers[] | {name, vip, ports, table_digest}] | tojson'
}
fifty_and_fifty() {
	local idx settled refused=0
	for ((idx = 0; idx < 50; idx++)); do
		settled=$(settled)
		config "sheduler = maglev$idx
" | lb_write_config
		exits 78 lb reload || return
		equal "$(settled)" "$settled" || return
		refused=$((refused + 1))
		config "tcp-timeout = $((idx + 600))s
[virtual-server more$((idx % 3))]
vip = $VIP2
port = $((1000 + idx))
" | lb_write_config
		exits 0 lb reload || return
	done
	config | lb_write_config
	exits 0 lb reload && equal "$refused" 50
}
beside fifty_and_fifty

# The new key beside the old one; the agents one after the other; then the old one goes.
"$work/bin/dsr-lb" keygen new > "$work/new"
install -m 600 "$work/new" "$work/farm.new"
keys() {
	cat "$@" > "$work/lb/keys"
}
# An ACCEPT for each: the type of a message is the sixth byte after the UDP header.
count_frames farm eth0 ingress accepts "udp dport 7377 @th,104,8 4"
all_are_accepted() {
	(($(counted farm accepts) - accepts >= AGENTS)) && farm_is ".registered == $AGENTS"
}
keys_change() {
	local idx accepts
	accepts=$(counted farm accepts)
	keys "$work/key" "$work/new" && lb reload > /dev/null || return
	for ((idx = 1; idx <= AGENTS; idx += 10)); do
		tool_ask farm "key $work/farm.new $(seq -s ' ' "$idx" $((idx + 9)))" > /dev/null || return
	done
	wait_until 20 all_are_accepted || return
	keys "$work/new" && lb reload > /dev/null && for_seconds 2 backends_up "$AGENTS"
}
beside keys_change
fact all_are_by_the_new_key farm_is ".registered == $AGENTS"
fact and_up backends_up "$AGENTS"
