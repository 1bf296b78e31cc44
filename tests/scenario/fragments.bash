# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# UDP datagrams of three fragments, 1,000 of them each way: in order, the last first, and mixed up among
# sixteen datagrams. Every one arrives whole, and at the server of its flow: that of the whole
# datagrams before and after it. Stateful and sessionless, both families. Then 400,000 first fragments of which
# no other comes, of 200,000 clients: they cost no connection its record.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server tracked]
	vip = $VIP, $VIP6
	port = 5000
	protocol = udp

	[virtual-server hashed]
	vip = $VIP, $VIP6
	port = 5001
	protocol = udp
	sessionless = yes

	[virtual-server turns]
	vip = $VIP
	port = 80
	scheduler = rr

	[virtual-server recorded]
	vip = $VIP
	port = 5002
	protocol = udp
	scheduler = rr
END
servers_start 80 5000 5001 5002
# What the servers say to nobody ends at the router.
ip_on router route add blackhole 198.18.0.0/15
lb_and_agents_start
must wait_until 30 membership_is_quiet

# holds ANSWER COUNT : all answered, with every byte, by the server of their flow
holds() {
	note "$1"
	equal "$(jq -c '[.asked, .answered, .intact, .moved]' <<< "$1")" "[$2,$2,$2,0]"
}

# Flows that begin by a whole datagram, then come in fragments.
for kind in tracked:5000 hashed:5001; do
	port=${kind#*:}
	tool_start "flows$port" client udp_flows "$VIP:$port" 1000 $((port % 5000 * 10000))
	fact "${kind%:*}_whole_datagrams_arrive" holds "$(tool_ask "flows$port" whole)" 1000
	for way in in-order reverse random; do
		fact "${kind%:*}_fragments_${way/-/_}_follow_their_flow" \
			holds "$(tool_ask "flows$port" "$way")" 1000
	done
done
fact all_three_serve equal "$(tool_ask flows5000 whole | jq '.servers | length')" 3

# Flows that begin by a fragment: the whole datagrams follow it.
id=20000
for way in in-order reverse random; do
	tool_start "begun-$way" client udp_flows "$VIP:5000" 200 $((id += 1000))
	fact "a_flow_begins_by_fragments_${way/-/_}" holds "$(tool_ask "begun-$way" "$way")" 200
	fact "a_flow_begun_${way/-/_}_stays" holds "$(tool_ask "begun-$way" whole)" 200
done

tool_start flows6 client udp_flows "[$VIP6]:5000" 200 30000
for way in whole in-order reverse random; do
	fact "fragments_of_ipv6_${way/-/_}" holds "$(tool_ask flows6 "$way")" 200
done

fact received_is_forwarded_passed_and_dropped equal \
	"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
note "dropped: $(lb_json ".drops | with_entries(select(.value > 0)) | tojson")"
fact nothing_was_dropped equal "$(lb_json '.packets.dropped')" 0

# The flood fills the part of the flow table that is looked at first faster than the balancer sees it.
unrecorded() {
	lb_json .flow_table.unrecorded
}
before=$(unrecorded)
tool_start held client connections "$VIP:80" 40 200
must wait_until 30 connections_are held '.open == 40'
start_on router "$work/storm" timeout 60 "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:5002" \
	400000 80000 fragment
storm_pid=$started
tool_start more client connections "$VIP:80" 400 200
must wait_until 90 gone "$storm_pid"
must wait_until 30 connections_are more '.open + .broken == 400'
note "first fragments: $(cat "$work/storm"), then $(lb_json '{flow_table, ring: .drops["ring-full"]} | tojson')"
fact every_flow_is_recorded_under_a_flood_of_first_fragments equal "$(unrecorded)" "$before"
for name in held more; do
	result=$(tool_ask "$name" round)
	note "$name: $result"
	fact "it_breaks_none_of_the_connections_${name}" equal "$(jq .broken <<< "$result")" 0
done
