# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Two, four, eight balancers that share 2,000 connections, behind a router that learns of them by BGP: they are added, drained, and die,
# while the servers stay the same, and then while rows move, with second-chance = yes. No connection breaks; errors about packets that
# meet another balancer than their connection find its server.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/balancers.bash"

command -v bird > /dev/null || skip "no bird; \`apt-get install bird2\` (or \`tests/deps all\`) installs it"

PAGE=doc/many-balancers.md
balancers=(lb lb2 lb3 lb4 lb5 lb6 lb7 lb8)
topology_up --webs 4 --balancers 8
servers_start 81
router_learns
# Of the errors to the VIP none is left out.
on router sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0

every=192.0.2.2
for idx in 3 4 5 6 7 8 9; do
	every+=", 192.0.2.$idx"
done
agent_as_on_the_page() {
	agent_capabilities=+net_admin,+bpf server_from_page "$1" "s/^balancer = .*/balancer = $every/; /^\[agent\]/a second-chance = yes"
}
servers=3
# join_all NAME… : as balancers that have nothing.
join_all() {
	local name
	for name; do
		balancer_from_page "$name" "On each balancer" 's/^port = .*/port = 80, 81/'
		lb_start "$name"
		bird_start "$name" balancer.conf
	done
	all_have_joined "$servers" "$@"
}
all_tables_are_alike() {
	[[ $(for name in "$@"; do lb_json '.virtual_servers[0].table_digest' "$name"; done | sort -u | wc -l) == 1 ]]
}
# forwarding NAME… : how many of them do, as frames of the next two seconds say.
forwarding() {
	local name before=() n=0 idx=0
	for name; do
		before+=("$(lb_json .packets.forwarded "$name")")
	done
	all_talk > /dev/null
	for name; do
		(($(lb_json .packets.forwarded "$name") < before[idx++] + 50)) || n=$((n + 1))
	done
	printf '%d' "$n"
}

bird_start router router.conf
for name in web1 web2 web3; do
	agent_as_on_the_page "$name"
done
join_all lb lb2
fact two_ways wait_until 30 ways 2
hold_both old 1400 600 81
fact both_forward equal "$(forwarding lb lb2)" 2

join_all lb3 lb4
fact four_ways wait_until 30 ways 4
fact four_forward equal "$(forwarding lb lb2 lb3 lb4)" 4
fact none_of_2000_breaks_by_the_third_and_fourth all_talk
join_all lb5 lb6 lb7 lb8
fact eight_ways wait_until 30 ways 8
fact eight_forward equal "$(forwarding "${balancers[@]}")" 8
fact none_of_2000_breaks_by_four_more all_talk
fact all_eight_have_one_table all_tables_are_alike "${balancers[@]}"
each_knows_seven() {
	[[ $(lb_json '.balancers | length' lb) == 7 && $(lb_json '.balancers | length' lb8) == 7 ]]
}
fact each_knows_the_seven_others wait_until 30 each_knows_seven

# An error of the router about a packet of the VIP goes the way of its own addresses, not that of the connection.
for idx in 1 2 3 4 5 6 7 8; do
	name=${balancers[idx - 1]}
	count_frames switch "$name" egress "errors-$name" "icmp type destination-unreachable"
	on switch nft add rule netdev "count-errors-$name" egress icmpv6 type packet-too-big counter name frames
done
transfers_held "$VIP" "$work/go" &
transfers_held "$VIP6" "$work/go6" &
must wait_until 20 test -e "$work/go.open"
must wait_until 20 test -e "$work/go6.open"
ip_on router link set dev clients mtu 1300
touch "$work/go" "$work/go6"
wait %1 %2
fact errors_reach_the_right_server equal "$(cat "$work/go.whole") $(cat "$work/go6.whole")" "24 24"
ip_on router link set dev clients mtu 1500
met=$(for name in "${balancers[@]}"; do counted switch "errors-$name"; done | xargs)
note "errors by balancer: $met"
met_several() {
	(($(tr ' ' '\n' <<< "$met" | grep -vcx 0) >= 3))
}
fact and_met_several_balancers met_several

for name in lb3 lb4; do
	must as_page_says $PAGE "$name" 'dsr-lb standby'
done
fact two_drained_are_left_out wait_until 5 ways 6
fact none_of_2000_breaks_by_a_drain all_talk
for name in lb5 lb6; do
	power_off "$name"
done
fact two_dead_are_left_out wait_until 10 ways 4
fact none_of_2000_breaks_by_two_deaths all_talk
for name in lb3 lb4; do
	must as_page_says $PAGE "$name" 'dsr-lb active'
done
fact the_drained_come_back wait_until 10 ways 6
fact none_of_2000_breaks_by_their_return all_talk

# A fourth server: from here on rows move at all balancers, and each has records of its own connections alone.
servers=4
agent_as_on_the_page web4
has_its_weight() {
	[[ $(backend_field share web4 "$1") == 0.2[45]* ]]
}
for name in lb lb2 lb3 lb4 lb7 lb8; do
	must wait_until 20 backends_up 4 "$name"
	must wait_until 30 has_its_weight "$name"
done
fact a_server_that_joins_breaks_none all_talk
hold_both new 700 300 81
fact it_has_some_of_the_new_ones at_least "$(tool_ask new | jq '.servers.web4 // 0')" 50
must as_page_says $PAGE lb7 'dsr-lb standby'
fact while_rows_move_one_is_drained wait_until 5 ways 5
fact none_of_3000_breaks_by_that all_talk
power_off lb8
fact one_dies wait_until 10 ways 4
fact none_of_3000_breaks_by_its_death all_talk
must as_page_says $PAGE lb7 'dsr-lb active'
fact one_is_added wait_until 10 ways 5
fact none_of_3000_breaks_by_it all_talk
note "second chance: $(for name in lb lb2 lb3 lb4 lb7; do lb_json .second_chance.named "$name"; done | xargs) frames named another server"

# Below its minimum, everywhere at once.
for name in web1 web2 web3 web4; do
	must agent "$name" disable
done
fact without_servers_there_is_no_way wait_until 5 ways 0
for name in web1 web2 web3 web4; do
	must agent "$name" enable
done
fact with_servers_there_are_five_again wait_until 10 ways 5
