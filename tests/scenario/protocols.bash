# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Every IP protocol: ESP, AH, GRE and one of no name by the source's address under `protocol = any`, whole and in
# fragments, in both families; an SCTP association, as far as it can be seen from its packets, by its ports.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server all]
	vip = $VIP, $VIP6
	hash = source-ip

	[virtual-server calls]
	vip = $VIP2
	port = 5060
	protocol = sctp
	scheduler = rr
END
# listens_on NAME PROTOCOL ADDRESS…
listens_on() {
	start_on "$1" "$work/answer-$1-$2" "$BUILD/tests/harness/ip_ask" answer "$@"
	must wait_until 20 grep -q answers "$work/answer-$1-$2"
}
for idx in 1 2 3; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" | sed "s/^vip = .*/&, $VIP2/")
done
lb_and_agents_start
# A raw socket is bound to an address that is there.
for idx in 1 2 3; do
	for protocol in 47 50 51 253; do
		listens_on "web$idx" "$protocol" "$VIP" "$VIP6"
	done
	listens_on "web$idx" 132 "$VIP2"
done
must wait_until 30 membership_is_quiet
fact agents_find_nothing_wrong equal "$(agent web1 status --json | jq -r '.state + .reason')" up

# asked FROM TO PROTOCOL COUNT SIZE
asked() {
	on client "$BUILD/tests/harness/ip_ask" "$@" "$((5000 * SLOW))"
}
# one_answers FROM TO PROTOCOL SIZE WANTED : all of a client go to one server, which is that one.
one_answers() {
	equal "$(asked "$1" "$2" "$3" 5 "$4" | jq -c '[.answered, (.servers | keys)]')" "[5,[\"$5\"]]"
}
# explained CLIENT VIP PROTOCOL
explained() {
	lb explain "$1" "$2" "$3" --json | jq -r .backend
}
server=$(explained "$CLIENT" "$VIP" esp)
server6=$(explained "$CLIENT6" "$VIP6" esp)
note "the client's: $server, by IPv6 $server6"
for protocol in 47 50 51 253; do
	fact "protocol_${protocol}_goes_by_its_source" one_answers "$CLIENT" "$VIP" "$protocol" 100 "$server"
	fact "its_fragments_go_there_$protocol" one_answers "$CLIENT" "$VIP" "$protocol" 4000 "$server"
done
# 51 is an extension header there.
for protocol in 47 50 253; do
	fact "protocol_${protocol}_does_in_ipv6" one_answers "$CLIENT6" "$VIP6" "$protocol" 100 "$server6"
	fact "its_fragments_do_in_ipv6_$protocol" one_answers "$CLIENT6" "$VIP6" "$protocol" 4000 "$server6"
done
fact explain_takes_numbers equal "$(explained "$CLIENT" "$VIP" 253)" "$server"
fact explain_says_by_what equal "$(lb explain "$CLIENT" "$VIP" gre --json | jq -r '.how, .virtual_server' | xargs)" "hash all"
fact what_has_ports_goes_there_too equal "$(fetch /)" "$server"
fact echo_too one_answers "$CLIENT" "$VIP" 1 100 echo
others() {
	local number
	for number in 20 21 22 23 24 25 26 27 28 29; do
		ip_on client address add "203.0.113.$number/24" dev eth0
		asked "203.0.113.$number" "$VIP" 50 1 100
	done | jq -s '[.[].servers | keys[]] | unique | length'
}
fact clients_spread at_least "$(others)" 2
fact nothing_of_it_is_recorded equal "$(lb flows all --json | jq length)" 0

unserved() {
	equal "$(on client "$BUILD/tests/harness/ip_ask" "$CLIENT" "$VIP2" 50 1 100 300 | jq .answered)" 0
}
fact a_virtual_server_of_one_protocol_gets_no_other unserved
fact explain_says_so equal "$(lb explain "$CLIENT" "$VIP2" esp --json | jq -r .reason)" no-service

# SCTP: the association stays where its INIT went, also when that server drains.
asked "$CLIENT" "$VIP2" 132 10 100 > "$work/association"
fact an_association_is_served equal "$(jq -c '[.answered, (.servers | length)]' "$work/association")" "[10,1]"
caller=$(jq -r '.servers | keys[0]' "$work/association")
flow() {
	lb flows calls --json | jq -r 'map([.protocol, .backend, .client_port, .vip_port, .state] | join(" ")) | join(";")'
}
fact its_record_says_so equal "$(flow)" "sctp $caller 5000 5060 established"
fact explain_finds_it equal "$(lb explain "$CLIENT:5000" "$VIP2:5060" sctp --json | jq -r '.how, .backend' | xargs)" "flow $caller"
must lb drain "$caller"
fact it_stays_on_a_server_that_drains equal "$(asked "$CLIENT" "$VIP2" 132 5 100 | jq -r '.servers | keys[]')" "$caller"
fact its_fragments_do_too equal "$(asked "$CLIENT" "$VIP2" 132 5 4000 | jq -r '.servers | keys[]')" "$caller"
must lb disable "$caller"
moved() {
	local now
	now=$(asked "$CLIENT" "$VIP2" 132 1 100 | jq -r '.servers | keys[]')
	[[ -n $now && $now != "$caller" ]]
}
fact it_moves_when_that_is_disabled wait_until 10 moved
topology_down
