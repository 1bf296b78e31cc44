# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# The HTTP surface of both programs, by curl: each path at http-listen and on the control socket, what is refused, what
# strangers can have, and that a thousand of them cost nobody anything.
. "$(dirname "$0")/../netns/topology.bash"
# shellcheck source=tests/netns/queries.bash
. "$(dirname "$0")/../netns/queries.bash"

LISTEN=http://127.0.0.1:9377 LISTEN_AGENT=http://127.0.0.1:9378
topology_up --webs 2
agent_configure web1 < <(agent_default_config web1 "$LB" $'check = tcp:80\nhttp-listen = 127.0.0.1:9378')
lb_and_agents_start

# get PATH OPTION… : the body. The status is in $work/code.
get() {
	local path=$1
	shift
	on lb curl -s -m 10 -o - -w '%{stderr}%{http_code}' "$@" "$LISTEN$path" 2> "$work/code"
}
get_local() {
	local path=$1
	shift
	curl -s -m 10 -o - -w '%{stderr}%{http_code}' --unix-socket "$work/lb/run/control.sock" "$@" \
		"http://localhost$path" 2> "$work/code"
}
get_agent() {
	local path=$1
	shift
	on web1 curl -s -m 10 -o - -w '%{stderr}%{http_code}' "$@" "$LISTEN_AGENT$path" 2> "$work/code"
}
get_agent_local() {
	local path=$1
	shift
	curl -s -m 10 -o - -w '%{stderr}%{http_code}' --unix-socket "$work/web1/run/control.sock" "$@" \
		"http://localhost$path" 2> "$work/code"
}
# answers CODE GET PATH OPTION…
answers() {
	local code=$1
	shift
	"$@" > "$work/body"
	equal "$(< "$work/code")" "$code"
}
metric() { # LINE-PATTERN
	grep -Eq -- "^$1\$" "$work/metrics"
}
scrape() {
	answers 200 get /metrics && mv "$work/body" "$work/metrics"
}
scraped() { # LINE-PATTERN
	scrape && metric "$1"
}

# Of one that is up.
must wait_until 20 agent_is web1 up
for way in get get_local get_agent get_agent_local; do
	fact "${way}_healthz_is_well" answers 200 "$way" /healthz
	fact "${way}_readyz_is_ready" answers 200 "$way" /readyz
	fact "${way}_is_the_page" answers 200 "$way" /
	fact "${way}_page_is_ours" says '<title>' cat "$work/body"
	fact "${way}_status_is_the_document" answers 200 "$way" /api/v1/status
	if [[ $way == get_agent* ]]; then
		fact "${way}_with_its_name_and_state" equal "$(jq -r '.name + " " + .state' "$work/body")" "web1 up"
	else
		fact "${way}_with_all_backends" equal "$(jq '[.virtual_servers[].backends[] | select(.state == "up")] | length' "$work/body")" 2
	fi
	fact "${way}_metrics_are_there" answers 200 "$way" /metrics
	fact "${way}_nothing_else" answers 404 "$way" /api/v1/flows
	fact "${way}_nothing_can_be_changed" answers 405 "$way" /metrics -X POST -d verb=standby
	fact "${way}_head_has_a_length" says '^Content-Length: [1-9]' "$way" /metrics -I
done
policy=$(get / -o /dev/null -D - | tr -d '\r' | sed -n 's/^Content-Security-Policy: //p')
fact the_page_has_a_strict_policy says "^default-src 'none'; script-src 'sha256-[A-Za-z0-9+/]*='; style-src 'sha256-[A-Za-z0-9+/]*='" echo "$policy"
fact which_lets_nothing_else_in not says "unsafe|http|\\*" echo "$policy"
fact another_host_is_misdirected answers 421 get /status -H 'Host: rebound.example.com'
fact large_headers_are_refused answers 431 get / -H "X-Large: $(printf '%09000d' 0)"

