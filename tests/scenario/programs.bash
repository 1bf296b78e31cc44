# SPDX-License-Identifier: GPL-2.0-or-later
#
# Programs of others on the balancer's interface, and others who take its own away: it replaces
# nobody's, says whose stands in its way, and puts its own back, saying so once.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2 --no-nginx
servers_start 80
with_mode() {
	lb_configure < <(lb_default_config | sed "/^\[balancer\]/a mode = $1")
}
is_ours() {
	local id
	id=$(program_id lb eth0)
	[[ $id != 0 ]] && bpftool -j prog show id "$id" | jq -e ".name == \"dsr_$MODE\"" > /dev/null
}
# said PATTERN : how often, by the daemon that runs now.
said() {
	awk -v pattern="$1" '/^-- start at/ { n = 0 } $0 ~ pattern { n++ } END { print n + 0 }' "$work/lb/log"
}
serves() {
	[[ $(on client curl -sS --http0.9 --max-time 2 "telnet://$VIP:80" < /dev/null) == web* ]]
}
with_mode "$MODE"
lb_and_agents_start
must wait_until 30 membership_is_quiet
tool_start held client connections "$VIP:80" 100 300
must wait_until 30 connections_are held '.open == 100'
talk() {
	equal "$(tool_ask held round | jq -c '[.open, .broken]')" '[100,0]'
}

# said_back MORE : since then, more often than $times.
said_back() {
	equal "$(($(said 'was taken from the interface; it is back') - times))" "$1"
}
# taken HOW COMMAND… : on the balancer, which may be quicker than who looks whether it is gone.
taken() {
	local how=$1 times
	shift
	times=$(said 'was taken from the interface; it is back')
	must on lb "$@" > "$work/taken"
	must wait_until 20 said_back 1
	fact "taken_away_by_${how}_it_is_back" is_ours
	fact "connections_talk_after_${how}" talk
	fact "it_is_said_once_after_${how}" said_back 1
}
if [[ $MODE == xdp ]]; then
	taken xdp_off ip link set dev eth0 xdp off
	# Somebody is quicker: as long as the other program is there, nothing is forwarded, and why is told.
	stop_pid "${tool_pid[held]}"
	must signal_pid "${daemon_pid[lb]}" STOP
	on lb ip link set dev eth0 xdp off
	must on lb "$BUILD/tests/harness/xdp_pass" eth0
	must signal_pid "${daemon_pid[lb]}" CONT
	other=$(program_id lb eth0)
	told() {
		[[ $(lb_json .mode_reason) == *"another XDP program"*"id $other"* ]]
	}
	fact another_in_its_place_is_told_in_the_status wait_until 20 told
	fact without_an_engine_the_status_is_2 exits 2 lb status
	still_once() {
		must wait_until 20 told
		equal "$(said 'no engine can be started')" 1
	}
	since=$(lb_json .uptime_s)
	later() {
		[[ $(lb_json ".uptime_s > $since + 3") == true ]]
	}
	must wait_until 10 later
	fact the_log_says_it_once still_once
	fact the_other_stays equal "$(program_id lb eth0)" "$other"
	on lb ip link set dev eth0 xdp off
	fact when_the_other_goes_ours_is_back wait_until 20 is_ours
	fact clients_are_served_again wait_until 20 serves
else
	if [[ -n $(on lb "$BUILD/tests/harness/tcx" eth0) ]]; then
		taken detaching "$BUILD/tests/harness/tcx" eth0 detach
	else
		taken filter_del tc filter del dev eth0 ingress
		taken qdisc_del tc qdisc del dev eth0 clsact
	fi
	stop_pid "${tool_pid[held]}"
fi
daemon_stop lb
lb_forget lb

# Somebody was there before.
must on lb "$BUILD/tests/harness/xdp_pass" eth0
other=$(program_id lb eth0)
with_mode auto
lb_start
fact auto_takes_tc wait_until 20 lb_mode_is tc
fact its_reason_names_the_other says "xdp: another XDP program, .*id $other" lb_json .mode_reason
fact the_log_names_it_too equal "$(said "another XDP program, .*id $other")" 1
fact auto_leaves_the_other_alone equal \
	"$(ip_on lb -j -d link show dev eth0 | jq '.[0].xdp.prog.id')" "$other"
must wait_until 20 backends_up 2
fact auto_serves wait_until 20 serves
daemon_stop lb
lb_forget lb

must on lb "$BUILD/tests/harness/xdp_pass" eth0
other=$(program_id lb eth0)
with_mode xdp
lb_launch
must wait_until 20 lb_answers lb
refused() {
	[[ $(lb_json .mode_reason) == *"another XDP program"*"id $other"* ]]
}
fact xdp_refuses_and_the_status_says_why wait_until 20 refused
fact its_status_is_2 exits 2 lb status
fact it_is_not_active equal "$(lb_json .active)" false
fact the_status_text_says_it_too says "another XDP program" lb status
fact xdp_leaves_the_other_alone equal "$(program_id lb eth0)" "$other"
daemon_stop lb
fact also_at_its_end equal "$(program_id lb eth0)" "$other"
