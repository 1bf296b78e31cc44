# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What people look at: one line whether all is well, rates, and a live screen of 80 columns that outlives the daemon.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2
# In a terminal of 80 columns; keys come from a pipe, what is drawn goes to $work/screen.
screen_start() {
	mkfifo "$work/keys"
	TERM=xterm script -qefc "stty cols 80 rows 24; exec $work/bin/dsr-lb top --runtime-dir $work/lb/run" \
		"$work/screen" < "$work/keys" > /dev/null 2>&1 &
	screen_pid=$!
	exec 9> "$work/keys"
}
press() {
	printf '%s' "$1" >&9
}
# screen_says WORDS : since it was forgotten last
screen_says() {
	grep -qF "$1" "$work/screen"
}
once() {
	dsr_lb lb top --once > "$work/once"
}
once_says() {
	once && says "$1" cat "$work/once"
}
# in_terminal COLUMNS PROGRAM DIRECTORY VERB… : what it shows in one of that width, in $work/shown
in_terminal() {
	script -qc "stty cols $1 rows 50; exec $work/bin/$2 ${*:4} --color=never --runtime-dir $work/$3/run" \
		/dev/null < /dev/null | tr -d '\r' > "$work/shown"
	[[ -s $work/shown ]]
}
# fits COLUMNS PROGRAM DIRECTORY VERB… : nothing is wider than the terminal
fits() {
	in_terminal "$@" && at_most "$(wc -L < "$work/shown")" "$1" || { note "$(cat "$work/shown")" && return 1; }
}
# In what was shown last every reason is whole, over the ends of lines.
reasons_are_whole() {
	local shown reason n=0
	shown=$(tr -s ' \n' ' ' < "$work/shown")
	while IFS= read -r reason; do
		[[ $shown == *"$reason"* ]] || { note "no '$reason' in $(cat "$work/shown")" && return 1; }
		n=$((n + 1))
	done < <(lb_json '.virtual_servers[].backends[].reason | select(. != "")')
	at_least "$n" 1
}
shown_says() {
	says "$1" cat "$work/shown"
}

mkdir -p "$work/lb/run"
fact once_is_69_without_a_daemon exits 69 lb top --once
rmdir "$work/lb/run"
lb_start
fact an_empty_list_says_so says 'no backend has registered' lb backends
fact and_is_empty_for_scripts equal "$(lb backends --no-legend)" ""
agents_start
must wait_until 20 backends_up 2
fact status_says_that_all_is_well wait_until 10 says '^All is well: 1 of 1 virtual servers ready, [24] of [24] backends up' lb status
fact flows_say_that_there_are_none says '^no flow is recorded' lb flows

start_on client "$work/load" sh -c "while :; do curl -sS --max-time 2 -o /dev/null 'http://$VIP/?[1-50]'; done"
load_pid=$started
fact top_shows_rates wait_until 20 once_says 'web +ready +[1-9][0-9.]*[kM]? +[1-9]'
fact of_backends_too wait_until 20 once_says '^  web[12] +up +[1-9][0-9.]*[kM]? +[1-9].*%'
fact it_fits_80_columns at_most "$(wc -L < "$work/once")" 80
fact stats_are_as_ipvsadms says '^  -> web1 +192\.0\.2\.11 +[0-9]+' lb backends web --stats
fact rates_too wait_until 10 says '^web +[1-9][0-9]* +[1-9]' lb backends --rate
fact not_both exits 64 lb backends --stats --rate
fact stats_as_json_are_all_counters equal "$(lb backends web --stats --json | jq -c 'map([.name, (.syns | type)])')" '[["web1","number"],["web2","number"]]'
json_rates() { # VERB… : of backends in its JSON
	[[ $(lb "$@" --json | jq '[.. | objects | select(has("established")) | .packets_per_s] | length == 2 and add > 10') == true ]]
}
fact rates_as_json wait_until 10 json_rates backends web --rate
fact a_frame_as_json wait_until 10 json_rates top --once
fact no_screen_as_json exits 64 lb top --json

screen_start
fact the_screen_shows_a_backend wait_until 10 screen_says web1
fact and_its_keys screen_says 'q quit'
press p
fact a_key_sorts wait_until 5 screen_says '[p packets]'
daemon_stop web2 KILL
fact status_says_what_to_do wait_until 20 says '^Degraded: .* web2 is down .*`dsr-lb doctor`' lb status
fact the_screen_says_why wait_until 10 screen_says 'no answer to 3 heartbeats'
once
fact a_reason_is_wrapped_at_80_columns at_most "$(wc -L < "$work/once")" 80
for columns in 80 60; do
	for verb in status backends; do
		fact "${verb}_fits_$columns" fits "$columns" dsr-lb lb "$verb"
		fact "${verb}_has_whole_reasons_on_$columns" reasons_are_whole
		fact "${verb}_keeps_the_state_on_$columns" shown_says '^  (-> )?web2 +.*down'
	done
	fact "the_agents_status_fits_$columns" fits "$columns" dsr-agent web1 status
done
fact a_wide_one_compares_traffic_with_weight fits 160 dsr-lb lb backends
fact by_columns_of_their_own shown_says ' WEIGHT% TRAFFIC% +SHARE '
fact in_two_levels shown_says '^web +'
fact scripts_get_a_line_a_backend equal "$(lb backends --no-header | awk '{ print $1, $2 }' | xargs)" "web web1 web web2"
daemon_stop lb KILL
fact it_says_that_the_daemon_is_away wait_until 10 screen_says 'waiting for a daemon'
lb_start
fact and_goes_on wait_until 10 screen_says 'dsr-lb' 
press q
fact q_ends_it wait_until 10 gone "$screen_pid"
fact well exits 0 wait "$screen_pid"
exec 9>&-
stop_pid "$load_pid"
