# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A registered agent with a good key says that it drains, and that it is up, 200 times a second for five
# seconds: worse words are in force at once, better ones wait, so there are few tables and few log lines, the
# other agent misses nothing, and the last word wins. One drain that ends is over at once.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/farm.bash"

FLIPS=1000 # of two messages each

publications() {
	lb_json .publications.count
}
# is_within STATE MS : the first agent is that after so many milliseconds at most.
is_within() {
	local from
	from=$(now_us)
	must tool_ask farm "say $1 1" > /dev/null
	wait_until 5 backend_is agent0001 "$1" || return
	note "$1 after $((($(now_us) - from) / 1000)) ms"
	at_most "$((($(now_us) - from) / 1000))" "$(($2 * SLOW))"
}
reason_has() {
	[[ $(backend_field reason agent0001) == *"$1"* ]]
}
# One that is down all the while would be as quiet.
heard_all() {
	at_least "$(lb_json .control.accepted)" "$((accepted + FLIPS * 2 * 9 / 10))"
}

topology_up --webs 0 --no-nginx
must farm_up 2
lb_configure < <(
	farm_lb_config
	printf '[virtual-server all]\nvip = %s\nport = 80\ncheck = agent\n' "$VIP"
)
lb_start
must farm_start 2 "$VIP"
must wait_until 20 backends_up 2

# A state that is asked for takes some milliseconds to be told.
fact a_drain_is_in_force_at_once is_within drain 1000
fact its_end_too is_within up 1000

published=$(publications)
lines=$(wc -l < "$work/lb/log")
accepted=$(lb_json .control.accepted)
cpu=$(cpu_us "$(lb_pid)")
from=$(now_us)
must tool_ask farm mark > /dev/null
must tool_ask farm "flip $FLIPS 1" > /dev/null
must wait_until 30 farm_is '.flips == 0'
took_us=$(($(now_us) - from))
published=$(($(publications) - published))
lines=$(($(wc -l < "$work/lb/log") - lines))
note "$FLIPS flips in $((took_us / 1000)) ms: $published publications, $lines log lines," \
	"$((($(cpu_us "$(lb_pid)") - cpu) * 100 / took_us)) % of a processor"
fact every_word_is_heard heard_all
fact few_tables_are_made at_most "$published" 10
fact few_lines_are_logged at_most "$lines" 10
fact it_says_that_it_is_held_back wait_until 2 reason_has 's: it flapped'
note "$(backend_field reason agent0001)"
fact nobody_missed_a_heartbeat equal "$(tool_ask farm | jq .late)" 0
fact the_other_one_stayed_up backend_is agent0002 up
fact the_last_word_wins wait_until 15 backends_up 2
