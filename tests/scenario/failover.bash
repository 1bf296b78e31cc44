# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Two balancers with keepalived and 2,000 open connections, half of which began while rows moved: power fails, at both pairs of
# advert_int; and what is done on purpose: another build, another layout, a reboot. Nothing breaks, and of what is done on purpose
# nothing is lost.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/balancers.bash"

command -v keepalived > /dev/null || skip "no keepalived; \`apt-get install keepalived\` (or \`tests/deps all\`) installs it"

PAGE=doc/two-balancers.md
topology_up --webs 4 --balancers 2 --no-nginx
servers_start 80

# udp_says CONDITION NAME… : every flow is answered, and this holds; datagrams that the machine dropped, half of them at most, are
# asked again.
udp_says() {
	local name said result=0
	for name in "${@:2}"; do
		said=$(tool_ask "$name" patiently)
		note "$name: $said"
		jq -e ".answered == .asked and .again <= .asked / 2 and $1" <<< "$said" > /dev/null || result=1
	done
	return "$result"
}
# udp_stays [NAME…] : each flow is answered by who answered it first.
udp_stays() {
	(($# > 0)) || set -- flows flows6
	udp_says '.moved == 0' "$@"
}
# udp_moves_with_its_row NAME… : of flows from before the fourth server, a quarter by the rows: they are its own now, and no others are.
udp_moves_with_its_row() {
	udp_says '.moved == (.servers.web4 // 0) and .moved >= .asked / 8 and .moved <= .asked * 3 / 8' "$@"
}
# udp_begins NAME : flows to the VIPs of both families, as NAME and NAME6.
udp_begins() {
	tool_start "$1" client udp_flows "$VIP:80" 400
	tool_start "${1}6" client udp_flows "[$VIP6]:80" 200
	must udp_stays "$1" "${1}6"
}
agent_as_on_the_page() {
	agent_capabilities=+net_admin,+bpf server_from_page "$1" '/^\[agent\]/a second-chance = yes'
}
servers=3
# So long after its start a balancer takes every UDP flow for one from before, which its row's base has (doc/adr/0013-flows-seen.md).
udp_timeout=1h
# comes_back NAME [SCRIPT] : after its power failed.
comes_back() {
	power_on "$1"
	lb_start "$1"
	all_have_joined "$servers" "$1"
	keepalived_start "$1" vip.conf "${2:-}"
	must wait_until 10 is_backup "$1"
}
rows_move() {
	[[ $(dsr_lb "$1" metrics | awk '/^dsr_moving_slots/ { n += $2 } END { print n + 0 }') != 0 ]]
}
has_its_weight() {
	[[ $(backend_field share web4 "$1") == 0.2[45]* ]]
}
# all_start [SCRIPT] : everything from its beginning, and 1,000 connections.
all_start() {
	local name
	servers=3
	for name in lb lb2; do
		balancer_from_page "$name" "On both balancers" "/^\[virtual-server/a protocol = any\nudp-timeout = $udp_timeout"
		lb_start "$name"
	done
	for name in web1 web2 web3; do
		agent_as_on_the_page "$name"
	done
	all_have_joined 3 lb lb2
	pair_start vip.conf "$@"
	must wait_until 10 is_served_by lb
	hold_both old 700 300
}
all_end() {
	local name
	release flows flows6
	for name in lb lb2; do
		stop_pid "${keepalived_pid[$name]}"
	done
	for name in web1 web2 web3 web4 lb lb2; do
		daemon_stop "$name"
	done
	for name in lb lb2; do
		power_off "$name"
		power_on "$name"
	done
}
# rows_begin_to_move : a fourth server, and 1,000 connections that begin then.
rows_begin_to_move() {
	servers=4
	agent_as_on_the_page web4
	for name in lb lb2; do
		must wait_until 20 backends_up 4 "$name"
		must wait_until 5 rows_move "$name"
		must wait_until 30 has_its_weight "$name"
	done
	hold_both new 700 300
	fact "the_fourth_has_some_$1" at_least "$(tool_ask new | jq '.servers.web4 // 0')" 50
	fact "all_2000_talk_$1" all_talk
}
# done_on_purpose WORDS : what was done since frames_watch.
done_on_purpose() {
	fact "no_connection_breaks_$1" all_talk
	fact "no_frame_is_lost_$1" frames_lost_at_most 0
}
# hand_over FROM TO
hand_over() {
	must dsr_lb "$1" standby
	must wait_until 10 state_is "$2" active
	must wait_until 10 is_served_by "$2"
}
may_again() {
	must dsr_lb "$1" active
	must wait_until 10 is_backup "$1"
	must wait_until 10 dsr_lb "$1" ready
}
often='s/advert_int 1/advert_int 0.2/'

# ---- five advertisements a second ----
all_start "$often"
udp_begins flows
fact at_five_advertisements_a_second_within_1_s served_within 1000 power_off lb
fact by_the_other_one equal "$(lb_json .state lb2)" active
fact no_connection_is_broken all_talk
fact no_udp_flow_has_moved udp_stays
comes_back lb "$often"

# The active one in its place: programs in the kernel go on, the packet engine does not.
if [[ $MODE != packet ]]; then
	frames_watch
	daemon_stop lb2
	lb_start lb2
	must wait_until 10 backends_up 3 lb2
	done_on_purpose by_a_restart_of_the_active_one
fi
# The way for all engines, and for a build that keeps its state in another layout: the other serves meanwhile.
for build in "$BUILD/tests/next/dsr-lb" "$BUILD/dsr-lb"; do
	words=by_an_upgrade
	[[ $build == */next/* ]] || words=by_the_way_back
	frames_watch
	# keepalived may have asked in the moment of the restart above, and taken the other.
	if [[ $(lb_json .state lb2) != active ]]; then
		hand_over lb lb2
		may_again lb
	fi
	hand_over lb2 lb
	daemon_stop lb2
	install -m 755 "$build" "$work/bin/dsr-lb.new"
	mv "$work/bin/dsr-lb.new" "$work/bin/dsr-lb"
	lb_start lb2
	all_have_joined 3 lb2
	may_again lb2
	hand_over lb lb2
	may_again lb
	done_on_purpose "$words"
done
# systemd stops keepalived first, then the rest.
frames_watch
stop_pid "${keepalived_pid[lb2]}"
must wait_until 10 state_is lb active
must wait_until 10 is_served_by lb
daemon_stop lb2
power_off lb2
fact it_is_served_during_a_reboot try_connect "$VIP"
comes_back lb2 "$often"
hand_over lb lb2
may_again lb
done_on_purpose by_a_reboot_and_the_way_back
fact and_no_udp_flow_has_moved udp_stays

rows_begin_to_move "at_five"
frames_watch
hand_over lb2 lb
may_again lb2
hand_over lb lb2
may_again lb
done_on_purpose by_a_standby_and_back_while_rows_move
fact while_rows_move_within_1_s_too served_within 1000 power_off lb2
fact by_the_first_again equal "$(lb_json .state lb)" active
fact none_of_2000_connections_is_broken all_talk
note "second chance: $(lb_json .second_chance.named lb) frames named another server"
# The first one came back within the hour, before there was a fourth server.
fact no_udp_flow_has_moved_while_rows_did udp_stays

# ---- keepalived's defaults ----
all_end
# Both know by the time that servers have joined which flows they have heard of.
udp_timeout=5s
all_start
udp_begins before
rows_begin_to_move "at_one"
# Some begin at the fourth server, where the other balancer would have them begin, too.
udp_begins flows
fact some_udp_flows_begin_at_the_fourth at_least "$(tool_ask flows patiently | jq '.servers.web4 // 0')" 50
fact by_the_defaults_within_4_s served_within 4000 power_off lb
fact by_the_second equal "$(lb_json .state lb2)" active
fact none_of_2000_is_broken_by_the_defaults all_talk
fact no_udp_flow_begun_while_rows_move_has_moved udp_stays
# A second chance is TCP's: of UDP a flow that the other one never heard of begins, and in a row that moves at its new owner.
fact those_from_before_move_with_their_rows_and_no_others udp_moves_with_its_row before before6
note "second chance: $(lb_json .second_chance.named lb2) frames named another server"
