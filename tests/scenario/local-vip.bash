# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The VIPs are addresses of the balancer, too: keepalived puts them there. It serves as ever, and its
# kernel says nothing to clients, whatever they ask for.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2
is_active() {
	[[ $(lb_json .active) == "$1" ]]
}
# What the balancer's own stack sends from a VIP, but for neighbour discovery.
on lb nft -f - <<- END
	table inet answers {
		counter vip { }
		chain output {
			type filter hook output priority 0
			ip saddr $VIP counter name vip
			ip6 saddr $VIP6 icmpv6 type != { nd-neighbor-solicit, nd-neighbor-advert } counter name vip
			ip6 saddr $VIP6 meta l4proto != icmpv6 counter name vip
		}
	}
END
kernel_answers() {
	on lb nft -j list counter inet answers vip | jq '.nftables[] | .counter? // empty | .packets'
}
download() {
	equal "$(on client curl -sS --max-time $((60 * SLOW)) -o /dev/null -w '%{http_code} %{size_download}' \
		"http://$1/files/1M")" "200 1048576"
}
serves() {
	[[ $(fetch / --max-time 2) == web* ]]
}
# silent URL : curl's own word for "nobody answered".
silent() {
	exits 28 on client curl -sS -o /dev/null --max-time 1 "$@"
}
# asks : datagrams to what no virtual server serves.
asks() {
	on client bash -c "echo > /dev/udp/$VIP/9; echo > /dev/udp/$VIP6/9"
	return 0
}
# put INTERFACE : as keepalived would.
put() {
	ip_on lb address add "$VIP/32" dev "$1"
	ip_on lb address add "$VIP6/128" dev "$1" nodad
}
take() {
	ip_on lb address del "$VIP/32" dev "$1"
	ip_on lb address del "$VIP6/128" dev "$1"
}

lb_configure < <(lb_default_config | sed "/^\[balancer\]/a active-when = address $VIP")
lb_and_agents_start
fact without_its_vip_it_is_not_active is_active false
fact it_says_that_the_vip_is_not_there says "$VIP is not on this host" lb_json .inactive_reason

# The client's SYNs come here, wherever the VIPs are.
for vip in "$VIP" "$VIP6"; do
	ip_on router neigh replace "$vip" dev eth0 lladdr "$(mac_of lb)" nud permanent
done
# Between keepalived's announcement and the balancer's hearing of it the kernel has the VIP alone: as long as we like.
signal_pid "${daemon_pid[lb]}" STOP
put eth0
tool_start early lb named_server lb "$VIP:80" "[$VIP6]:80"
for url in "http://$VIP/" "http://[$VIP6]/" "http://$VIP:82/" "http://[$VIP6]:82/"; do
	fact "before_it_knows_of_its_vip_nobody_answers_$url" silent "$url"
done
fact then_the_kernel_has_said_nothing equal "$(kernel_answers)" 0
stop_pid "${tool_pid[early]}"
signal_pid "${daemon_pid[lb]}" CONT
must wait_until 5 is_active true
take eth0
must wait_until 5 is_active false
ip_on router neigh flush nud permanent

for interface in eth0 lo; do
	put "$interface"
	fact "with_its_vip_on_${interface}_it_is_active" wait_until 5 is_active true
	must wait_until 5 serves
	# Somebody on the balancer listens at the VIP, and gets no client.
	tool_start local lb named_server lb "$VIP:80" "$VIP:81" "[$VIP6]:80" "[$VIP6]:81"
	ip_on router neigh flush all
	for vip in "$VIP" "[$VIP6]"; do
		family=ipv4
		[[ $vip != *:* ]] || family=ipv6
		fact "a_download_is_whole_with_${family}_on_$interface" download "$vip"
		fact "a_port_that_nobody_serves_is_silent_with_${family}_on_$interface" silent "http://$vip:82/"
		fact "so_is_one_that_the_host_serves_with_${family}_on_$interface" silent "http://$vip:81/"
	done
	asks
	fact "the_kernel_has_said_nothing_on_$interface" equal "$(kernel_answers)" 0
	fact "its_own_arp_is_no_claim_on_$interface" equal "$(lb_json '.claims | length')" 0
	fact "all_is_well_on_$interface" exits 0 lb status
	fact "explain_says_forward_on_$interface" equal \
		"$(lb explain "$CLIENT:1234" "$VIP:80" --json | jq -r .verdict)" forward
	stop_pid "${tool_pid[local]}"
	take "$interface"
	fact "it_ceases_when_the_vip_goes_from_$interface" wait_until 5 is_active false
done
