# SPDX-License-Identifier: GPL-2.0-or-later
# tags: alone
# shellcheck shell=bash
#
# What farms do beside a storm: of HELLOs, 100,000 a second from a thousand sources; then of ARP requests, neighbour
# advertisements, echo requests and first fragments together. Nobody's heartbeats are missed, a new agent registers
# within five seconds, and a death is noticed within 900 ms all the same. STORM_HZ= is another rate.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/load.bash"

STORM_HZ=${STORM_HZ:-100000}
OTHERS_HZ=${OTHERS_HZ:-10000}
topology_up --webs 4 --no-nginx
servers_start 80
lb_start
for idx in 1 2 3; do
	agent_start "web$idx"
	# Heartbeats and answers: the type of a message is the sixth byte after the UDP header.
	count_frames "web$idx" eth0 ingress asked "udp dport 7377 @th,104,8 6"
	count_frames "web$idx" eth0 egress answered "udp sport 7377 @th,104,8 7"
done
must wait_until 20 backends_up 3
must wait_until 30 membership_is_quiet
add_host storm
wire storm eth0 switch storm 192.0.2.99/24

# storm KIND ARGUMENT… : as $storm_pid, until storm_ends.
storms=()
storm() {
	start_on storm "$work/storm-$1" "$BUILD/tests/harness/link_storm" eth0 "$(mac_of lb)" "$@"
	storms+=("$1 $started")
}
storms_end() {
	local each
	for each in "${storms[@]}"; do
		stop_pid "${each#* }"
		note "${each% *}: $(tail -n 1 "$work/storm-${each% *}" | jq -c '. + {hz: (.sent * 1000 / .took_ms | floor)}' 2> /dev/null || tail -n 1 "$work/storm-${each% *}")"
	done
	storms=()
}

# When the newest event of a state said so, by the wall clock, in milliseconds; 0: none since BEGIN_MS.
# event_ms BACKEND STATE BEGIN_MS
event_ms() {
	lb events --json | jq -s --arg name "$1" --arg state "$2" --argjson begin "$3" '
		[.[] | select(.backend == $name and .new == $state) | .time
			| capture("(?<s>.*)\\.(?<ms>[0-9]{3})[0-9]*Z$") | (.s + "Z" | fromdate) * 1000 + (.ms | tonumber)
			| select(. >= $begin)] | last // 0'
}
has_event() {
	[[ $(event_ms "$@") != 0 ]]
}
# What is looked at all the time, in the background: the most heartbeats that anybody has missed.
watch_heartbeats() {
	local missed worst=0
	while [[ -e $work/storming ]]; do
		missed=$(lb_json '[.virtual_servers[].backends[] | select(.name != "web4") | .heartbeats_missed] | max')
		((missed <= worst)) || worst=$missed
		printf '%d' "$worst" > "$work/worst"
		sleep_ms 50
	done
}
asked_and_answered() {
	local idx asked=0 answered=0
	for idx in 1 2 3; do
		answered=$((answered + $(counted "web$idx" answered)))
		asked=$((asked + $(counted "web$idx" asked)))
	done
	printf '%d %d' "$asked" "$answered"
}

# beside NAME : the facts, while the storm goes on.
beside() {
	local begin before after took deaths
	touch "$work/storming"
	watch_heartbeats &
	falls_before=$(falls)
	read -r -a before <<< "$(asked_and_answered)"
	begin=$(now_ms)
	agent_start web4
	fact "beside_${1}_a_new_agent_is_up" wait_until 10 backend_is web4 up
	took=$(($(event_ms web4 up "$begin") - begin))
	note "the new agent was up after $took ms"
	fact "beside_${1}_a_new_agent_is_up_within_5_s" at_most "$took" $((5000 * SLOW))
	must for_seconds 2 true
	# The scenario `death` is about the time itself; here it is that of three, on a machine that has much else to do.
	deaths=()
	for _ in 1 2 3; do
		begin=$(now_ms)
		signal_pid "${daemon_pid[web4]}" STOP
		must wait_until 10 has_event web4 down "$begin"
		deaths+=("$(($(event_ms web4 down "$begin") - begin))")
		signal_pid "${daemon_pid[web4]}" CONT
		must wait_until 20 has_event web4 up "$begin"
		must for_seconds 1 true
	done
	note "its deaths were noticed after ${deaths[*]} ms"
	mapfile -t deaths < <(printf '%s\n' "${deaths[@]}" | sort -n)
	fact "beside_${1}_deaths_are_noticed_within_900_ms" at_most "${deaths[1]}" $((900 * SLOW))
	fact "beside_${1}_the_latest_within_1300_ms" at_most "${deaths[2]}" $((1300 * SLOW))
	must for_seconds 2 true
	read -r -a after <<< "$(asked_and_answered)"
	rm "$work/storming"
	wait $!
	storms_end
	note "$((after[0] - before[0])) heartbeats came, $((after[1] - before[1])) were answered; the most that were missed in a row: $(cat "$work/worst")"
	fact "beside_${1}_heartbeats_come" at_least "$((after[0] - before[0]))" 15
	fact "beside_${1}_no_heartbeat_is_missed" equal "$(cat "$work/worst")" 0
	fact "beside_${1}_nobody_else_falls" equal "$(falls)" $((falls_before + 3))
	daemon_stop web4 TERM
}

storm hello "$(cut -d ' ' -f 1 "$work/key")" "$LB" 10000000 "$STORM_HZ"
beside hellos
note "refused and received: $(lb_json '.control | {received, accepted, rejected} | tojson')"

storm arp "$VIP" 10000000 "$OTHERS_HZ"
storm na "$VIP6" 10000000 "$OTHERS_HZ"
storm echo "$VIP" 10000000 "$OTHERS_HZ"
start_on router "$work/storm-fragment" "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" 10000000 "$OTHERS_HZ" fragment
storms+=("fragment $started")
beside other_storms
