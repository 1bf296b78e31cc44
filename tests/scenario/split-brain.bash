# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Two balancers between which keepalived's messages alone are lost: both become active and announce the VIPs. Both say so, clients
# notice nothing, as both forward alike, and when the messages arrive again it heals by itself.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/balancers.bash"

command -v keepalived > /dev/null || skip "no keepalived; \`apt-get install keepalived\` (or \`tests/deps all\`) installs it"

PAGE=doc/two-balancers.md
topology_up --webs 3 --balancers 2 --no-nginx
servers_start 80
for name in lb lb2; do
	balancer_from_page "$name" "On both balancers"
	lb_start "$name"
done
for name in web1 web2 web3; do
	server_from_page "$name"
done
all_have_joined 3 lb lb2
pair_start vip.conf
hold_both held 700 300

# claims_of NAME OTHER : all of the VIPs that NAME says the other has claimed, by its MAC.
claims_of() {
	dsr_lb "$1" status --json | jq -r --arg mac "$(mac_of "$2")" \
		'[.claims[] | select(.mac == $mac) | .vip] | unique | join(" ")'
}
both_name_it() {
	[[ $(claims_of lb lb2) == "$VIP $VIP6" && $(claims_of lb2 lb) == "$VIP $VIP6" &&
		$(lb_json '[.balancers[].address] | join(" ")' lb) == "$LB2" && $(lb_json '[.balancers[].address] | join(" ")' lb2) == "$LB" ]]
}
both_are_active() {
	state_is lb active && state_is lb2 active
}
both_answer() {
	try_connect "$VIP" && try_connect "$VIP6"
}
fact nobody_claims_while_one_is_active equal "$(lb_json '.claims | length' lb) $(lb_json '.claims | length' lb2)" "0 0"
frames_watch
on switch nft -f - <<- END
	table bridge cut {
		chain forward {
			type filter hook forward priority 0
			ip protocol 112 drop
		}
	}
END
fact both_become_active wait_until 10 both_are_active
since=$(now_ms)
fact both_name_each_other wait_until 5 both_name_it
took=$(($(now_ms) - since))
note "after $took ms"
fact within_2_s at_most "$took" $((2000 * SLOW))
for name in lb lb2; do
	fact "the_status_of_${name}_is_degraded" exits 1 dsr_lb "$name" status
done
fact it_is_an_event says '"event":"claim"' dsr_lb lb events --json
for idx in 1 2 3; do
	fact "traffic_keeps_flowing_$idx" all_talk
	fact "new_connections_are_answered_$idx" both_answer
done
fact no_frame_is_lost_while_both_serve frames_lost_at_most 0
# They defend the VIPs against each other without filling the link.
sent_of() {
	on "$1" nft -j list counter netdev count-says frames | jq '.nftables[] | .counter? // empty | .packets'
}
for name in lb lb2; do
	count_frames "$name" eth0 egress says "arp saddr ip $VIP"
done
sleep_ms 990
said=$(sent_of lb)
note "lb announced $VIP $said times in a second"
fact they_do_not_fill_the_link at_most "$said" 60

on switch nft delete table bridge cut
one_is_active() {
	[[ "$(lb_json .state lb) $(lb_json .state lb2)" == @("active lingering"|"lingering active") ]]
}
fact it_heals_by_itself wait_until 10 one_is_active
active=lb
[[ $(lb_json .state lb) == active ]] || active=lb2
fact the_router_knows_the_one_that_stayed wait_until 10 is_served_by "$active"
fact nothing_has_broken all_talk
fact and_no_frame_was_lost frames_lost_at_most 0
