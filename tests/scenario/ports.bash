# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Virtual servers by exact port, list, range and any port; TCP, UDP and both; source-hash and
# sessionless ones.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
VIP3=198.51.100.12
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server list]
	vip = $VIP, $VIP6
	port = 80, 443, 8000-8100

	[virtual-server names]
	vip = $VIP, $VIP6
	port = 53
	protocol = udp

	[virtual-server all]
	vip = $VIP2
	port = any

	[virtual-server sticky]
	vip = $VIP3
	port = 80
	protocol = any
	scheduler = source-hash
	sessionless = yes
END
for idx in 1 2 3; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" | sed "s/^vip = .*/&, $VIP2, $VIP3/")
	name=web$idx
	endpoints=()
	for port in 80 443 8000 8050 8100 8101 53; do
		endpoints+=("$VIP:$port" "[$VIP6]:$port")
	done
	tool_start "server-$name" "$name" named_server "$name" "${endpoints[@]}" \
		"$VIP2:1" "$VIP2:65535" "$VIP3:80"
done
lb_and_agents_start
# Before that, connections are recorded by a table that may still belong to others.
must wait_until 30 membership_is_quiet

# answers ADDRESS PORT : a TCP connection is greeted by a server
answers() {
	local name
	name=$(on client timeout 3 bash -c "exec 3<> /dev/tcp/$1/$2 && read -r -t 2 line <&3 && echo \"\$line\"" 2> /dev/null)
	[[ $name == web* ]]
}
servers_of() {
	on client timeout 60 "$BUILD/tests/harness/udp_ask" "$1" "$2"
}

for port in 80 443 8000 8050 8100; do
	fact "port_${port}_is_served" answers "$VIP" "$port"
	fact "port_${port}_is_served_over_ipv6" answers "$VIP6" "$port"
done
fact a_port_after_the_range_is_not_served not answers "$VIP" 8101
fact tcp_on_a_udp_port_is_not_served not answers "$VIP" 53
fact any_port_serves_the_first answers "$VIP2" 1
fact any_port_serves_the_last answers "$VIP2" 65535

result=$(servers_of "$VIP:53" 60)
note "$result"
fact udp_is_served equal "$(jq .answered <<< "$result")" 60
fact udp_is_spread_over_all equal "$(jq '.servers | length' <<< "$result")" 3
fact a_udp_flow_stays_with_its_server equal "$(jq .moved <<< "$result")" 0
fact a_udp_flow_leaves_no_record_behind equal "$(lb flows names --json | jq length)" 0
result=$(servers_of "[$VIP6]:53" 30)
fact udp_over_ipv6_is_served equal "$(jq .answered <<< "$result")" 30
result=$(servers_of "$VIP2:1" 20)
fact any_protocol_serves_udp_too equal "$(jq .answered <<< "$result")" 20
result=$(servers_of "$VIP3:80" 20)
note "$result"
fact source_hash_keeps_a_client_at_one_server equal "$(jq '.servers | length' <<< "$result")" 1
fact sessionless_records_no_flow equal "$(lb flows sticky --json | jq length)" 0
fact tcp_leaves_no_flow_behind_either equal "$(lb flows list --json | jq length)" 0
