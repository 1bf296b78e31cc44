# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# VIPs announced by routes: they stand exactly while the balancer is active and ready; and two balancers behind a router that
# learns of them by BGP (BIRD, with the files of packaging/bird) and shares flows among them.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/balancers.bash"

topology_up --webs 3 --balancers 2 --no-nginx
servers_start 80
ip_on router route del 198.51.100.0/24 dev eth0
ip_on router -6 route del 2001:db8:f::/64 dev eth0

# vips NAME : those that its routes announce.
vips() {
	printf '%s' "$({
		ip_on "$1" route show table main type blackhole proto 83
		ip_on "$1" -6 route show table main type blackhole proto 83
	} | awk '{ print $2 }' | xargs)"
}
announces() {
	[[ $(vips "$1") == "$VIP $VIP6" ]]
}
announces_nothing() {
	[[ -z $(vips "$1") ]]
}
# times added|deleted : of the first VIP, milliseconds, as the kernel's changes were heard on lb.
times() {
	local line at
	while read -r at line; do
		case $1:$line in
		added:blackhole* | deleted:Deleted*) date -d "${at//[\[\]]/}" +%s%3N ;;
		esac
	done < <(grep "blackhole $VIP proto 83" "$work/monitor")
}
number_of() {
	times "$1" | wc -l
}
deleted_more_than() {
	(($(number_of deleted) > $1))
}
event_time() {
	local at
	at=$(lb events --json | jq -r 'select(.event == "virtual-server" and .new == "not ready") | .time' | tail -1)
	date -d "$at" +%s%3N
}
served_by_agents() {
	local name
	for name in web1 web2; do
		must agent "$name" "$1"
	done
}
not_faster_than_once_a_second() {
	local last=0 at
	for at in $(times added); do
		at_least $((at - last)) 990 || return 1
		last=$at
	done
}

for name in lb lb2; do
	lb_configure "$name" < <(lb_default_config "$name" | sed -e '/^\[balancer\]/a announce = route' -e '/^\[virtual-server/a minimum = 2')
	on "$name" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
done
# What is not ours: of our protocol and another kind, of our kind and another protocol.
ip_on lb route add 198.51.100.98/32 dev eth0 proto 83
ip_on lb route add blackhole 198.51.100.99 proto static
on lb nft -f - <<- END
	table inet answers {
		counter vip { }
		chain output {
			type filter hook output priority 0
			ip saddr $VIP counter name vip
			icmp type { destination-unreachable, time-exceeded, redirect } counter name vip
		}
	}
	table arp answers {
		counter vip { }
		chain output {
			type filter hook output priority 0
			arp saddr ip $VIP counter name vip
		}
	}
END
start_on lb "$work/monitor" ip -tshort monitor route
monitor_pid=$started

lb_start lb
fact without_a_real_server_there_is_no_route announces_nothing lb
for name in web1 web2 web3; do
	agent_configure "$name" < <(agent_default_config "$name" "$LB, $LB2")
	agent_start "$name"
done
must wait_until 20 backends_up 3 lb
fact ready_it_announces_both_vips wait_until 5 announces lb
# One that has just started is not ready for a while after each change, whatever is left.
must wait_until 20 membership_is_quiet lb

# Of three servers two are the minimum; below it, the third still serves who comes.
before=$(number_of deleted)
must agent web1 disable
must wait_until 5 backends_up 2 lb
fact with_two_of_three_they_stay announces lb
fact and_were_never_gone equal "$(number_of deleted)" "$before"

# Once a second at most, whatever happens in it.
served_by_agents disable
fact not_ready_it_withdraws_them wait_until 5 announces_nothing lb
must wait_until 5 deleted_more_than "$before"
took=$(($(times deleted | tail -1) - $(event_time)))
note "withdrawn $took ms after it was known"
fact within_100_ms at_most "${took#-}" $((100 * SLOW))
fact by_its_minimum equal "$(lb events --json | jq -r 'select(.event == "virtual-server" and .new == "not ready") | .reason' | tail -1)" \
	"virtual server web has 1 usable backends of the 2 that are its minimum, and 0 backups in use"
fact the_third_is_up_all_the_while backends_up 1 lb
for _ in 1 2 3; do
	served_by_agents enable
	wait_until 5 announces lb
	served_by_agents disable
	wait_until 5 announces_nothing lb
