# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# scheduler = rr over real connections: turns come out exactly in proportion to the weights, over all
# workers, both families, a drain, and a daemon that is killed; connections stay where their turn was.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys
	workers = 2

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80
	scheduler = rr
END
agent_configure web1 < <(agent_default_config web1 "$LB" 'weight = 3')
agent_configure web2 < <(agent_default_config web2 "$LB" 'weight = 2')
servers_start 80
lb_and_agents_start

# turns NAME COUNT VIP EXPECTED : so many connections at once, and who has them, by tables that say what the status says.
turns() {
	wait_until 10 tables_share web "$2" "$4" || return 1
	tool_start "$1" client connections "$3:80" "$2" 500
	wait_until 20 connections_are "$1" ".open == $2" || return 1
	equal "$(tool_ask "$1" | jq -cS .servers)" "$4"
}
fact six_hundred_take_turns_as_3_2_1 turns first 600 "$VIP" '{"web1":300,"web2":200,"web3":100}'
fact so_they_do_over_ipv6 turns second 60 "[$VIP6]" '{"web1":30,"web2":20,"web3":10}'
fact every_flow_is_recorded at_least "$(lb flows web --json | jq length)" 660

must lb drain web2
fact without_web2_they_take_turns_as_3_1 turns third 400 "$VIP" '{"web1":300,"web3":100}'
must lb enable web2
must lb weight web3 5
fact with_another_weight_as_3_2_5 turns fourth 100 "$VIP" '{"web1":30,"web2":20,"web3":50}'

daemon_stop lb KILL
lb_start
must wait_until 20 backends_up 3
fact after_a_kill_they_take_turns_as_3_2_5 turns fifth 100 "$VIP" '{"web1":30,"web2":20,"web3":50}'
for held in first second third fourth fifth; do
	now=$(tool_ask "$held" round)
	note "$held: $now"
	fact "no_connection_of_the_${held}_round_moved" equal "$(jq -c '[.open == .wanted, .broken]' <<< "$now")" '[true,0]'
done

# Which flows are meant, and what forgets them.
fact a_limit_is_a_limit equal "$(lb flows web --limit 7 --json | jq length)" 7
fact flows_are_chosen_by_their_backend equal "$(lb flows --backend web2 --json | jq -c 'map(.backend) | unique')" '["web2"]'
fact and_by_its_address equal "$(lb flows --backend "$(web_address web2)" --json | jq -c 'map(.backend) | unique')" '["web2"]'
fact and_by_their_client equal "$(lb flows --client "${CLIENT6%::*}::/64" --json | jq -c 'map(.vip) | unique')" "[\"$VIP6\"]"
fact nobody_elses equal "$(lb flows --client 192.0.2.0/24 --json)" '[]'
fact an_unknown_backend_is_64 exits 64 lb flows --backend nobody
fact no_prefix_is_64 exits 64 lb flows --client 192.0.2.0/33
fact no_limit_is_64 exits 64 lb flows --limit 0
fact a_strangers_flush_is_77 exits 77 setpriv --reuid 64777 --regid "$LB_UID" --clear-groups --bounding-set -all \
	"$work/bin/dsr-lb" flows --flush --runtime-dir "$work/lb/run"
# Their clients say nothing meanwhile: who speaks is recorded again.
for held in first second third fourth fifth; do
	must signal_pid "${tool_pid[$held]}" STOP
done
flows_are_quiet() {
	[[ $(lb flows --json | jq 'map(.idle_s) | min >= 2') == true ]]
}
must wait_until 20 flows_are_quiet
before=$(lb flows --json | jq length)
of_web3=$(lb flows --backend web3 --client "$CLIENT" --json | jq length)
must test "$of_web3" -gt 100
fact a_flush_has_a_limit equal "$(lb flows --backend web3 --client "$CLIENT" --limit 10 --flush --json)" '{"flushed":10}'
fact a_flush_says_how_many equal "$(lb flows web --backend web3 --client "$CLIENT" --flush)" "$((of_web3 - 10)) flows flushed"
fact those_are_forgotten equal "$(lb flows --backend web3 --client "$CLIENT" --json | jq length)" 0
fact and_no_others equal "$(lb flows --json | jq length)" "$((before - of_web3))"
