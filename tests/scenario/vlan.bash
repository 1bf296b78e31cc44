# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
#
# Frames with VLAN tags: they arrive at a server with the tags that they came with. Where the kernel has
# VLAN devices, whole connections and fragments in both directions over them: with the balancer on the
# trunk beneath, and with it on such a device itself, which native XDP does not take.
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
# on_interface NAME : the configuration.
on_interface() {
	cat <<- END
		[balancer]
		interface = $1
		key-file = $work/lb/keys

		# Of a range it is not judged whether its servers accept anything: nobody could here.
		[virtual-server web]
		vip = $VIP, $VIP6
		port = 80-81

		[virtual-server who]
		vip = $VIP, $VIP6
		port = 5000
		protocol = udp
	END
}
ip_on router route add blackhole 198.18.0.0/15
tags_start tagged "vlan id 7 ip daddr $VIP tcp dport 80"
tags_start outer 'ether type 8021ad vlan id 9 vlan type 8021q'
lb_configure < <(on_interface eth0)
servers_start 5000
lb_and_agents_start
must wait_until 30 membership_is_quiet
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
accounted() {
	equal "$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
}
fact received_is_forwarded_passed_and_dropped accounted

# Whole connections, with the kernel's own VLAN devices: a segment of its own for everybody's eth0.7.
vlan_host() {
	ip_on "$1" link add link eth0 name eth0.7 type vlan id 7 2> "$work/vlan" &&
		ip_on "$1" link set eth0.7 up &&
		addresses "$1" eth0.7 "192.0.7.$2/24" "2001:db8:7::$2/64"
}
vlan_host router 1 || {
	skip_fact connections_over_vlan_devices "this kernel has none: $(tail -n 1 "$work/vlan")"
	exit
}
must vlan_host lb 2
for idx in 1 2 3; do
	must vlan_host "web$idx" "1$idx"
	ip_on "web$idx" route replace default via 192.0.7.1 dev eth0.7
	ip_on "web$idx" -6 route replace default via 2001:db8:7::1 dev eth0.7
done
ip_on router route replace 198.51.100.0/24 dev eth0.7
ip_on router -6 route replace 2001:db8:f::/64 dev eth0.7
# vip_is_at MAC|"" : on VLAN 7; whoever answers is asked where none is given.
vip_is_at() {
	local vip
	for vip in "$VIP" "$VIP6"; do
		if [[ -n $1 ]]; then
			ip_on router neigh replace "$vip" lladdr "$1" dev eth0.7
		else
			ip_on router neigh del "$vip" dev eth0.7
		fi
	done
}
head -c 20000000 /dev/urandom > "$work/upload"
# upload ADDRESS NAME
upload() {
	local server
	server=$(on client curl -sS --max-time $((60 * SLOW)) -T "$work/upload" -o /dev/null -w '%header{x-server}' \
		"http://$1/upload/$2") && cmp "$work/upload" "$work/$server/upload/$2"
}
# download ADDRESS
download() {
	on client curl -sS --max-time $((60 * SLOW)) -o "$work/got" "http://$1/files/1M" &&
		cmp "$work/files/1M" "$work/got"
}
# fragments NAME ADDRESS FIRST_ID : datagrams, and their fragments in any order, go where their flow goes.
fragments() {
	local way said
	tool_start "$1" client udp_flows "$2:5000" 100 "$3"
	for way in whole reverse random; do
		said=$(tool_ask "$1" "$way")
		note "$1 $way: $said"
		equal "$(jq -c '[.answered, .intact, .moved]' <<< "$said")" '[100,100,0]' || return 1
	done
}
id=0
# all_of_it_works HOW
all_of_it_works() {
	local address family count
	for address in "$VIP" "[$VIP6]"; do
		family=ipv4
		[[ $address != *:* ]] || family=ipv6
		count=$(tags_counted "vlan_$family")
		fact "all_serve_over_${family}_$1" equal "$(answer_names "$address" 60)" "web1 web2 web3 "
		fact "an_upload_over_${family}_arrives_intact_$1" upload "$address" "${family}_$1"
		fact "a_download_over_${family}_arrives_$1" download "$address"
		fact "fragments_over_${family}_follow_their_flow_$1" fragments "${family}_$1" "$address" "$((id += 1000))"
		fact "they_came_with_tags_over_${family}_$1" at_least "$(($(tags_counted "vlan_$family") - count))" 500
	done
	fact "received_is_forwarded_passed_and_dropped_$1" accounted
}
tags_start vlan_ipv4 "vlan id 7 ip daddr $VIP"
tags_start vlan_ipv6 "vlan id 7 ip6 daddr $VIP6"
vip_is_at "$(mac_of lb)"
all_of_it_works on_the_trunk
tool_start own lb named_server lb 192.0.7.2:5001
fact the_balancers_own_vlan_device_gets_its_frames wait_until 10 says '"answered": 20, "moved": 0' \
	on router "$BUILD/tests/harness/udp_ask" 192.0.7.2:5001 20
stop_pid "${tool_pid[own]}"

# On the device itself: who answers for the VIP there is the balancer.
daemon_stop lb
lb_forget lb
for idx in 1 2 3; do
	daemon_stop "web$idx"
	agent_configure "web$idx" < <(agent_default_config "web$idx" 192.0.7.2)
done
if [[ $MODE == xdp ]]; then
	lb_configure < <(on_interface eth0.7)
	lb_launch
	must wait_until 20 lb_answers lb
	refused() {
		[[ $(lb_json .mode_reason) == *"native XDP on the interface"* ]]
	}
	fact native_xdp_refuses_the_device wait_until 5 refused
	fact its_status_is_2 exits 2 lb status
	daemon_stop lb
	lb_forget lb
	lb_configure < <(on_interface eth0.7 | sed '/^interface/a mode = auto')
	lb_start
	fact auto_takes_tc equal "$(lb_json .mode)" tc
	fact auto_says_why says 'xdp: ' lb_json .mode_reason
else
	lb_configure < <(on_interface eth0.7)
	lb_start
fi
agents_start
must wait_until 20 backends_up 3
must wait_until 30 membership_is_quiet
vip_is_at ""
all_of_it_works on_the_device
for vip in "$VIP" "$VIP6"; do
	fact "the_balancer_answers_for_${vip}_on_the_device" says "$(mac_of lb eth0.7)" \
		ip_on router neigh show "$vip" dev eth0.7
done
