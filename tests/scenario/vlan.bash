# SPDX-License-Identifier: GPL-2.0-or-later
#
# Frames with VLAN tags: they arrive at a server with the tags that they came with; and, where the
# kernel has VLAN devices, whole connections in both directions over them.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3
tags_start() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		count_frames "web$idx" eth0 ingress "$1" "$2"
	done
}
tags_counted() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		counted "web$idx" "$1"
	done | awk '{ n += $1 } END { print n + 0 }'
}
tags_are() {
	equal "$(tags_counted "$1")" "$2"
}
ip -n "$(ns router)" route add blackhole 198.18.0.0/15
tags_start tagged "vlan id 7 ip daddr $VIP tcp dport 80"
tags_start outer 'ether type 8021ad vlan id 9 vlan type 8021q'
lb_and_agents_start
must wait_until 20 membership_is_quiet
storm() {
	on router timeout 30 "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" "$@" | jq .sent
}
forwarded() {
	lb_json .virtual_servers[0].syns
}

before=$(forwarded)
must equal "$(storm 2000 2000 $((0x81000007)))" 2000
fact tagged_frames_are_forwarded equal "$(($(forwarded) - before))" 2000
fact they_keep_their_tag wait_until 5 tags_are tagged 2000
before=$(forwarded)
must equal "$(storm 2000 2000 $((0x88a80009)) $((0x81000007)))" 2000
fact frames_with_two_tags_are_forwarded equal "$(($(forwarded) - before))" 2000
fact they_keep_both wait_until 5 tags_are outer 2000
fact bytes_of_tags_count equal "$(lb_json '.virtual_servers[0].bytes')" "$((2000 * 58 + 2000 * 62))"
before=$(forwarded)
must equal "$(storm 500 2000 $((0x88a80009)) $((0x81000007)) $((0x81000005)))" 500
fact frames_with_three_are_not equal "$(($(forwarded) - before))" 0

# Whole connections, with the kernel's own VLAN devices.
vlan_host() {
	ip -n "$(ns "$1")" link add link eth0 name eth0.7 type vlan id 7 2> "$work/vlan" &&
		ip -n "$(ns "$1")" link set eth0.7 up && addresses "$1" eth0.7 "$2/24"
}
if vlan_host router 192.0.7.1; then
	ip -n "$(ns router)" route replace 198.51.100.0/24 dev eth0.7
	ip -n "$(ns router)" neigh replace "$VIP" lladdr "$(mac_of lb)" dev eth0.7
	for idx in 1 2 3; do
		vlan_host "web$idx" "192.0.7.$((10 + idx))"
		ip -n "$(ns "web$idx")" route replace default via 192.0.7.1 dev eth0.7
	done
	tagged_before=$(tags_counted tagged)
	head -c 20000000 /dev/urandom > "$work/upload"
	served=$(on client curl -sS --no-progress-meter --max-time $((60 * SLOW)) -Z --parallel-max 10 \
		-H 'Connection: close' "http://$VIP/?[1-60]" | sort -u | tr '\n' ' ')
	fact all_serve_over_vlan_devices equal "$served" "web1 web2 web3 "
	server=$(fetch /upload/one -T "$work/upload" -o /dev/null -w '%header{x-server}')
	fact an_upload_over_vlan_devices_arrives_intact cmp "$work/upload" "$work/$server/upload/one"
	fetch /files/1M > "$work/got"
	fact a_download_over_vlan_devices_arrives cmp "$work/files/1M" "$work/got"
	fact it_came_with_tags at_least "$(($(tags_counted tagged) - tagged_before))" 500
else
	skip_fact connections_over_vlan_devices "this kernel has none: $(< "$work/vlan")"
fi
fact received_is_forwarded_passed_and_dropped equal \
	"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