done
served_by_agents enable
fact ready_again_it_announces_them wait_until 10 announces lb
fact never_faster_than_once_a_second not_faster_than_once_a_second

must lb standby
fact on_standby_it_withdraws_them_at_once announces_nothing lb
must lb active
fact active_it_announces_them wait_until 5 announces lb
ip_on lb route del blackhole "$VIP" proto 83
ip_on lb -6 route del blackhole "$VIP6" proto 83
fact what_somebody_deletes_is_put_back wait_until 3 announces lb

ip_on lb route replace blackhole "$VIP" proto static
fact of_a_route_in_its_place_it_warns wait_until 3 grep -q "cannot announce $VIP by a route: somebody" "$work/lb/log"
fact and_leaves_it_alone equal "$(ip_on lb route show "$VIP" | xargs)" "blackhole $VIP proto static"
doctor_finds_no_route() {
	dsr_lb lb doctor --json > "$work/doctor" || true
	jq -e --arg vip "$1" '.checks | any(.id == "router" and .state == "fail" and .subject == $vip)' "$work/doctor" > /dev/null
}
fact the_doctor_finds_it doctor_finds_no_route "$VIP"
fact of_the_other_it_says_nothing not doctor_finds_no_route "$VIP6"
ip_on lb route del blackhole "$VIP" proto static
fact that_gone_it_announces wait_until 5 announces lb

# Killed, and meanwhile a VIP was removed from its configuration.
before=$(number_of deleted)
signal_pid "${daemon_pid[lb]}" KILL
must wait_until 10 gone "${daemon_pid[lb]}"
fact killed_its_routes_stay announces lb
ip_on lb route add blackhole 198.51.100.77 proto 83
lb_start lb
fact what_is_wanted_no_more_goes wait_until 5 announces lb
fact what_is_wanted_stays equal "$(number_of deleted)" "$before"

# A router that knows the way all the same.
ip_on router route add "$VIP/32" via "$LB"
on lb nft reset counters > /dev/null
timeout 2 ip netns exec "$(ns client)" bash -c "echo > /dev/udp/$VIP/9; exec 3<> /dev/tcp/$VIP/81" 2> /dev/null &
answered=$!
tool_start some client connections "$VIP:80" 50 200
fact it_forwards wait_until 10 connections_are some '.open == 50'
stop_pid "${tool_pid[some]}"
wait "$answered"
ip_on router route del "$VIP/32" via "$LB"
fact its_kernel_says_nothing equal "$(on lb nft -j list counters | jq '[.nftables[].counter? // empty | .packets] | add')" 0

if ! command -v bird > /dev/null; then
	skip_fact two_balancers_with_bird "no bird; \`apt-get install bird2\` (or \`tests/deps all\`) installs it"
else
	on router sysctl -qw net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1
	# Rows of the first one move since servers went and came: both begin with nothing, so that they are alike.
	daemon_stop lb
	lb_forget lb
	daemon_directories lb "$LB_UID"
	for name in lb lb2; do
		lb_start "$name"
		must wait_until 20 backends_up 3 "$name"
		must wait_until 20 membership_is_quiet "$name"
	done
	bird_start router router.conf
	bird_start lb balancer.conf
	bird_start lb2 balancer.conf
	fact the_router_has_two_ways wait_until 30 ways 2
	fact and_hears_of_nothing_else equal "$(ip_on router route show proto bird | grep -c '^198')" 1
	hold held "$VIP:80" 300
	hold held6 "[$VIP6]:80" 100
	fact both_forward at_least "$(lb_json .packets.forwarded lb2)" 200
	must dsr_lb lb2 standby
	fact of_a_standby_nothing_is_left wait_until 5 ways 1
	fact its_connections_go_on all_talk
	must dsr_lb lb2 active
	fact active_it_is_shared_again wait_until 10 ways 2
	fact and_nothing_is_broken all_talk
	ip_on lb2 link set eth0 down
	for pid in "${routing_pids[lb2]}" "${daemon_pid[lb2]}"; do
		signal_pid "$pid" KILL
	done
	fact dead_the_other_is_left wait_until 10 ways 1
	fact whose_connections_go_on_too all_talk
fi

daemon_stop lb
fact stopped_it_leaves_no_route announces_nothing lb
fact but_those_that_are_not_its_own equal "$(ip_on lb route show 198.51.100.98 | wc -l) $(
	ip_on lb route show 198.51.100.99 | wc -l)" "1 1"
stop_pid "$monitor_pid"
