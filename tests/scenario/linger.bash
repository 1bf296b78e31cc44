# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A balancer that ceases to be active announces nothing from then on, and forwards for a while what still comes.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2
WHEN=192.0.2.77
lb_configure < <(lb_default_config | sed "s/^vip = .*/vip = $VIP, $VIP2, $VIP6/; /^\[balancer\]/a linger = 30s")
for name in web1 web2; do
	agent_configure "$name" < <(agent_default_config "$name" | sed "s/^vip = .*/vip = $VIP, $VIP2, $VIP6/")
done
lb_and_agents_start

state_is() {
	[[ $(lb_json .state) == "$1" ]]
}
serves() {
	[[ $(fetch / --max-time 2 2> /dev/null) == web* ]]
}
does_not_serve() {
	! [[ $(fetch / --max-time 1 2> /dev/null) == web* ]]
}
# What says where a VIP is, from the balancer.
on lb nft -f - <<- END
	table netdev says {
		counter vip { }
		chain out {
			type filter hook egress device eth0 priority 0
			arp saddr ip { $VIP, $VIP2 } counter name vip
			icmpv6 type nd-neighbor-advert @th,64,128 0x20010db8000f00000000000000000010 counter name vip
		}
	}
END
said() {
	on lb nft -j reset counter netdev says vip | jq '.nftables[] | .counter? // empty | .packets'
}
# The router asks for the VIPs whose place it does not know.
router_asks() {
	on router ip neigh flush to "$VIP2" dev eth0
	on router ip -6 neigh flush to "$VIP6" dev eth0
	on router ip neigh replace "$VIP2" dev eth0 nud probe 2> /dev/null
	on router bash -c "echo > /dev/udp/$VIP2/9; echo > /dev/udp/$VIP6/9"
}
router_knows() {
	router_asks
	[[ $(on router ip -j neigh show to "$VIP2" dev eth0 | jq -r '.[0].lladdr') == "$(mac_of lb)" ]]
}
# Of what comes all the same: it knows where the first of them is.
ip_on router neigh replace "$VIP" dev eth0 lladdr "$(mac_of lb)" nud permanent

must wait_until 5 serves
must wait_until 5 router_knows
fact it_is_active state_is active
fact another_time_is_refused exits 64 lb standby --linger=2h
fact so_is_none exits 64 lb standby --linger
fact and_where_it_does_not_apply exits 64 lb active --linger=1s

must lb standby
said > /dev/null
fact on_standby_it_lingers state_is lingering
fact then_it_is_not_active equal "$(lb_json .active)" false
fact it_says_why says "standby by an administrator.*lingers" lb_json .reason
fact it_says_how_long says "lingering .* more" lb status
fact it_is_not_ready exits 1 lb ready
fact it_forwards_what_still_comes serves
fact by_ipv4_and_ipv6_nobody_knows_it_any_more not wait_until 2 router_knows
fact it_has_said_nothing equal "$(said)" 0
fact the_event_is_kept says '"new":"lingering"' lb events --json

must lb active
fact it_goes_back_at_once state_is active
fact and_is_found wait_until 5 router_knows
fact and_says_so at_least "$(said)" 1

must lb standby --linger=20s
signal_pid "${daemon_pid[lb]}" KILL
must wait_until 10 gone "${daemon_pid[lb]}"
lb_start
fact killed_it_lingers_on state_is lingering
fact for_what_was_left says '^1[0-9]\.' lb_json .linger_left_s
fact and_forwards_on wait_until 5 serves
must lb standby --linger=0
fact with_no_time_it_ends_at_once state_is standby
fact then_nothing_is_forwarded does_not_serve
must lb active
must wait_until 5 serves
must lb standby --linger=1s
fact it_ends_by_itself wait_until 5 state_is standby
fact and_says_so_in_events says '"old":"lingering","new":"standby"' lb events --json
fact then_nothing_is_forwarded_either does_not_serve

# The address of active-when.
ip_on lb address add "$WHEN/24" dev eth0
sed -i "/^\[balancer\]/a active-when = address $WHEN" "$work/lb/lb.conf"
must lb reload
must lb active
fact with_its_address_it_is_active wait_until 5 state_is active
ip_on lb address del "$WHEN/24" dev eth0
fact without_it_lingers wait_until 1 state_is lingering
fact which_is_ready wait_until 5 lb ready
fact and_forwards serves
ip_on lb address add "$WHEN/24" dev eth0
fact with_it_goes_back wait_until 1 state_is active
signal_pid "${daemon_pid[lb]}" KILL
must wait_until 10 gone "${daemon_pid[lb]}"
ip_on lb address del "$WHEN/24" dev eth0
lb_start
fact one_whose_address_went_meanwhile_lingers state_is lingering
fact that_forwards_too wait_until 5 serves
