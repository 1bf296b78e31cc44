# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The HTTP surface, by curl: each path at http-listen and on the control socket, what is refused, what strangers can
# have, and that a thousand of them cost nobody anything.
. "$(dirname "$0")/../netns/topology.bash"

LISTEN=http://127.0.0.1:9377
topology_up --webs 2
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

for way in get get_local; do
	fact "${way}_healthz_is_well" answers 200 "$way" /healthz
	fact "${way}_readyz_is_ready" answers 200 "$way" /readyz
	fact "${way}_is_the_page" answers 200 "$way" /
	fact "${way}_page_is_ours" says '<title>' cat "$work/body"
	fact "${way}_status_is_the_document" answers 200 "$way" /api/v1/status
	fact "${way}_with_all_backends" equal "$(jq '[.virtual_servers[].backends[] | select(.state == "up")] | length' "$work/body")" 2
	fact "${way}_metrics_are_there" answers 200 "$way" /metrics
	fact "${way}_nothing_else" answers 404 "$way" /api/v1/flows
	fact "${way}_nothing_can_be_changed" answers 405 "$way" /metrics -X POST -d verb=standby
	fact "${way}_head_has_a_length" says '^Content-Length: [1-9]' "$way" /metrics -I
done
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
if command -v promtool > /dev/null; then
	fact promtool_finds_no_fault exits 0 promtool check metrics < "$work/metrics"
else
	skip_fact promtool_finds_no_fault 'no promtool here; tests/deps all brings it'
fi
fact every_metric_of_the_rules_exists equal "$(grep -rhoE '\bdsr_[a-z_]+' packaging/prometheus/dsr.rules.yml packaging/grafana/dsr.json |
	grep -v '^dsr_agent' | sort -u | while read -r name; do grep -q "^# TYPE $name " "$work/metrics" || printf '%s ' "$name"; done)" ""

# Events, as they come.
on lb curl -sN "$LISTEN/api/v1/events" > "$work/stream" 2> /dev/null &
stream=$!
fact a_stream_begins_with_what_was_kept wait_until 10 says '^data: .*"virtual-server"' cat "$work/stream"
daemon_stop web2 KILL
fact a_stream_tells_of_a_death wait_until 20 says '^data: .*"backend": *"web2".*"new": *"down"' cat "$work/stream"
fact a_metric_tells_of_it wait_until 5 scraped 'dsr_backend_state\{backend="web2",state="down"\} 1'
kill "$stream"
wait "$stream" 2> /dev/null
agent_start web2
must wait_until 20 backends_up 2

# A thousand who say nothing, and one who reads nothing, while the others go on.
idle_clients() {
	ulimit -n 4096
	on lb bash -c 'for ((i = 0; i < 1000; i++)); do exec {fd}<> /dev/tcp/127.0.0.1/9377 || exit; done
		touch "$1"; exec sleep 600' idle "$work/idle" > /dev/null 2>&1 &
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
fact no_backend_was_lost equal "$(jq '[.virtual_servers[].backends[] | select(.state == "up")] | length' <(lb status --json))" 2

# Readiness.
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
