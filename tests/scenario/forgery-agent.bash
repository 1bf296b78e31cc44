# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# A stranger on the segment says to real servers that the balancer is elsewhere. Their agents know better, by the
# balancer's own authenticated words: no answer goes astray, and the host's neighbour table is left as it was.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2 --no-nginx
servers_start 80
add_host stranger
wire stranger eth0 switch stranger
addresses stranger eth0 192.0.2.66/24 2001:db8:2::66/64
nobody=02:00:00:00:00:66
lb_mac=$(mac_of lb)

# web1 speaks IPv4 with its balancer, web2 IPv6.
declare -A balancer_of=([web1]=$LB [web2]=$LB6)
agent_configure web2 < <(agent_default_config web2 "$LB6")
lb_and_agents_start
tool_start held client connections "$VIP:80" 60 250
tool_start held6 client connections "[$VIP6]:80" 60 250
must wait_until 30 connections_are held '.open == 60'
must wait_until 30 connections_are held6 '.open == 60'

# Where answers to heartbeats go, and where those to probes of the other family's VIP.
entry_of() {
	ip_on "$1" neigh show to "${balancer_of[$1]}" dev eth0
}
# is_pinned WEB MAC
is_pinned() {
	[[ $(entry_of "$1") == *"lladdr $2 PERMANENT proto 218"* ]] &&
		equal "$(ip_on "$1" neigh show dev eth0 | grep -c "lladdr $2 PERMANENT proto 218")" 2
}
is_not_fixed() {
	[[ $(ip_on "$1" neigh show dev eth0) != *PERMANENT* ]]
}
says_of_balancer() {
	agent "$1" status --json | jq -r ".balancers[0].$2"
}
for web in web1 web2; do
	fact "the_entry_on_${web}_is_permanent" wait_until 5 is_pinned "$web" "$lb_mac"
	fact "the_status_of_${web}_has_the_mac" equal "$(says_of_balancer "$web" mac)" "$lb_mac"
	fact "the_status_of_${web}_says_so" equal "$(says_of_balancer "$web" neighbour)" pinned
done

# What leaves for nobody is counted where it leaves.
count_astray() {
	on "$1" nft -f - <<- END
		table netdev astray {
			counter answers { }
			chain out { type filter hook egress device eth0 priority 0; ether daddr $nobody counter name answers; }
		}
	END
}
astray() {
	on "$1" nft -j list counter netdev astray answers | jq '[.nftables[].counter.packets // empty] | add'
}
must count_astray web1
must count_astray web2
downs() {
	grep -c 'up -> down' "$work/lb/log"
}
worst_missed() {
	lb_json '[.virtual_servers[].backends[].heartbeats_missed] | max'
}

# To each real server alone and to all, ten a second of each, for six seconds: replies, gratuitous ones, solicited
# and unsolicited advertisements.
attack() { # FRAMES of each
	local web count=$1
	for web in web1 web2; do
		forge "$LB" "$nobody" "$(mac_of "$web")" "$(web_address "$web")"
		forge "$LB6" "$nobody" "$(mac_of "$web")" "$(web_address6 "$web")"
	done
	forge "$LB" "$nobody" ff:ff:ff:ff:ff:ff "$LB"
	forge "$LB6" "$nobody" 33:33:00:00:00:01 ff02::1
}
forge() {
	start_on stranger "$work/stranger.log" "$BUILD/tests/harness/forge" eth0 "$@" "$count" 10
}
before=$(downs)
must attack 60
worst=0
end=$(($(now_ms) + 6000))
while (($(now_ms) < end)); do
	missed=$(worst_missed)
	((missed <= worst)) || worst=$missed
	sleep 0.1
done
note "$(astray web1) and $(astray web2) frames went astray, $worst heartbeats were missed in a row"
fact no_answer_goes_astray equal "$(($(astray web1) + $(astray web2)))" 0
fact no_heartbeat_is_missed at_most "$worst" "$((SLOW > 1))"
fact no_server_was_down equal "$(downs)" "$before"
fact no_connection_is_lost equal "$(tool_ask held round | jq .broken)" 0
fact no_connection_is_lost_over_ipv6 equal "$(tool_ask held6 round | jq .broken)" 0

# A frame that has its MAC as source draws what is for a server from the switch until it sends something itself: its
# agent does so when a heartbeat is late. Ten a second take probes of its path with them, which is no fault of its, and
# segments of its clients, which TCP sends again: after 25.4 s for the last time before these give up.
poisoned=${POISONED_S:-10}
tool_start patient client connections "$VIP:80" 60 250 40
tool_start patient6 client connections "[$VIP6]:80" 60 250 40
must wait_until 30 connections_are patient '.open == 60'
must wait_until 30 connections_are patient6 '.open == 60'
must on stranger "$BUILD/tests/harness/forge" eth0 192.0.2.66 "$(mac_of web1)" "$lb_mac" "$LB" "$((10 * poisoned))" 10 as
fact no_server_is_down_by_a_frame_in_its_name equal "$(downs)" "$before"
fact no_connection_is_lost_by_it equal "$(tool_ask patient round | jq .broken)" 0
fact no_connection_is_lost_by_it_over_ipv6 equal "$(tool_ask patient6 round | jq .broken)" 0
note "of those that wait for ten seconds $(tool_ask held | jq .broken) and $(tool_ask held6 | jq .broken) gave up"

# The balancer gets another network card: its next heartbeat says so.
new_mac=02:00:00:00:02:02
must ip_on lb link set eth0 address "$new_mac"
fact a_balancer_that_moved_is_followed wait_until 3 is_pinned web1 "$new_mac"
fact a_balancer_that_moved_is_followed_by_ipv6 wait_until 3 is_pinned web2 "$new_mac"
fact nobody_was_down_for_that equal "$(downs)" "$before"

# What a killed agent leaves would hide a balancer that has moved meanwhile: the next one sweeps it.
daemon_stop web1 KILL
fact a_killed_agent_leaves_its_entry is_pinned web1 "$new_mac"
must ip_on web1 neigh replace "$LB" lladdr "$nobody" dev eth0 nud permanent protocol 218
agent_start web1
fact the_next_one_finds_its_balancer wait_until 10 is_pinned web1 "$new_mac"
must wait_until 10 backend_is web1 up
daemon_stop web1
fact an_agent_that_stops_leaves_no_entry is_not_fixed web1

# An administrator's entry is as good, and stays.
must ip_on web1 neigh replace "$LB" lladdr "$new_mac" dev eth0 nud permanent
agent_start web1
must wait_until 10 backend_is web1 up
fact the_status_says_whose_entry_it_is equal "$(says_of_balancer web1 neighbour)" administrator
daemon_stop web1
fact an_administrators_entry_stays says "$new_mac PERMANENT" entry_of web1
must ip_on web1 neigh del "$LB" dev eth0

# Whoever comes in a dead balancer's place is to be found by ARP.
daemon_stop lb KILL
fact a_lost_balancer_is_looked_for_by_arp wait_until 5 is_not_fixed web2

# One that comes back with nothing is asked where it was, too: forged ARP keeps no agent away from it.
must attack 600
lb_forget lb
lb_configure < <(lb_default_config)
lb_start
fact one_that_forgot_all_is_found_under_attack wait_until 15 backend_is web2 up
