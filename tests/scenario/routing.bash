# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Two balancers behind a router that learns the VIPs of them, by each pair of files of packaging/bird and packaging/frr: a standby, a
# death, a return. The kernel's routes are what routing daemons take, and nothing else of theirs goes out.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/balancers.bash"

PAGE=doc/many-balancers.md
topology_up --webs 3 --balancers 2 --no-nginx
servers_start 80
router_learns
for name in lb lb2; do
	balancer_from_page "$name" "On each balancer"
	# What is not dsr-lb's, and would be a VIP by its prefix; and what is of its kind, and no VIP.
	ip_on "$name" route add blackhole 203.0.113.99/32 proto 83
	lb_start "$name"
done
for name in web1 web2 web3; do
	server_from_page "$name"
done
all_have_joined 3 lb lb2
routing_end() {
	local host pid
	for host in lb lb2 router; do
		for pid in $(pgrep -P "${routing_pids[$host]}") ${routing_pids[$host]}; do
			stop_pid "$pid"
		done
		unset "routing_pids[$host]"
	done
}
# shares WORDS START BALANCER-FILE ROUTER-FILE
shares() {
	local words=$1 start=$2 name shows
	read -ra shows <<< "$(page_block $PAGE "On each balancer" sh)"
	"$start" router "$4"
	for name in lb lb2; do
		"$start" "$name" "$3"
	done
	fact "the_router_has_two_ways_$words" wait_until 40 ways 2
	for name in lb lb2; do
		fact "${name}_has_the_routes_that_the_page_shows_$words" says "blackhole $VIP" on "$name" \
			"${shows[@]}"
	done
	fact "and_hears_of_vips_alone_$words" equal "$(ip_on router route show 203.0.113.99 | wc -l)" 0
	hold_both held 1400 600
	forwarded=$(lb_json .packets.forwarded lb2)
	must as_page_says $PAGE lb2 'dsr-lb standby'
	fact "a_standby_is_left_out_$words" wait_until 5 ways 1
	fact "its_connections_go_on_$words" all_talk
	must as_page_says $PAGE lb2 'dsr-lb active'
	fact "active_it_is_shared_again_$words" wait_until 10 ways 2
	fact "and_nothing_breaks_$words" all_talk
	fact "both_forwarded_$words" at_least $(($(lb_json .packets.forwarded lb2) - forwarded)) 100
	release
}
# dies WORDS START BALANCER-FILE : and comes back.
dies() {
	hold_both held 1400 600
	power_off lb2
	fact "dead_the_other_is_left_$1" wait_until 10 ways 1
	fact "whose_connections_go_on_too_$1" all_talk
	power_on lb2
	lb_start lb2
	all_have_joined 3 lb2
	"$2" lb2 "$3"
	fact "come_back_it_is_shared_again_$1" wait_until 40 ways 2
	fact "and_nothing_breaks_by_its_return_$1" all_talk
	release
	routing_end
	fact "without_routing_daemons_there_is_no_way_$1" wait_until 10 ways 0
}
if ! command -v bird > /dev/null; then
	skip_fact by_bird "no bird; \`apt-get install bird2\` (or \`tests/deps all\`) installs it"
else
	shares bgp_by_bird bird_start balancer.conf router.conf
	dies bgp_by_bird bird_start balancer.conf
	shares ospf_by_bird bird_start balancer-ospf.conf router-ospf.conf
	dies ospf_by_bird bird_start balancer-ospf.conf
fi
if ! command -v vtysh > /dev/null; then
	skip_fact by_frr "no frr; \`apt-get install frr\` (or \`tests/deps all\`) installs it"
else
	shares bgp_by_frr frr_start balancer.conf router.conf
	dies bgp_by_frr frr_start balancer.conf
fi
if [[ -e $work/page_done ]]; then
	fact the_status_is_well exits 0 as_page_says $PAGE lb 'dsr-lb status'
	fact it_names_the_other_balancer says "$LB2" as_page_says $PAGE lb 'dsr-lb status --json'
	fact nothing_of_the_page_was_left_out page_is_done $PAGE
fi
