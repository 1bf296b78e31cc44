# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A balancer that lost all that it knew starts after nine seconds away: its agents come at different
# moments, and in the end no row is between two of them, so that flows which they had go on.
# START_ROUNDS is how often.
. "$(dirname "$0")/../netns/topology.bash"

ROUNDS=${START_ROUNDS:-1}
AWAY_S=9

topology_up --webs 4 --no-nginx
servers_start 80
lb_and_agents_start

# For so long each agent has asked in vain.
agents_were_alone() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		[[ $(agent "web$idx" status --json |
			jq ".balancers[0] | .state != \"registered\" and .since_s >= $1") == true ]] || return
	done
}
moving() {
	lb_json '[.virtual_servers[].moving_slots] | add'
}
nothing_moves() {
	[[ $(moving) == 0 ]]
}

good=0
for ((round = 1; round <= ROUNDS; round++)); do
	daemon_stop lb KILL
	rm -rf "$work"/lb/run/* 2> /dev/null # the bpffs itself stays
	# They notice after a second.
	must wait_until 30 agents_were_alone $((AWAY_S - 1))
	lb_start
	must wait_until 30 backends_up "$topology_webs"
	must wait_until 30 membership_is_quiet
	if wait_until 2 nothing_moves; then
		good=$((good + 1))
	else
		note "start $round: $(moving) rows move"
	fi
done
fact no_row_moves_after_any_start equal "$good of $ROUNDS" "$ROUNDS of $ROUNDS"
