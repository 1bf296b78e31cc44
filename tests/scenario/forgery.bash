# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# A stranger on the segment forges ARP and neighbour advertisements. Only authenticated words change where
# frames go: claims are named, counted and answered, and nobody's connections are lost.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 4
add_host stranger
wire stranger eth0 switch stranger
addresses stranger eth0 192.0.2.66/24 2001:db8:2::66/64
broadcast=ff:ff:ff:ff:ff:ff
all_nodes=33:33:00:00:00:01
router_mac=$(mac_of router)
router_mac6=$router_mac

# One of the agents registers over IPv6, where advertisements are what is forged.
agent_configure web3 < <(agent_default_config web3 "$LB6")
lb_and_agents_start
must wait_until 20 fetch / -o /dev/null
must equal "$(backend_field address web3)" "$(web_address6 web3)"

# forge ADDRESS MAC TO_MAC TO_ADDRESS [COUNT [RATE_HZ [vary]]]
forge() {
	on stranger "$BUILD/tests/harness/forge" eth0 "$@"
}
# claim VIP MAC [COUNT [RATE_HZ [vary]]] : to everybody
claim() {
	local vip=$1 mac=$2
	shift 2
	if [[ $vip == *:* ]]; then
		forge "$vip" "$mac" "$all_nodes" ff02::1 "$@"
	else
		forge "$vip" "$mac" "$broadcast" "$vip" "$@"
	fi
}
publications() {
	lb_json .publications.count
}
loops() {
	lb_json .drops.loop
}
# claims_of MAC VIP : how often
claims_of() {
	lb_json "[.claims[] | select(.mac == \"$1\" and .vip == \"$2\") | .count] | add // 0"
}
is_claimed() {
	at_least "$(claims_of "$1" "$2")" "$3"
}

# The router itself, by one frame, with its own MAC: it would have become "another balancer".
must equal "$(lb_json '.claims | length')" 0
published=$(publications)
must claim "$VIP" "$router_mac"
must claim "$VIP6" "$router_mac6"
fact a_claim_is_named wait_until 5 is_claimed "$router_mac" "$VIP" 1
fact a_claim_by_advertisement_is_named wait_until 5 is_claimed "$router_mac6" "$VIP6" 1
fact its_backend_is_null equal "$(lb_json '.claims[0].backend')" null
fact none_is_lost_to_a_claim_with_the_routers_mac equal "$(lost_of 30 "$VIP")" 0
fact none_is_lost_by_ipv6 equal "$(lost_of 30 "[$VIP6]")" 0
fact no_frame_counts_as_a_loop equal "$(loops)" 0
fact the_status_is_degraded exits 1 lb status
fact the_status_says_why says "$VIP is claimed by $router_mac" lb status
fact the_log_says_so says "$router_mac claims $VIP" cat "$work/lb/log"

# A real server, and a host that is none, say that the VIP is theirs: the router believes it at once,
# and is told the truth at once.
router_is_right() {
	[[ $(ip_on router -j neigh show to "$1" dev eth0 | jq -r '.[0].lladdr') == "$(mac_of lb)" ]]
}
for vip in "$VIP" "$VIP6"; do
	[[ $vip == *:* ]] && url="[$vip]" || url=$vip
	for mac in "$(mac_of web1)" 02:00:00:00:00:66; do
		must wait_until 5 router_is_right "$vip"
		since=$(now_ms)
		must claim "$vip" "$mac"
		fact "the_router_is_told_the_truth_of_$vip" wait_until 2 router_is_right "$vip"
		fact it_is_told_within_a_second at_most "$(($(now_ms) - since))" "$((1000 * SLOW))"
		fact "none_is_lost_after_$mac" equal "$(lost_of 30 "$url")" 0
	done