# The metrics are what the status says.
scrape
fact a_backend_is_up metric 'dsr_backend_state\{backend="web1",state="up"\} 1'
fact its_address_is_in_info metric "dsr_backend_info\\{backend=\"web1\",address=\"$(web_address web1)\",mac=\"[0-9a-f:]{17}\",source=\"agent\"\\} 1"
fact it_is_ready metric 'dsr_ready 1'
fact the_start_was_a_reload metric 'dsr_config_last_reload_successful 1'
fact every_reason_is_there_from_the_start metric 'dsr_dropped_packets_total\{reason="syn-rate"\} 0'
received() {
	sed -n 's/^dsr_received_packets_total //p' "$work/metrics"
}
before=$(received)
fetch / > /dev/null
scrape
fact packets_count at_least "$(received)" $((before + 1))
fact the_verb_says_the_same equal "$(lb metrics | grep -o '^dsr[a-z_]*' | sort -u)" "$(grep -o '^dsr[a-z_]*' "$work/metrics" | sort -u)"
must answers 200 get_agent /metrics
mv "$work/body" "$work/metrics_agent"
agent_metric() { # LINE-PATTERN
	grep -Eq -- "^$1\$" "$work/metrics_agent"
}
fact an_agent_is_up agent_metric 'dsr_agent_up 1'
fact it_has_the_vip agent_metric "dsr_agent_vip_present\\{vip=\"$VIP\"\\} 1"
fact its_check_succeeds agent_metric "dsr_agent_check_up\\{check=\"tcp:80\",vip=\"$VIP\"\\} 1"
fact every_metric_of_the_rules_exists equal "$(grep -rhoE '\bdsr_[a-z_]+' packaging/prometheus/dsr.rules.yml packaging/grafana/dsr.json |
	sort -u | while read -r name; do grep -qh "^# TYPE $name " "$work/metrics" "$work/metrics_agent" || printf '%s ' "$name"; done)" ""
if command -v promtool > /dev/null; then
	fact promtool_finds_no_fault exits 0 promtool check metrics < "$work/metrics"
	fact nor_in_an_agents exits 0 promtool check metrics < "$work/metrics_agent"
	{
		series_of "$work/metrics" dsr lb
		series_of "$work/metrics_agent" dsr-agents web1
	} > "$work/series"
	queries_of_dashboard > "$work/dashboard"
	queries_of_rules > "$work/rules"
	fact there_are_queries at_least "$(jq -s 'map(length) | min' "$work/dashboard" "$work/rules")" 20
	fact every_query_of_the_dashboard_has_samples queries_have_samples "$work/series" "$work/dashboard"
	fact every_series_of_the_rules_has_samples queries_have_samples "$work/series" "$work/rules"
	echo '["dsr_active", "dsr_ready{virtual_server=\"web\"}"]' > "$work/wrong"
	fact one_that_has_none_would_be_found not queries_have_samples "$work/series" "$work/wrong"
else
	for name in promtool_finds_no_fault nor_in_an_agents there_are_queries every_query_of_the_dashboard_has_samples \
		every_series_of_the_rules_has_samples one_that_has_none_would_be_found; do
		skip_fact "$name" 'no promtool here; tests/deps all brings it'
	done
fi

# Events, as they come.
on lb curl -sN "$LISTEN/api/v1/events" > "$work/stream" 2> /dev/null &
stream=$!
fact a_stream_begins_with_what_was_kept wait_until 10 says '^data: .*"virtual-server"' cat "$work/stream"
value_of() { # METRIC
	scrape && sed -n "s/^$1{backend=\"web2\"} //p" "$work/metrics"
}
changes=$(value_of dsr_backend_state_changes_total)
fact a_round_trip_is_in_seconds eval '[[ $(value_of dsr_backend_heartbeat_rtt_seconds | jq "0 < . and . < 0.3") == true ]]'
nothing_is_missed() {
	equal "$(value_of dsr_backend_heartbeats_missed)" 0
}
fact nothing_is_missed wait_until 5 nothing_is_missed
died_ms=$(now_ms)
daemon_stop web2 KILL
fact a_stream_tells_of_a_death wait_until 20 says '^data: .*"backend": *"web2".*"new": *"down"' cat "$work/stream"
fact a_metric_tells_of_it wait_until 5 scraped 'dsr_backend_state\{backend="web2",state="down"\} 1'
fact a_death_is_one_change equal "$(value_of dsr_backend_state_changes_total)" $((changes + 1))
fact its_heartbeats_are_missed at_least "$(value_of dsr_backend_heartbeats_missed)" 3
since_ms=$(value_of dsr_backend_state_since_timestamp_seconds | jq '. * 1000 | floor')
fact it_is_down_since_its_death at_least "$since_ms" "$died_ms"
fact and_not_since_later at_most "$since_ms" "$(now_ms)"
kill "$stream"
wait "$stream" 2> /dev/null
agent_start web2
must wait_until 20 backends_up 2

