# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Two balancers as doc/two-balancers.md says, with keepalived and the files of packaging/keepalived: for each set-up of them the
# service goes over and comes back, on purpose, under open connections, of which none breaks and no frame is lost.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/balancers.bash"

command -v keepalived > /dev/null || skip "no keepalived; \`apt-get install keepalived\` (or \`tests/deps all\`) installs it"

PAGE=doc/two-balancers.md
topology_up --webs 3 --balancers 2 --no-nginx
servers_start 80

# pair_configure HEADING : both, by the page's block.
pair_configure() {
	local name
	for name in lb lb2; do
		balancer_from_page "$name" "$1"
	done
}
pair_stop() {
	stop_pid "${keepalived_pid[lb2]}"
	stop_pid "${keepalived_pid[lb]}"
	must wait_until 10 state_is lb lingering
	must as_page_says $PAGE lb 'dsr-lb standby --linger=0'
	must dsr_lb lb active
}
# goes_over WORDS FROM TO COMMAND… : what is done on purpose, and what clients see of it.
goes_over() {
	local words=$1 from=$2 to=$3
	shift 3
	frames_watch
	must "$@"
	fact "${words}_the_other_takes_over" wait_until 10 state_is "$to" active
	fact "the_former_lingers_$words" state_is "$from" lingering
	fact "the_way_has_changed_$words" wait_until 5 "$is_with" "$to"
	fact "no_connection_breaks_$words" all_talk
	fact "no_frame_is_lost_$words" frames_lost_at_most "$may_lose"
}
# both_ways NAME : by a standby, and back by the end of keepalived.
both_ways() {
	goes_over "with_$1_by_standby" lb lb2 as_page_says $PAGE lb 'dsr-lb standby'
	must as_page_says $PAGE lb 'dsr-lb active'
	must wait_until 10 is_backup lb
	goes_over "with_$1_by_its_stop" lb2 lb stop_pid "${keepalived_pid[lb2]}"
}
# has_the_virtual_mac NAME : the switch sends there what is for it.
has_the_virtual_mac() {
	[[ $(on switch bridge fdb show br br0 | awk '$1 == "00:00:5e:00:01:33" { print $3 }') == "$1" ]]
}
is_with=is_served_by may_lose=0

pair_configure "On both balancers"
lb_start lb
lb_start lb2
for name in web1 web2 web3; do
	server_from_page "$name"
done
all_have_joined 3 lb lb2
fact without_an_address_both_are_on_standby equal "$(lb_json .state lb) $(lb_json .state lb2)" "standby standby"
for name in lb lb2; do
	fact "ready_on_$name" as_page_says $PAGE "$name" 'dsr-lb ready'
done
pair_start vip.conf
fact the_first_becomes_active state_is lb active
hold_both held 400 200
fact the_second_is_not equal "$(lb_json .state lb2)" standby
fact one_says_active says '^.*active' as_page_says $PAGE lb 'dsr-lb status'
fact the_other_says_why_not says "not active.*active-when: $VIP is not on this host" as_page_says $PAGE lb2 'dsr-lb status'
digest_of() {
	as_page_says $PAGE "$1" 'dsr-lb status --json' | jq -r '.virtual_servers[0].table_digest'
}
fact the_tables_are_alike equal "$(digest_of lb)" "$(digest_of lb2)"
fact rows_are_explained says 'web[123]' as_page_says $PAGE lb 'dsr-lb explain' "$CLIENT:1234" "$VIP:80"
both_ways vips_on_lo
pair_stop

pair_start vip.conf 's/dev lo/dev eth0/'
fact the_vip_is_on_the_interface says "$VIP" ip_on lb -o address show dev eth0
both_ways vips_on_eth0
pair_stop

# Told by events instead of asked each second.
for name in lb lb2; do
	tracker_start "$name"
done
echo 'dsr-lb events -f' >> "$work/page_done"
pair_start track.conf
# became NAME STATE : when it did the last time, by its own stamp, in ms since 1970.
became() {
	date -d "$(dsr_lb "$1" events --json | jq -r "select(.event == \"active\" and .new == \"$2\").time" | tail -n 1)" +%s%3N
}
# hand_over FROM TO : how long after the one's word the other is active, among $took.
hand_over() {
	must wait_until 10 is_backup "$2"
	must dsr_lb "$1" standby
	must wait_until 10 state_is "$2" active
	took+=($(($(became "$2" active) - $(became "$1" lingering))))
	must dsr_lb "$1" active
}
# A script is asked up to a second later; a machine that is busy gives one of them no time now and then.
took=()
for way in "lb lb2" "lb2 lb" "lb lb2" "lb2 lb" "lb lb2"; do
	# shellcheck disable=SC2086
	hand_over $way
done
note "the other is active after ${took[*]} ms"
mapfile -t took < <(printf '%s\n' "${took[@]}" | sort -n)
fact told_by_events_most_take_a_quarter_of_a_second_at_most at_most "${took[2]}" $((250 * SLOW))
files_are() {
	[[ "$(cat "$work/lb/ready") $(cat "$work/lb2/ready")" == "$1" ]]
}
fact the_files_say_what_ready_says wait_until 2 files_are "0 0"
fact nothing_has_broken_by_that all_talk
daemon_stop lb2 KILL
the_second_is_away() {
	[[ $(cat "$work/lb2/ready") != 0 ]]
}
fact of_a_daemon_that_died_the_file_tells wait_until 5 the_second_is_away
fact and_the_other_takes_over wait_until 5 state_is lb active
fact and_of_its_return eval 'lb_start lb2 && wait_until 10 is_backup lb2'
pair_stop

# An address of their own instead: the VIPs are on neither host.
pair_configure "Without VIPs on the balancers"
for name in lb lb2; do
	must dsr_lb "$name" reload
done
pair_start address.conf
fact they_have_no_vip equal "$(ip_on lb -o address show to "$VIP" | wc -l)" 0
both_ways an_address
pair_stop

if [[ $MODE == xdp ]]; then
	skip_fact with_a_virtual_mac "XDP cannot run on a macvlan, and mode = xdp is refused there"
else
	# Between this set-up and the former nobody forwards, for longer than a connection is waited for.
	release
	for name in lb lb2; do
		daemon_stop "$name"
		lb_forget "$name"
	done
	pair_configure "With a virtual MAC"
	for name in lb lb2; do
		# Its interface comes with keepalived.
		lb_launch "$name"
	done
	all_have_joined 3 lb lb2
	is_with=has_the_virtual_mac
	pair_start vmac.conf
	hold_both held 400 200
	fact it_is_the_virtual_mac wait_until 5 has_the_virtual_mac lb
	fact the_router_knows_it equal "$(on router ip -j neigh show to "$VIP" dev eth0 | jq -r '.[0].lladdr')" 00:00:5e:00:01:33
	both_ways a_virtual_mac
	fact the_router_has_learnt_nothing equal "$(on router ip -j neigh show to "$VIP6" dev eth0 | jq -r '.[0].lladdr')" 00:00:5e:00:01:33
	pair_stop
fi
fact nothing_of_the_page_was_left_out page_is_done $PAGE
