# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# What administrators and scripts say and hear: verbs, exit statuses, JSON.
. "$(dirname "$0")/../netns/topology.bash"
# shellcheck source=tests/netns/verbs.bash
. "$(dirname "$0")/../netns/verbs.bash"

topology_up --webs 3
json_is_valid() {
	lb "$1" --json=short | jq -e 'type == "object" or type == "array"' > /dev/null
}
slow_ones_are_open() {
	(($(on client ss -Htn state established dst "$VIP" | wc -l) >= 30))
}

mkdir -p "$work/lb/run"
fact status_is_3_when_not_running exits 3 lb status
fact a_verb_is_69_when_not_running exits 69 lb drain web1
rmdir "$work/lb/run"
lb_start
fact status_is_2_without_backends exits 2 lb status
fact ready_is_1_without_backends exits 1 lb ready
agents_start
must wait_until 20 backends_up 3
fact status_is_0_when_all_is_well exits 0 lb status
fact ready_is_0 exits 0 lb ready
fact the_agents_status_is_0 wait_until 5 exits 0 agent web1 status

fact an_unknown_verb_is_64 exits 64 lb sing
fact a_missing_argument_is_64 exits 64 lb weight web1
fact a_weight_out_of_range_is_64 exits 64 lb weight web1 65536
fact an_unknown_backend_fails not lb drain nobody
fact metrics_are_prometheus_text says '^dsr_build_info[{]version=' lb metrics
fact version_names_the_version says '[0-9]+\.[0-9]+\.[0-9]+' "$work/bin/dsr-lb" --version

# Looking, as a table and as JSON.
for verb in status virtual-servers backends flows config; do
	fact "${verb}_prints" exits 0 lb "$verb"
	fact "${verb}_prints_json" json_is_valid "$verb"
done
fact config_says_where_a_key_is_set says "^$work/lb/lb.conf:[0-9]+: \[balancer\] interface = eth0$" lb config
fact config_says_what_is_default says '^default: \[balancer\] max-flows = 1M$' lb config
fact the_agents_config_too says "^$work/web1/agent.conf:[0-9]+: \[agent\] name = web1$" agent web1 config
fact status_has_schema_1 equal "$(lb_json .schema)" 1
fact the_mode_is_told equal "$(lb_json .mode)" "${MODE:-tc}"
fact backends_are_named equal "$(lb_json '[.virtual_servers[0].backends[].name] | sort | join(" ")')" "web1 web2 web3"
fact established_is_a_number equal "$(lb_json '[.virtual_servers[0].backends[].established | type] | unique | join(" ")')" number
fact the_agent_knows_its_balancer equal "$(agent web1 status --json | jq -r '.balancers[0].state')" up
fact the_agent_shows_its_vips equal "$(agent web1 status --json | jq '[.vips[] | select(.present)] | length')" 2
fact a_table_has_a_header says '^(BACKEND|NAME|VIRTUAL)' lb backends
fact no_header_leaves_it_out not says '^(BACKEND|NAME|VIRTUAL)' lb backends --no-header

# Explain tells the truth.
told() {
	local port answer
	for port in 30001 30002 30003 30004 30005; do
		answer=$(on client curl -sS --max-time 5 --local-port "$port" "http://$VIP/") || return 1
		equal "$answer" "$(lb explain "$CLIENT:$port" "$VIP:80" --json | jq -r .backend)" || return 1
	done
}
fact explain_tells_where_a_connection_goes told
fact explain_says_how equal "$(lb explain "$CLIENT:1" "$VIP:80" --json | jq -r '.verdict + " " + .how')" "forward hash"
fact explain_knows_what_is_not_served equal "$(lb explain "$CLIENT:1" "$VIP:81" --json | jq -r '.verdict + " " + .reason')" "pass no-service"
fact explain_tells_a_story says '^ 1\. Packet: a TCP SYN from' lb explain "$CLIENT" "$VIP"
fact explain_tells_what_would_change_it says '\. Change: a drain of web[12]' lb explain "$CLIENT" "$VIP"
fact explain_knows_no_other_owner_of_a_settled_row equal \
	"$(lb explain "$CLIENT:1" "$VIP:80" --json | jq -r '.alternative')" null
fact explain_knows_other_protocols equal "$(lb explain "$CLIENT" "$VIP:80" sctp --json | jq -r .reason)" no-service
fact explain_refuses_nonsense exits 64 lb explain "$CLIENT:1" "$VIP:80" nothing

must wait_until 30 membership_is_quiet
start_on client "$work/slow" curl -sS --no-progress-meter -Z --parallel-immediate --parallel-max 30 --max-time 60 \
	-w '%{http_code} %{size_download}\n' -o /dev/null "http://$VIP/slow/1M?[1-30]"
slow_pid=$started
must wait_until 20 slow_ones_are_open
fact drain_succeeds exits 0 lb drain web1
fact a_draining_backend_says_so equal "$(backend_field state web1)" drain
fact it_has_a_reason not equal "$(backend_field reason web1)" ""
fact new_requests_go_elsewhere equal "$(answer_names "$VIP" 60)" "web2 web3 "
fact status_is_1_when_one_drains exits 1 lb status
fact enable_succeeds exits 0 lb enable web1
fact it_is_up_again wait_until 10 backend_is web1 up
must lb drain web1
must wait_until 60 gone "$slow_pid"
fact no_transfer_is_broken_by_the_drain equal "$(grep -c '^200 1048576$' "$work/slow")" 30
fact drain_wait_ends_when_nothing_is_open exits 0 timeout 60 "$work/bin/dsr-lb" drain web1 --wait=30s --runtime-dir "$work/lb/run"
must lb enable web1
# A second is less than the two that the reports of what is open may lag.
runs_out() {
	local status=0
	lb drain web2 --wait=1s 2> "$work/ran_out" || status=$?
	equal "$status" 75
}
fact a_wait_that_ran_out_is_75 runs_out
fact and_says_what_it_waited_for says '^dsr-lb: web2: (no flow is known to be open|[1-9][0-9]* flows are still open)' \
	cat "$work/ran_out"
