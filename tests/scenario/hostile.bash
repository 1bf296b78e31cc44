# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# 100,000 hostile control messages: replayed, truncated, bit-flipped, oversized, random and sealed
# with a wrong key. They change nothing, meet silence, are counted by reason, and nobody's
# heartbeats suffer. HELLOs in an agent's name do not keep it from registering, and datagrams of thousands of
# sources do not fill an agent's log.
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

# An agent that was killed begins anew, while somebody sends a thousand HELLOs a second in its name.
daemon_stop web3 KILL
must wait_until 10 backend_is web3 down
start_on web4 "$work/hellos" "$BUILD/tests/harness/link_storm" eth0 "$(mac_of lb)" hello \
	"$(awk '{ print $1 }' "$work/key")" "$LB" 1000000 1000 "$(web_address web3)"
hellos_pid=$started
hellos_are_heard() {
	at_least "$(($(lb_json .control.received) - received_before))" 200
}
received_before=$(lb_json .control.received)
must wait_until 10 hellos_are_heard
since=$(now_ms)
agent_start web3
fact it_registers_while_others_speak_in_its_name wait_until 10 backend_is web3 up
took=$(($(now_ms) - since))
note "up again after $took ms; forged: $(lb_json '.control.rejected | tojson')"
fact it_registers_within_five_seconds at_most "$took" "$((5000 * SLOW))"
stop_pid "$hellos_pid"

# 20,000 datagrams of as many sources, to an agent.
lines_of_refusals() {
	grep -c ' refused: ' "$work/web2/log"
}
agent_refused() {
	at_least "$(agent web2 status --json | jq '[.control.rejected[]?] | add // 0')" "$1"
}
before=$(lines_of_refusals)
since=$(now_ms)
must on web4 timeout 60 "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of web2)" "$(web_address web2):7377" 20000 4000 datagram \
	> "$work/datagrams"
fact its_refusals_are_counted wait_until 10 agent_refused 10000
note "$(($(lines_of_refusals) - before)) lines of $(jq .sent "$work/datagrams") datagrams; $(agent web2 status --json | jq -c .control.rejected)"
fact an_agents_log_is_not_flooded at_most "$(($(lines_of_refusals) - before))" "$((60 * (1 + ($(now_ms) - since) / 60000)))"
fact it_stays_up backend_is web2 up
