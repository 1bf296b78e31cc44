# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A thousand agents begin at the same moment, as after a power cut: all are adopted, none is refused
# for its haste, and none is missed. A killed balancer comes back with all of them up, one that has
# lost everything adopts them again; and an agent that leaves all pools leaves them all.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/farm.bash"

AGENTS=1000
POOLS=3

states() {
	lb_json '[.virtual_servers[].backends[].state] | unique | join(" ")'
}

members() {
	lb_json '[.virtual_servers[].backends | length] | unique | join(" ")'
}

# REASON=COUNT of each reason that there was, but for what comes of an answer that was late: its agent
# repeats what it said.
rejected() {
	lb_json '[.control.rejected | to_entries[] | select(.value > 0)
		| select(.key | IN("replay", "echo", "session") | not) | "\(.key)=\(.value)"] | join(" ")'
}

# Lines of the log about backends that ceased to be up.
falls() {
	grep -c 'backend agent[0-9]*: up ->' "$work/lb/log"
}

everybody_heard() {
	farm_is ".heard == $AGENTS and .registered == $AGENTS"
}

# Nobody fell, with generous time for whoever was about to.
stays_up() {
	local fallen
	fallen=$(falls)
	must tool_ask farm mark > /dev/null
	must wait_until 30 farm_is ".heartbeats > 5 * $AGENTS"
	equal "$(falls)" "$fallen" && equal "$(states)" up
}

# As it must be, made apart from the daemon.
digest_of_all() {
	"$BUILD/tests/harness/control_bench" digest "$FARM_FIRST" "$1" "$AGENTS"
}

digest() {
	lb_json ".virtual_servers[] | select(.name == \"$1\") | .table_digest"
}

# digest_is POOL DIGEST
digest_is() {
	[[ $(digest "$1") == "$2" ]]
}

topology_up --webs 0 --no-nginx
must farm_up "$AGENTS"
lb_configure < <(
	farm_lb_config
	printf '[virtual-server all]\nvip = %s\nport = 80\ncheck = agent\n' "$VIP"
	farm_pools "$POOLS"
)
lb_start
must farm_start "$AGENTS" "$VIP"
fact a_thousand_agents_that_begin_at_once_are_adopted wait_until 30 everybody_heard
must wait_until 30 backends_up "$AGENTS"
fact nobody_was_refused equal "$(rejected)" ""
fact all_are_up_everywhere equal "$(states)" up
fact each_pool_has_all_but_one equal "$(members)" "999 1000"
fact the_table_has_all_of_them wait_until 10 digest_is all "$(digest_of_all 1)"
fact none_is_missed stays_up

# Over kill -9: nobody is asked to come again by the balancer, and nobody falls.
before=$(digest pool2)
daemon_stop lb KILL
lb_start
must wait_until 30 everybody_heard
fact a_killed_balancer_has_all_of_them_up equal "$(states)" up
fact its_tables_are_the_same equal "$(digest pool2)" "$before"
fact and_nobody_falls stays_up

# What it kept is lost: all register again.
must tool_ask farm mark > /dev/null
daemon_stop lb KILL
rm -rf "$work"/lb/run/*
lb_start
must wait_until 30 everybody_heard
fact one_that_lost_everything_adopts_them_again wait_until 30 backends_up "$AGENTS"
fact its_tables_are_the_same_too wait_until 10 digest_is pool2 "$before"

# Agent 1 is in every pool.
must tool_ask farm "say down 1" > /dev/null
fact one_that_says_it_is_down_is_down wait_until 10 backend_is agent0001 down
fact the_table_is_that_of_the_others wait_until 10 digest_is all "$(digest_of_all 2)"
must tool_ask farm "say up 1" > /dev/null
fact and_comes_back wait_until 30 backends_up "$AGENTS"
fact to_the_same_table wait_until 10 digest_is all "$(digest_of_all 1)"