must lb enable web2
must wait_until 10 backend_is web2 up
fact disable_succeeds exits 0 lb disable web2
fact a_disabled_backend_is_in_maintenance equal "$(backend_field state web2)" maint
fact nothing_goes_to_it equal "$(answer_names "$VIP" 60)" "web1 web3 "
must lb enable web2
must wait_until 10 backend_is web2 up
fact weight_succeeds exits 0 lb weight web3 10
fact the_weight_is_shown equal "$(backend_field weight web3)" 10
must lb reload
fact a_reload_leaves_the_weight equal "$(backend_field weight web3)" 10
fact by_address_it_is_the_same_backend exits 0 lb weight "$(web_address web3)" 1

# Every verb of tests/verbs.table: by root, as JSON, by a stranger, by a member of the group.
must wait_until 20 exits 0 lb status
"$work/bin/dsr-lb" keygen main master >> "$work/lb/keys"
printf -- '-A -t %s:80 -s mh\n-a -t %s:80 -r 192.0.2.11:80 -g -w 1\n' "$VIP" "$VIP" > "$work/ipvs"
verb_programs=$work/bin verb_file=$work/ipvs
verb_token=$(on lb "$work/bin/dsr-lb" token web9 --config "$work/lb/lb.conf" --runtime-dir "$work/lb/run")
must test -n "$verb_token"
walk_on() { # HOST UID
	walk_host=$1 walk_uid=$2
	verb_directories=(--runtime-dir "$work/$1/run" --state-dir "$work/$1/state")
	verb_config=$work/$1/agent.conf
	[[ $1 != lb ]] || verb_config=$work/lb/lb.conf
}
walk_as() { # UID GID
	verb_as=(nsenter "--net=/run/netns/$DSR_TEST_RUN-$walk_host" setpriv --reuid "$1" --regid "$2" --clear-groups --bounding-set -all)
}
walk() { # PROGRAM VERB RIGHT WRONG WITH WITHOUT STRANGER MEMBER JSON
	verb_as=(nsenter "--net=/run/netns/$DSR_TEST_RUN-$walk_host")
	fact "$1_$2_ends_with_$5" verb_is_right "$5" "$1" "$2" "$3"
	fact "$1_$2_refuses_what_makes_no_sense" verb_is_right 64 "$1" "$2" "$4"
	[[ $9 != yes ]] || fact "$1_$2_says_json" verb_says_json "$5" "$1" "$2" "$3"
	[[ $9 != no ]] || fact "$1_$2_takes_json" verb_is_right "$5" "$1" "$2" "$3" --json
	walk_as 64777 64777
	fact "a_stranger's_$1_$2_ends_with_$7" verb_is_right "$7" "$1" "$2" "$3"
	walk_as 64777 "$walk_uid"
	fact "a_member's_$1_$2_ends_with_$8" verb_is_right "$8" "$1" "$2" "$3"
}
# What `capture` waits for.
tool_start walked client new_flows "$VIP:80" 20
walk_on lb "$LB_UID"
verb_rows walk dsr-lb
tool_end walked > /dev/null
must wait_until 30 backends_up 3
walk_on web1 "$AGENT_UID"
verb_rows walk dsr-agent
must wait_until 30 backends_up 3
fact all_is_well_behind_them wait_until 20 exits 0 lb status

# The agent's own wishes.
fact the_agent_can_drain_itself exits 0 agent web3 drain
fact the_balancer_hears_it wait_until 5 backend_is web3 drain
fact the_agent_can_come_back exits 0 agent web3 enable
fact the_balancer_hears_that_too wait_until 10 backend_is web3 up
fact the_agent_can_disable_itself exits 0 agent web3 disable
fact the_balancer_hears_maintenance wait_until 5 backend_is web3 maint

# Without an IPv4 VIP there is nothing to silence: no interface is blamed.
sed -i "s/^vip = .*/vip = $VIP6/" "$work/web3/agent.conf"
must agent web3 reload
fact without_ipv4_vips_arp_is_as_before_and_right equal "$(agent web3 status --json |
	jq -c '[.arp[] | [.arp_ignore, .ok]] | unique')" '[[0,true]]'

# Others may neither look nor change; the service's user may both.
as_user() {
	setpriv --reuid "$1" --regid "$2" --clear-groups --bounding-set -all "$work/bin/dsr-lb" "${@:3}" \
		--runtime-dir "$work/lb/run"
}
fact a_stranger_may_not_look not as_user 64777 64777 status
fact a_member_of_the_group_may_look says web1 as_user 64777 "$LB_UID" backends
fact a_member_of_the_group_may_not_change exits 77 as_user 64777 "$LB_UID" drain web1
fact the_services_user_may_change exits 0 as_user "$LB_UID" "$LB_UID" enable web1
