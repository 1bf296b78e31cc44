# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What happens is told at once to whoever follows, in each format, and is kept over restarts, kills and a damaged file.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2
web1=$(web_address web1)
declare -A follower=()

# follow NAME HOST PROGRAM OPTION… : its events go into $work/NAME
follow() {
	local name=$1 host=$2 program=$3
	shift 3
	"$work/bin/$program" events -f --runtime-dir "$work/$host/run" "$@" > "$work/$name" 2> "$work/$name.err" &
	follower[$name]=$!
}
# ends_with STATUS NAME : the follower
ends_with() {
	wait_until 10 gone "${follower[$2]}" && exits "$1" wait "${follower[$2]}"
}
# tells FILE FILTER : one of the JSON lines there does
tells() {
	jq -es "any(.[]; $2)" "$work/$1" > /dev/null
}
kept() {
	lb events --json > "$work/kept" && tells kept "$1"
}
# With the time of its arrival.
stamp() {
	local line
	while read -r line; do
		printf '%s %s\n' "$(now_us)" "$line"
	done
}
# The newest line of $work/stamped that matches came so many milliseconds after its event.
late_ms() {
	local at line
	read -r at line < <(jq -Rr 'split(" ") as [$at] | (.[($at | length) + 1:] | fromjson) as $event |
		select($event | '"$1"') | $event.time | capture("(?<s>.*)[.](?<ms>[0-9]+)Z") |
		"\($at) \((.s + "Z" | fromdateiso8601) * 1000 + (.ms | tonumber))"' "$work/stamped" | tail -n 1)
	printf '%d' $((at / 1000 - line))
}

lb_start
fact the_choice_of_the_engine_is_kept kept '.event == "engine" and .new != "" and .interface == "eth0"'
fact so_is_that_it_became_active kept '.event == "active" and .new == "active"'
agents_start
must wait_until 20 backends_up 2
fact a_virtual_server_became_ready wait_until 10 kept \
	'.event == "virtual-server" and .virtual_server == "web" and .new == "ready"'
fact each_has_what_an_event_must_have says '^true$' jq -s 'all(.[]; (.time | test("^[0-9]{4}-[0-9-]{5}T[0-9:]{8}[.][0-9]{3}Z$"))
	and (.id | test("^[0-9a-f]{32}$")) and has("old") and has("new") and has("reason"))' "$work/kept"
fact text_is_one_line_each equal "$(lb events | wc -l)" "$(wc -l < "$work/kept")"

follow text lb dsr-lb
follow json lb dsr-lb --json
follow keepalived lb dsr-lb --format=keepalived
"$work/bin/dsr-lb" events -f --json --runtime-dir "$work/lb/run" 2> /dev/null | stamp > "$work/stamped" &
fact who_follows_gets_the_kept_ones_first wait_until 10 tells json '.event == "virtual-server" and .new == "ready"'
fact keepalived_knows_virtual_servers wait_until 5 says "^VS \\[$VIP\\]:tcp:80 UP\$" cat "$work/keepalived"

daemon_stop web1 KILL
down='.event == "backend" and .backend == "web1" and .old == "up" and .new == "down" and .reason != ""'
fact json_tells_of_a_death wait_until 20 tells json "$down"
fact text_tells_of_it wait_until 2 says ' backend web1: up -> down: ' cat "$work/text"
fact keepalived_tells_of_it wait_until 2 says "^RS \\[$web1\\]:tcp:80 \\[$VIP\\]:tcp:80 DOWN\$" cat "$work/keepalived"
fact it_came_within_a_second at_most "$(late_ms "$down")" 1000
note "after $(late_ms "$down") ms"
fact the_log_has_it_once equal "$(grep -c 'backend web1: up -> down' "$work/lb/log")" 1

cp "$work/lb/lb.conf" "$work/lb/lb.conf.good"
printf 'no-such-key = 1\n' >> "$work/lb/lb.conf"
must exits 78 lb reload
fact a_bad_reload_is_told_with_its_place wait_until 5 tells json \
	'.event == "config" and (.reason | test("lb.conf:[0-9]+: no-such-key"))'
fact the_log_has_that_once equal "$(grep -c 'reload refused' "$work/lb/log")" 1
cp "$work/lb/lb.conf.good" "$work/lb/lb.conf"
must lb reload
fact a_good_one_too wait_until 5 tells json '.event == "config" and .old == "1" and .new == "2"'

# The agent, whose VIP somebody removes.
follow agent web2 dsr-agent --json
must wait_until 10 tells agent '.event == "backend" and .new == "registered"'
ip_on web2 address del "$VIP/32" dev lo
fact a_repair_is_told wait_until 10 tells agent ".event == \"drift\" and .vip == \"$VIP\" and .interface == \"lo\""
fact keepalived_is_no_format_of_an_agents exits 64 agent web2 events --format=keepalived

fact an_interrupt_ends_it_well exits 0 timeout --preserve-status -s INT 1 "$work/bin/dsr-lb" events -f --runtime-dir "$work/lb/run"
fact so_does_a_reader_that_goes exits 0 timeout 10 sh -c "'$work/bin/dsr-lb' events -f --runtime-dir '$work/lb/run' | head -n 1"

n_kept=$(lb events --json | wc -l)
daemon_stop lb KILL
fact whoever_follows_hears_of_the_end ends_with 69 json
fact with_words says 'the daemon of .* has ended' cat "$work/json.err"
fact in_each_format ends_with 69 text
printf 'garbage\n{"sequence":' >> "$work/lb/run/events.jsonl"
lb_start
fact a_kill_loses_none kept "$down"
fact nor_any_other at_least "$(lb events --json | wc -l)" "$n_kept"
fact garbage_is_named says 'events.jsonl: 1 lines are no events' cat "$work/lb/log"
fact sequences_go_on says '^true$' jq -s '[.[].sequence] | . == (sort | unique) and .[-1] >= length' "$work/kept"
fact a_restart_is_no_change_of_what_stayed equal "$(jq -r "select(.backend == \"web2\") | .new" "$work/kept" | tail -n 1)" up