# A thousand who say nothing, and one who reads nothing, while the others go on.
idle_clients() {
	ulimit -n 4096
	on lb bash -c 'for ((i = 0; i < 1000; i++)); do exec {fd}<> /dev/tcp/127.0.0.1/9377 || exit; waiting+=("$fd"); done
		touch "$1"
		for ((try = 0; try < 20 && ${#waiting[@]} > 64; try++)); do
			still=()
			for fd in "${waiting[@]}"; do
				if IFS= read -r -N 1 -t 0.05 -u "$fd" first; then
					IFS= read -rd "" -t 10 -u "$fd" rest
					printf "%q\n" "$first$rest"
				else
					still+=("$fd")
				fi
			done
			waiting=("${still[@]}")
		done > "$1.heard"
		touch "$1.read"
		exec sleep 600' idle "$work/idle" > /dev/null 2>&1 &
	topology_pids+=("$!")
}
idle_clients
fact a_thousand_connect wait_until 20 test -e "$work/idle"
fact the_control_socket_has_places answers 200 get_local /healthz
fact status_goes_on exits 0 lb status
missed() {
	lb status --json | jq '[.virtual_servers[].backends[].heartbeats_missed] | add'
}
fact heartbeats_go_on equal "$(missed)" 0
fact somebody_who_speaks_has_a_place wait_until 10 answers 200 get /metrics
fact all_but_those_with_a_place_are_told wait_until 60 test -e "$work/idle.read"
fact that_is_all_that_find_none at_least "$(wc -l < "$work/idle.heard")" 936
fact each_by_the_same_words equal "$(sort -u "$work/idle.heard" | wc -l)" 1
fact which_are_503 says "^.'HTTP/1.1 503 Service Unavailable" head -n 1 "$work/idle.heard"
fact and_when_to_come_again says 'r.nRetry-After: 1.r.n' head -n 1 "$work/idle.heard"
fact no_backend_was_lost equal "$(jq '[.virtual_servers[].backends[] | select(.state == "up")] | length' <(lb status --json))" 2

# Somebody else has a VIP.
fact nobody_claims_a_vip scraped 'dsr_claims_total 0'
must ip_on router address add "$VIP/32" dev lo
fact a_claim_is_counted wait_until 20 scraped 'dsr_claims_total [1-9][0-9]*'
must ip_on router address del "$VIP/32" dev lo

# Readiness.
must agent web1 drain
fact a_host_that_drains_is_not_ready wait_until 5 answers 503 get_agent /readyz
fact and_says_that_it_drains says 'not ready: ' cat "$work/body"
must agent web1 enable
fact one_that_came_back_is wait_until 20 answers 200 get_agent_local /readyz
must lb standby
fact standby_is_not_ready wait_until 5 answers 503 get_local /readyz
fact and_says_why says 'not ready: .*standby' cat "$work/body"
must lb active
fact active_is_ready wait_until 5 answers 200 get_local /readyz

# The key.
configured() { # LINE…
	lb_default_config | sed "s/^interface = .*/&\n$1/"
}
lb_write_config < <(configured "http-listen = 127.0.0.1:9399\nmetrics-per-backend = no")
fact another_place_is_taken exits 0 lb reload
LISTEN=http://127.0.0.1:9399
fact and_answers answers 200 get /metrics
fact without_backends equal "$(grep -c '^dsr_backend' "$work/body")" 0
# Another balancer cannot have it, and says where it was told to.
mkdir "$work/other"
key_file "$work/other/keys" 0
lb_write_config other < <(configured "http-listen = 127.0.0.1:9399" | sed 's|/lb/keys|/other/keys|')
another_runs() {
	on lb "$work/bin/dsr-lb" run --config "$work/other/lb.conf" --runtime-dir "$work/other/run" > "$work/other/log" 2>&1
}
fact a_place_that_is_taken_is_refused exits 78 another_runs
fact with_its_line says "lb.conf:[0-9]*: http-listen: cannot listen on 127.0.0.1:9399: Address already in use" cat "$work/other/log"
lb_write_config < <(configured "http-listen = 127.0.0.1:9399\nmode = xyz")
fact a_bad_reload_is_a_metric exits 78 lb reload
fact which_says_so answers 200 get /metrics
fact that_it_failed says '^dsr_config_last_reload_successful 0$' cat "$work/body"
lb_write_config < <(configured "http-listen = off")
fact it_can_be_off exits 0 lb reload
fact and_nobody_answers not get /healthz
fact but_on_the_control_socket answers 200 get_local /healthz
