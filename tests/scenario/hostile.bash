# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# 100,000 hostile control messages: replayed, truncated, bit-flipped, oversized, random and sealed
# with a wrong key. They change nothing, meet silence, are counted by reason, and nobody's
# heartbeats suffer.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 4 --no-nginx
servers_start 80
lb_start
# web4 is the attacker. The genuine messages are those of web1, from its HELLO on.
start_on web1 "$work/capture" "$BUILD/tests/harness/flood" capture eth0 7377 "$work/samples" 12
capture_pid=$started
for idx in 1 2 3; do
	agent_start "web$idx"
done
must wait_until 20 backends_up 3
must wait_until 20 gone "$capture_pid"

# Everything that a hostile message could change.
standing() {
	lb_json '[.virtual_servers[] | {table_digest, backends: [.backends[] |
		{name, address, mac, state, weight, source}]}] | tojson'
}
never_left_up() {
	local name
	for name in web1 web2 web3; do
		at_least "$(backend_field 'since_s | floor' "$name")" "$1" || return 1
	done
}
before=$(standing)
since=$(now_ms)
rejected_before=$(lb_json '[.control.rejected[]] | add // 0')
received_before=$(lb_json .control.received)
# Nobody's heartbeats may be missed while it lasts: the worst of many looks.
watch_heartbeats() {
	local missed worst=0
	while kill -0 "$1" 2> /dev/null; do
		missed=$(lb_json '[.virtual_servers[].backends[] | select(.name != "web1") | .heartbeats_missed] | max')
		((missed <= worst)) || worst=$missed
		sleep 0.1
	done
	printf '%s' "$worst"
}
start_on web4 "$work/flood" "$BUILD/tests/harness/flood" send eth0 "$(mac_of lb)" "$work/samples" 100000 10000
worst=$(watch_heartbeats "$started")
result=$(cat "$work/flood")
note "$result"
fact all_hostile_messages_were_sent equal "$(jq '[.sent[]] | add' <<< "$result")" 100000
fact nothing_has_changed equal "$(standing)" "$before"
fact every_backend_stayed_up never_left_up "$((($(now_ms) - since) / 1000))"
fact heartbeats_of_others_do_not_suffer at_most "$worst" 1
fact silence_but_for_challenges equal "$(jq .other_answers <<< "$result")" 0
fact no_answer_is_larger_than_the_question equal "$(jq .larger_answers <<< "$result")" 0
rejected=$(($(lb_json '[.control.rejected[]] | add // 0') - rejected_before))
received=$(($(lb_json .control.received) - received_before))
note "received $received, rejected $rejected: $(lb_json '.control.rejected | tojson')"
# HELLOs, replayed as they were, are answered and not rejected: a twelfth of a sixth; the kernel's
# queue may overflow under load, so what was received is the measure.
fact refused_messages_are_counted at_least "$rejected" "$((received * 9 / 10))"
fact they_are_counted_by_several_reasons at_least "$(lb_json '.control.rejected | length')" 4
fact the_balancer_still_answers exits 0 lb status
fact the_log_is_not_flooded at_most "$(wc -l < "$work/lb/log")" 200
