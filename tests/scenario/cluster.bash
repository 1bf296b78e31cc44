# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Two balancers with the same backends choose alike, in whatever order the backends joined.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 5 --balancers 2 --no-nginx
servers_start 80
lb_configure lb2 <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb2/keys
	announce = none

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80
END
lb_start lb
lb_start lb2
digest() {
	lb_json '[.virtual_servers[].table_digest] | join(" ")' "$1"
}

# The first balancer meets them in this order, the second in the other: each alone at first.
for idx in 1 2 3 4 5; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" "$LB, $LB2" "weight = $idx")
	nft_block="table netdev one { chain out { type filter hook egress device eth0 priority 0; ip daddr"
	((idx % 2)) && blocked=$LB2 || blocked=$LB
	on "web$idx" nft -f - <<< "$nft_block $blocked drop; }; }"
	agent_start "web$idx"
done
must wait_until 20 backends_up 3 lb
must wait_until 20 backends_up 2 lb2
fact different_backends_have_different_digests not equal "$(digest lb)" "$(digest lb2)"
for idx in 1 2 3 4 5; do
	on "web$idx" nft delete table netdev one
done
must wait_until 30 backends_up 5 lb
must wait_until 30 backends_up 5 lb2
# The agents say so, and nobody else: one in each answer.
others_are() {
	[[ $(lb_json '[.balancers[].address] | join(" ")' lb) == "$LB2" && $(lb_json '[.balancers[].address] | join(" ")' lb2) == "$LB" ]]
}
fact each_knows_the_other wait_until 15 others_are
fact the_same_backends_have_the_same_digest equal "$(digest lb)" "$(digest lb2)"
fact the_digest_is_not_empty says '^[0-9a-f]{16}' digest lb

digests_equal() {
	[[ $(digest lb) == "$(digest lb2)" ]]
}
digest_differs() {
	[[ $(digest lb) != "$digest_before" ]]
}

same_choice() {
	local port choice choice2
	for ((port = 20000; port < 20040; port++)); do
		choice=$(dsr_lb lb explain "$CLIENT:$port" "$VIP:80" --json | jq -r .backend)
		choice2=$(dsr_lb lb2 explain "$CLIENT:$port" "$VIP:80" --json | jq -r .backend)
		equal "$choice" "$choice2" || return 1
	done
}
fact both_choose_alike same_choice
digest_before=$(digest lb)
said=$(now_ms)
must dsr_lb lb weight web2 9
fact another_weight_changes_the_digest wait_until 5 digest_differs
differ_is() {
	[[ $(lb_json '[.balancers[] | .table_digests_differ[]] | join(" ")' lb) == "$1" &&
		$(lb_json '[.balancers[] | .table_digests_differ[]] | join(" ")' lb2) == "$1" ]]
}
# They tell each other by way of the agents. While the servers came, tables differed too.
fact both_name_the_table_that_differs wait_until 5 differ_is web
# named_after NAME : how long after the word, by its own stamp of the last event, in ms.
named_after() {
	local at
	at=$(dsr_lb "$1" events --json | jq -r 'select(.event == "drift" and .new == "differs") | .time' | tail -n 1)
	printf '%s' $(($(date -d "$at" +%s%3N) - said))
}
# Of two heartbeat intervals one is that the difference must have stood; in the other each of five agents tells of it.
for name in lb lb2; do
	took=$(named_after "$name")
	note "$name named it $took ms after the word"
	fact "${name}_named_it_within_two_intervals" at_most "$took" $((2 * 300 * SLOW))
	fact "${name}_named_it_for_that_word" at_least "$took" 0
done
fact it_says_what_differs equal "$(lb_json '.balancers[0].differences[0].words' lb2)" "has other weights"
warned() {
	dsr_lb lb2 status > "$work/lb2/said"
	equal $? 1 && grep -qx "warning: virtual server web: the table of the balancer $LB has other weights" "$work/lb2/said"
}
fact the_status_warns_of_it warned
doctor_warns() {
	local status=0
	dsr_lb lb2 doctor --json > "$work/lb2/doctor" || status=$?
	((status >= 1)) && jq -e --arg address "$LB" '.checks | any(.id == "tables" and .state == "warn" and
		.subject == $address and (.what | contains("virtual server web: its table has other weights")))' "$work/lb2/doctor" > /dev/null
}
fact the_doctor_warns_of_it doctor_warns
must dsr_lb lb2 weight web2 9
fact the_same_weight_on_both_makes_them_equal wait_until 5 digests_equal
fact then_nothing_differs wait_until 5 differ_is ""
is_an_event() {
	dsr_lb lb events --json | jq -se '[.[] | select(.event == "drift") | .new][-2:] == ["differs", "same"]' > /dev/null
}
fact both_were_events is_an_event

# A balancer of another build beside this one, with FORMER_LB=/path/of/dsr-lb: the same tables, or both say what differs.
if [[ -n ${FORMER_LB:-} ]]; then
	daemon_stop lb2
	install -m 755 "$FORMER_LB" "$work/bin/dsr-lb"
	lb_start lb2
	install -m 755 "$BUILD/dsr-lb" "$work/bin/dsr-lb"
	must wait_until 30 backends_up 5 lb2
	must wait_until 15 others_are
	note "former: $("$FORMER_LB" --version)"
	agree() {
		digests_equal && differ_is ""
	}
	fact a_former_build_agrees wait_until 10 agree
	fact and_chooses_alike same_choice
	must dsr_lb lb weight web2 7
	fact where_they_differ_both_say_so wait_until 10 differ_is web
	note "this build: $(lb_json '.balancers[0].differences[0].words' lb); the former: $(lb_json '.balancers[0].differences[0].words' lb2)"
	must dsr_lb lb weight web2 9
	fact and_no_longer_when_they_do_not wait_until 10 agree
fi