done
fact a_backend_that_claims_is_named_by_its_name equal \
	"$(lb_json "[.claims[] | select(.mac == \"$(mac_of web1)\") | .backend] | unique | join(\" \")")" web1

# Many, of as many MACs.
must claim "$VIP" 02:00:00:aa:00:00 64 1000 vary
fact invented_macs_are_named_up_to_the_limit wait_until 5 equal "$(lb_json '.claims | length')" 64
must claim "$VIP" 02:00:00:bb:00:00 1000 1000 vary
fact more_are_not_remembered at_most "$(lb_json '.claims | length')" 64
# Rows settle meanwhile; what strangers say adds nothing to that.
fact claims_publish_nothing at_most "$(($(publications) - published))" 5
fact the_log_is_not_flooded at_most "$(grep -c ' claims ' "$work/lb/log")" 64
fact the_balancer_was_never_too_busy at_most "$(lb_json '[.virtual_servers[].backends[].heartbeats_missed] | max')" 1

# Real servers with an agent stay where their REGISTER said, and their heartbeats go there too.
nobody=02:00:00:00:00:66
stranger_mac=$(mac_of stranger)
lb_mac=$(mac_of lb)
moved=$(lb_json '[.virtual_servers[].backends[].mac] | sort | tojson')
must wait_until 20 backends_up 4
# The kernel takes no other MAC of IPv4 for a second after it heard one.
for idx in 1 2 3 4; do
	forge "$(web_address "web$idx")" "$stranger_mac" "$lb_mac" "$LB" 12 4 &
	forge "$(web_address6 "web$idx")" "$stranger_mac" "$lb_mac" "$LB6" 12 4 &
	forging=$!
done
lost=0 lost6=0
while kill -0 "$forging" 2> /dev/null; do
	lost=$((lost + $(lost_of 30 "$VIP")))
	lost6=$((lost6 + $(lost_of 30 "[$VIP6]")))
done
wait
fact none_is_lost_to_a_forged_place_of_a_server equal "$lost" 0
fact none_is_lost_by_ipv6_either equal "$lost6" 0
worst_missed() {
	lb_json '[.virtual_servers[].backends[].heartbeats_missed] | max'
}
worst=0
end=$(($(now_ms) + 9000))
while (($(now_ms) < end)); do
	for idx in 1 2 3 4; do
		must forge "$(web_address "web$idx")" "$nobody" "$lb_mac" "$LB"
		must forge "$(web_address6 "web$idx")" "$nobody" "$lb_mac" "$LB6"
	done
	next=$(($(now_ms) + 3000))
	while (($(now_ms) < next)); do
		missed=$(worst_missed)
		((missed <= worst)) || worst=$missed
		sleep 0.1
	done
done
fact no_heartbeat_is_missed at_most "$worst" "$((SLOW > 1))"
fact every_server_is_up backends_up 4
# They are told that the balancer is elsewhere, by a frame a second to each (forgery-agent has more of that).
downs() {
	grep -c 'up -> down' "$work/lb/log"
}
before=$(downs)
misled=0
for _ in 1 2 3 4 5 6; do
	next=$(($(now_ms) + 1100))
	for idx in 1 2 3 4; do
		to=$LB from=$(web_address "web$idx")
		((idx != 3)) || to=$LB6 from=$(web_address6 web3)
		must forge "$to" "$nobody" "$(mac_of "web$idx")" "$from"
		[[ $(ip_on "web$idx" -j neigh show to "$to" dev eth0 | jq -r '.[0].lladdr') != "$nobody" ]] ||
			misled=$((misled + 1))
	done
	while (($(now_ms) < next)); do
		sleep 0.05
	done
done
fact no_agent_believes_a_forged_place_of_the_balancer equal "$misled" 0
fact no_agent_fails_by_a_forged_place_of_the_balancer equal "$(downs)" "$before"
fact none_is_lost_by_that equal "$(lost_of 30 "$VIP")" 0
fact no_mac_has_moved equal "$(lb_json '[.virtual_servers[].backends[].mac] | sort | tojson')" "$moved"

pins() {
	ip_on lb neigh show dev eth0 | grep -c 'PERMANENT proto 217'
}
pinned() {
	equal "$(pins)" "$1"
}
# One that was misled just now is pinned again with its next heartbeat.
fact each_agent_is_pinned wait_until 2 pinned 4
daemon_stop web1
fact one_that_left_is_not wait_until 5 pinned 3
daemon_stop lb KILL
lb_start
must wait_until 20 backends_up 3
fact a_killed_balancers_pins_are_swept wait_until 5 pinned 3

# An agent that says another MAC than its frames have is refused, and told why; unless its key may say so.
rejected_for_mac() {
	at_least "$(lb_json '.control.rejected["policy:mac"]')" 1
}
on web4 nft -f - <<- END
	table netdev other-card {
		chain out { type filter hook egress device eth0 priority 0; udp dport 7377 ether saddr set 02:00:00:00:44:44; }
	}
END
daemon_stop web4
must wait_until 10 backends_up 2
agent_start web4
fact a_mac_that_is_not_the_frames_is_refused wait_until 10 rejected_for_mac
fact nobody_is_registered_by_it backends_up 2
fact the_agent_is_told_why wait_until 10 says 'not that of the frame' agent web4 status
must sed -i 's/$/ mac=any/' "$work/lb/keys"
must lb reload
fact a_key_may_say_any_mac wait_until 30 backend_is web4 up
must sed -i 's/ mac=any$//' "$work/lb/keys"
must lb reload
on web4 nft delete table netdev other-card

# A server that says in its REGISTER that it has somebody else's MAC, and whose frames have that MAC; its VIP is in good
# order.
# server_with_mac MAC : as $tool_pid[liar], until its end.
server_with_mac() {
	must ip_on stranger link add liar address "$1" type veth peer name liar-peer
	on stranger nft -f - <<- END
		table netdev liar {
			chain out { type filter hook egress device eth0 priority 0; udp sport 7377 ether saddr set $1; }
		}
	END
	tool_start liar stranger agents liar 192.0.2.66 1 "$LB:7377" "$work/stranger.key" "$VIP"
}
server_ends() {
	tool_end liar > /dev/null
	on stranger nft delete table netdev liar
	ip_on stranger link delete liar
}
install -m 600 "$work/key" "$work/stranger.key"
must wait_until 20 backends_up 3
# The balancer's own: the switch has no other way for such frames than where they came from. By frames of its own, and
# with a key that may say any MAC, it is heard.
server_with_mac "$lb_mac"
fact none_is_lost_to_frames_with_the_balancers_mac equal "$(lost_of 90 "$VIP")" 0
fact nobody_is_registered_by_such_frames equal "$(backend_field state agent0001)" null
on stranger nft delete chain netdev liar out
must sed -i 's/$/ mac=any/' "$work/lb/keys"
must lb reload
is_refused_for_the_balancers_mac() {
	says "MAC $lb_mac is that of the balancer" lb status
}
fact the_balancers_mac_is_refused wait_until 20 is_refused_for_the_balancers_mac
fact nobody_is_registered_by_the_balancers_mac equal "$(backend_field state agent0001)" null
fact none_is_lost_to_the_balancers_mac equal "$(lost_of 30 "$VIP")" 0
server_ends
must sed -i 's/ mac=any$//' "$work/lb/keys"
must lb reload
must wait_until 20 backends_up 3

# Another server's.
server_with_mac "$(mac_of web2)"
shares_its_mac() {
	[[ $(backend_field reason "$1") == *"shares its MAC $(mac_of web2) with $2"* ]]
}
fact a_server_with_anothers_mac_is_named wait_until 20 shares_its_mac agent0001 web2
fact and_whose_it_is wait_until 5 shares_its_mac web2 agent0001
lost=$(lost_of 90 "$VIP")
note "$lost of 90 lost to a server with the MAC of another, which has a third"
# The switch sends what is for that one elsewhere, for moments.
fact no_more_are_lost_than_are_the_others_whose_mac_it_is at_most "$lost" 45
server_ends
must wait_until 30 backends_up 3

# The router's: on a switch it cannot hear its heartbeats where the router speaks, and so it is never up.
server_with_mac "$router_mac"
liar_is_registered() {
	tool_ask liar | jq -e '.sessions > 0' > /dev/null
}
must wait_until 20 liar_is_registered
lost=$(lost_of 90 "$VIP")
note "$lost of 90 lost to a server with the router's MAC: $(tool_ask liar | jq -c '{sessions, heartbeats}'), $(backend_field state agent0001)"
fact none_is_lost_to_a_server_with_the_routers_mac equal "$lost" 0
fact no_frame_of_the_router_counts_as_a_loop equal "$(loops)" 0
fact the_others_stay_up backends_up 3
server_ends

# A new network card, which nobody has heard of: the agent says so itself.
ip_on web2 link set eth0 down
ip_on web2 link set eth0 address 02:00:00:00:02:02
ip_on web2 link set eth0 up
default_routes web2 "$ROUTER" 2001:db8:2::1 2> /dev/null
is_at() {
	equal "$(backend_field mac "$1")" "$2" && backend_is "$1" up
}
fact a_new_network_card_is_believed_of_its_agent wait_until 20 is_at web2 02:00:00:00:02:02
daemon_stop lb
fact a_balancer_that_stops_leaves_no_pin equal "$(pins)" 0
