# SPDX-License-Identifier: GPL-2.0-or-later
# tags: alone
# shellcheck shell=bash
#
# syn-rate and syn-rate-source under a storm of SYNs: the servers get what the rate allows over the time
# that it took and no more, reloads included; connections that are established, and networks that keep
# to their rate, notice nothing; what was refused is counted under its name.
. "$(dirname "$0")/../netns/topology.bash"

# configure SYN-RATE SYN-RATE-SOURCE
configure() {
	lb_configure <<- END
		[balancer]
		interface = eth0
		key-file = $work/lb/keys

		[virtual-server web]
		vip = $VIP
		port = 80, 81
		syn-rate = $1
		syn-rate-source = $2
	END
}
topology_up --webs 3
configure 1000 0
servers_start 81
# What the servers answer to nobody ends at the router. The client has an address in another network.
ip_on router route add blackhole 198.18.0.0/15
ip_on router route add 203.0.114.2 via "$CLIENT"
ip_on client address add 203.0.114.2/32 dev lo
lb_and_agents_start
tool_start held client connections "$VIP:81" 100 200
must wait_until 30 connections_are held '.open == 100'

watch() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		[[ -z ${tool_pid[watch-web$idx]:-} ]] || stop_pid "${tool_pid[watch-web$idx]}"
		tool_start "watch-web$idx" "web$idx" syn_watch eth0 "$VIP" "$LB"
		must tool_ask "watch-web$idx" > /dev/null
	done
}
# What reached the servers, and the microseconds from the first to the last of it.
watched() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		tool_ask "watch-web$idx"
	done | jq -s '{syns: map(.syns) | add,
		us: ((map(select(.syns > 0).last_us) | max) - (map(select(.syns > 0).first_us) | min))}'
}
# storm COUNT RATE_HZ
storm() {
	on router timeout 30 "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" "$1" "$2"
}
dropped() {
	lb_json ".drops[\"$1\"] // 0"
}
# allowed BURST RATE_HZ MICROSECONDS : with a hundredth for the clocks of two hosts.
allowed() {
	printf '%d' "$((($1 + $2 * $3 / 1000000) * 101 / 100 + 1))"
}
accounts_balance() {
	[[ $(lb_json '(.packets | .received - .forwarded - .passed - .dropped) == 0 and
		.packets.dropped == ([.drops[]] | add // 0)') == true ]]
}

# The virtual server's rate: 1,000 a second, burst 100.
watch
before=$(lb_json '{syns: .virtual_servers[0].syns, drops}')
sent=$(storm 120000 40000 | jq .sent)
seen=$(watched)
syns=$(jq .syns <<< "$seen") us=$(jq .us <<< "$seen")
after=$(lb_json '{syns: .virtual_servers[0].syns, drops}')
note "sent $sent, seen $(tr -d '\n' <<< "$seen"), drops $(jq -c .drops <<< "$after")"
fact servers_get_no_more_than_the_rate at_most "$syns" "$(allowed 100 1000 "$us")"
fact servers_get_what_the_rate_allows at_least "$syns" "$((us * 9 / 10000))"
fact each_of_them_is_counted equal "$((syns - $(jq .syns <<< "$after") + $(jq .syns <<< "$before")))" 0
lost() {
	jq '[.drops["ring-full"], .drops["send-failed"]] | map(. // 0) | add' <<< "$1"
}
refused=$(($(jq '.drops["syn-rate"]' <<< "$after")))
fact the_others_are_dropped_by_name equal \
	"$((refused + syns + $(lost "$after") - $(lost "$before")))" "$sent"
now=$(tool_ask held round)
fact no_established_connection_breaks equal "$(jq -c '[.open, .broken]' <<< "$now")" '[100,0]'
fact received_is_accounted_for accounts_balance

# 20 a second, burst 2; reloads in the middle of it give nobody a burst.
configure 20 0
must lb reload
watch
storm 60000 20000 > "$work/storm" &
storming=$!
reloads=0
while [[ -e /proc/$storming && $reloads -lt 20 ]]; do
	must lb reload
	reloads=$((reloads + 1))
done
wait "$storming"
seen=$(watched)
syns=$(jq .syns <<< "$seen") us=$(jq .us <<< "$seen")
note "$reloads reloads, seen $(tr -d '\n' <<< "$seen")"
fact there_were_reloads_meanwhile at_least "$reloads" 10
fact a_reload_fills_no_bucket at_most "$syns" "$(allowed 2 20 "$us")"
explained() {
	[[ $(lb explain "198.18.0.1:4000" "$VIP:80" --json | jq -r .reason) == "$1" ]]
}
# The bucket fills: what explain says is what would happen now, and takes nothing.
fact explain_says_when_it_is_full_again wait_until 5 explained forwarded
fact explain_takes_nothing explained forwarded

# The rate of a source: 20 a second, burst 2. The storm goes through its networks one after another, 256
# SYNs from each, so that each spends its burst; two of them may share a bucket.
configure 0 20
must lb reload
watch
tool_start others client new_flows "$VIP:80" 10
sent=$(storm 120000 40000 | jq .sent)
others=$(tool_end others)
seen=$(watched)
syns=$(($(jq .syns <<< "$seen") - $(jq .opened <<< "$others"))) us=$(jq .us <<< "$seen")
note "sent $sent, others $others, seen $(tr -d '\n' <<< "$seen"), $(dropped syn-rate-source) dropped"
networks=$(((sent + 255) / 256))
fact each_source_gets_no_more_than_its_rate at_most "$syns" "$(allowed $((2 * networks)) 20 "$us")"
fact each_source_gets_its_burst at_least "$syns" "$((2 * networks - 20))"
fact a_source_within_its_rate_notices_nothing equal \
	"$(jq '.opened == .connected and .opened > 20' <<< "$others")" true

# One of the client's networks is over its rate of 200 a second, the other is not.
configure 0 200
must lb reload
tool_start greedy client new_flows "$VIP:80" 1000
refused_some() {
	[[ $(dropped syn-rate-source) -gt $refused ]]
}
refused=$(($(dropped syn-rate-source) + 100))
must wait_until 10 refused_some
served=0
for ((idx = 0; idx < 30; idx++)); do
	# A SYN that is lost is sent again after a second.
	! on client curl -sS --interface 203.0.114.2 --max-time 0.9 -o "$work/body" "http://$VIP/" ||
		served=$((served + 1))
done
greedy=$(tool_end greedy)
note "greedy: $greedy"
fact the_greedy_network_is_refused at_least "$(jq .silent <<< "$greedy")" 100
fact another_network_is_served equal "$served" 30
now=$(tool_ask held round)
fact established_connections_of_the_greedy_network_talk equal \
	"$(jq -c '[.open, .broken]' <<< "$now")" '[100,0]'
fact received_is_accounted_for_in_the_end accounts_balance
