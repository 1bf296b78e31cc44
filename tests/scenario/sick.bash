# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# A farm in which each real server but one goes bad in another way: each is refused or taken out within three seconds,
# for a reason that names the cause, and from then on no client's request comes to it.
. "$(dirname "$0")/../netns/topology.bash"

# The first list has agents, the second has none. `well` stays so. On the fought ones something writes back what the agent mends.
agents=(well all-spoils strict-filter no-ipv6 unit-failed exec-check wedged-http file-gone address-lost other-key clone lodger off-link new-card
	second-card-fought arp-announce-fought)
statics=(vip-missing vip-removed arp-ignore arp-announce vip-on-card second-card unlistened real-ip-only firewall wrong-mac)
topology_up --webs $((${#statics[@]} + ${#agents[@]})) --no-nginx

declare -A host=()
idx=0
for kind in "${agents[@]}" "${statics[@]}"; do
	host[$kind]=web$((++idx))
done
# serve KIND [ADDRESS…] : by default both VIPs
serve() {
	local kind=$1
	shift
	(($#)) || set -- "$VIP" "[$VIP6]"
	tool_start "$kind" "${host[$kind]}" named_server "$kind" "${@/%/:80}"
}
# agent_of KIND [LINE…] : with its configuration
agent_of() {
	local kind=$1 lines
	shift
	printf -v lines '%s\n' 'check-interval = 300ms' 'check-timeout = 300ms' "$@"
	agent_configure "${host[$kind]}" < <(agent_default_config "${host[$kind]}" "$LB" "$lines" |
		sed "s/^name = .*/name = $kind/")
}

mkdir "$work/signs"
chmod 755 "$work/signs"
printf '0\n' > "$work/signs/status"
: > "$work/signs/serve"
printf '#!/bin/sh\nread -r status < %s\necho "DISK $status"\nexit $status\n' "$work/signs/status" > "$work/signs/plugin"
chmod 755 "$work/signs/plugin"

for kind in "${agents[@]}"; do
	[[ $kind == unit-failed ]] || agent_of "$kind"
done
# A systemd for it alone, on a bus of this run, which takes nobody without an account.
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
cat > "$work/bus.conf" <<- END
	<busconfig>
	  <listen>$DBUS_SYSTEM_BUS_ADDRESS</listen>
	  <auth>EXTERNAL</auth>
	  <policy context="default">
	    <allow user="*"/>
	    <allow send_destination="*"/>
	    <allow receive_sender="*"/>
	    <allow own="*"/>
	  </policy>
	</busconfig>
END
start_on "${host[unit-failed]}" "$work/bus.log" dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile
bus_answers() {
	busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" list
}
must wait_until 10 bus_answers
tool_start one_unit "${host[unit-failed]}" one_unit app.service
AGENT_UID=$(id -u nobody) agent_of unit-failed 'unit = app'
agent_of exec-check "check = exec:$work/signs/plugin"
agent_of wedged-http 'check = http://www.example/'
agent_of file-gone "check = file:$work/signs/serve"
for kind in "${statics[@]}"; do
	on "${host[$kind]}" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	[[ $kind == vip-missing ]] || ip_on "${host[$kind]}" address add "$VIP/32" dev lo
	ip_on "${host[$kind]}" address add "$VIP6/128" dev lo nodad
done
nginx_files
nginx_start "${host[wedged-http]}"
for kind in "${agents[@]}" "${statics[@]}"; do
	[[ $kind == wedged-http ]] || serve "$kind"
	[[ $kind == *-fought ]] || count_frames "${host[$kind]}" eth0 ingress requests "ip saddr $CLIENT ip daddr $VIP tcp flags syn"
	count_frames "${host[$kind]}" eth0 ingress requests6 "ip6 saddr $CLIENT6 ip6 daddr $VIP6 tcp flags syn"
done
# A router that heard such a host itself sends past the balancer until that has announced the VIP again.
for kind in second-card-fought arp-announce-fought; do
	count_frames "${host[$kind]}" eth0 ingress requests "ether saddr $(mac_of lb) ip saddr $CLIENT ip daddr $VIP tcp flags syn"
done
second_mac=02:00:00:00:33:33
# What the clients' router sends to such a host itself, past the balancer.
count_frames "${host[second-card]}" eth0 ingress strays "ether daddr $second_mac ip daddr $VIP tcp flags syn"
count_frames "${host[arp-announce]}" eth0 ingress strays "ether saddr != $(mac_of lb) ip saddr $CLIENT ip daddr $VIP tcp flags syn"

{
	lb_default_config | sed 's/^interface.*/&\nheartbeat-interval = 200ms/'
	printf 'check = agent, path\ncheck-interval = 300ms\ncheck-timeout = 300ms\n'
	for kind in "${statics[@]}"; do
		printf 'real-server = %s name=%s\n' "$(web_address "${host[$kind]}")" "$kind"
	done | sed 's/name=wrong-mac/& mac=02:00:00:00:77:77/'
} > "$work/lb.conf"
lb_configure < "$work/lb.conf"
# lb_says COMMAND… : its status, to the command. Its own exit status tells how bad things are.
lb_says() {
	dsr_lb lb status --json > "$work/status" || true
	"$@" < "$work/status"
}
# is_for KIND REASON : it is not up, and that is the reason's beginning.
is_for() {
	lb_says jq -e --arg name "$1" --arg reason "$2" '[.virtual_servers[].backends[] |
		select(.name == $name)] | length > 0 and all(.state != "up" and (.reason | contains($reason)))'
}
# is_refused KIND WORDS
is_refused() {
	lb_says jq -e --arg address "$1" --arg words "$2" \
		'.refusals | any(.address == $address and (.words | contains($words)))'
}
# is_claimed MAC : by a stranger
is_claimed() {
	lb_says jq -e --arg mac "$1" '.claims | any(.mac == $mac)'
}
declare -A requests=()
# within_3_s NAME COMMAND… : came to pass so soon after it was broken.
within_3_s() {
	local name=$1
	shift
	fact "$name" wait_until 20 "$@"
	fact "${name}_within_3_s" at_most $(($(now_ms) - broken)) $((3000 * SLOW))
}

broken=$(now_ms)
lb_start
nobody=02:00:00:00:77:77
within_3_s no_vip is_for vip-missing \
	"path: no answer for $VIP:80 from $(mac_of "${host[vip-missing]}") (VIP missing on lo? firewall?)"
within_3_s a_mac_that_nobody_has is_for wrong-mac "path: no answer for $VIP:80 from $nobody"
for kind in "${agents[@]}"; do
	[[ $kind == unit-failed ]] || agent_start "${host[$kind]}"
done
AGENT_UID=$(id -u nobody) agent_start "${host[unit-failed]}"
must wait_until 30 backends_up $((${#agents[@]} + ${#statics[@]} - 2))
tool_start clients client new_flows "$VIP:80" 100
tool_start clients6 client new_flows "[$VIP6]:80" 50

has_published() {
	(($(lb_json .publications.count) > $1))
}
# The status says what is known, and packets go by tables that follow; a reload makes new ones.
comes_into_force() {
	local published
	published=$(lb_json .publications.count)
	must lb reload
	must wait_until 5 has_published "$published"
}
# had KIND : from now on it counts what comes to it.
had() {
	comes_into_force
	requests[$1]=$(counted "${host[$1]}" requests)
}
# goes_bad KIND REASON COMMAND… : that breaks it
goes_bad() {
	local kind=$1 reason=$2
	shift 2
	broken=$(now_ms)
	"$@"
	within_3_s "$kind" is_for "$kind" "$reason"
	had "$kind"
}

fact it_never_was_up_without_the_vip is_for vip-missing "path: no answer for $VIP:80"
fact nor_at_a_mac_that_nobody_has is_for wrong-mac "path: no answer for $VIP:80"
requests[vip-missing]=0 requests[wrong-mac]=0

in_ns() {
	ip_on "${host[$1]}" "${@:2}"
}
goes_bad vip-removed "path: no answer for $VIP:80" in_ns vip-removed address del "$VIP/32" dev lo
arp="answers ARP for $VIP on eth0 (arp_ignore of that interface is 0?)"
goes_bad arp-ignore "$arp" on "${host[arp-ignore]}" sysctl -qw net.ipv4.conf.eth0.arp_ignore=0
goes_bad vip-on-card "$arp" in_ns vip-on-card address add "$VIP/32" dev eth0
goes_bad unlistened "path: nothing listens on $VIP:80 (connection refused)" stop_pid "${tool_pid[unlistened]}"
real_ip_only() {
	stop_pid "${tool_pid[real-ip-only]}"
	serve real-ip-only "$(web_address "${host[real-ip-only]}")"
}
goes_bad real-ip-only "path: nothing listens on $VIP:80 (connection refused)" real_ip_only
wall() {
	printf 'table inet wall { chain in { type filter hook input priority 0; ip daddr %s drop; }; }\n' "$VIP" |
		on "${host[firewall]}" nft -f -
}
goes_bad firewall "path: no answer for $VIP:80" wall

# With an agent: it says so itself.
goes_bad all-spoils 'all.arp_ignore' on "${host[all-spoils]}" sysctl -qw net.ipv4.conf.all.arp_ignore=3
# more_of COUNTER NUMBER : of the healthy one
more_of() {
	(($(counted "${host[well]}" "$1") >= $2))
}
# fight KIND INTERFACE SETTING : a program that writes 0 there five times a second, for a minute at most.
declare -A fighter=()
fight() {
	# shellcheck disable=SC2016
	start_on "${host[$1]}" "$work/fight.log" bash -c \
		'for ((n = 0; n < 300; n++)); do echo 0 > "$1"; sleep 0.2; done' _ "/proc/sys/net/ipv4/conf/$2/$3"
	fighter[$1]=$started
}
in_ns second-card-fought link add link eth0 name second address 02:00:00:00:44:44 type macvlan mode bridge
in_ns second-card-fought link set second up
both_fights() {
	fight second-card-fought second arp_ignore
	fight arp-announce-fought eth0 arp_announce
}
well_had=$(counted "${host[well]}" requests)
undone="; something on this host writes that back"
goes_bad second-card-fought "second would answer ARP for VIPs: effective arp_ignore 0, arp_announce 2$undone" both_fights
within_3_s arp-announce-fought is_for arp-announce-fought \
	"eth0 would answer ARP for VIPs: effective arp_ignore 1, arp_announce 0$undone"
had arp-announce-fought
# Answers leave by another card, which only a strict filter minds; the balancer's own probes come from the link.
wire "${host[strict-filter]}" eth1 switch second-way
in_ns strict-filter address add 192.0.2.99/32 dev eth1
in_ns strict-filter route replace default via "$ROUTER" dev eth1 onlink
fact another_way_back_alone_is_no_fault backend_is strict-filter up
goes_bad strict-filter "rp_filter of eth0 is strict (1), and the way back to $CLIENT is eth1" \
	on "${host[strict-filter]}" sysctl -qw net.ipv4.conf.eth0.rp_filter=1
# A healthy one that is as strict has a second network, as containers do. Anybody can send SYNs in its name:
# the_well_one_was_never_out (below).
in_ns well link add containers type veth peer name container
in_ns well link set containers up
in_ns well link set container up
in_ns well address add 172.17.0.1/16 dev containers
on "${host[well]}" sysctl -qw net.ipv4.conf.eth0.rp_filter=1
count_frames "${host[well]}" eth0 ingress forged 'ip saddr 172.17.0.5 tcp flags syn'
ip_on router address add 172.17.0.5/32 dev lo
ip_on router route add "$VIP/32" dev eth0 src 172.17.0.5
tool_start forgers router new_flows "$VIP:80" 50
forged_to_the_well_one() {
	(($(counted "${host[well]}" forged) >= $1))
}
must wait_until 20 forged_to_the_well_one 20
no_ipv6() {
	stop_pid "${tool_pid[no-ipv6]}"
	serve no-ipv6 "$VIP"
}
no_ipv6
no_ipv6_is_out() {
	lb_says jq -e --arg place "[$VIP6]:80" '[.virtual_servers[].backends[] |
		select(.name == "no-ipv6")][0] | (.reason | contains("nothing listens on " + $place)) and .share < 0.04'
}
broken=$(now_ms)
within_3_s no-ipv6 no_ipv6_is_out
comes_into_force
no_ipv6_had=$(counted "${host[no-ipv6]}" requests6)
# Ended here, so that the others are looked at while it is seen whether peace lasts.
fact requests_went_on_in_the_fights wait_until 20 more_of requests $((well_had + 20))
for kind in "${!fighter[@]}"; do
	fact "${kind}_had_none" equal "$(counted "${host[$kind]}" requests)" "${requests[$kind]}"
	fact "${kind}_did_not_come_and_go" equal "$(grep -c "the host serves its VIPs" "$work/${host[$kind]}/log")" 1
	stop_pid "${fighter[$kind]}"
	unset "requests[$kind]"
done
goes_bad unit-failed 'unit app.service is failed' tool_ask one_unit failed
exec_says_2() {
	printf '2\n' > "$work/signs/status"
}
goes_bad exec-check 'DISK 2' exec_says_2
# Its port stays open: the kernel takes connections, and nobody answers them.
wedge() {
	local pid
	for pid in $(ip netns pids "$(ns "${host[wedged-http]}")"); do
		! grep -q '^nginx' "/proc/$pid/comm" || kill -STOP "$pid"
	done
}
goes_bad wedged-http "http://www.example/" wedge
goes_bad file-gone "file $work/signs/serve is not there" rm "$work/signs/serve"
goes_bad address-lost 'no answer to' in_ns address-lost address del "$(web_address "${host[address-lost]}")/24" dev eth0

# Who they are is not proven, or is somebody else.
refused() {
	local kind=$1 words=$2 address
	address=${3:-$(web_address "${host[$kind]}")}
	within_3_s "$kind" is_refused "$address" "$words"
	must wait_until 10 is_for "$kind" 'no answer to'
	had "$kind"
}
other_key() {
	local name=${host[other-key]}
	daemon_stop "$name" KILL
	"$work/bin/dsr-lb" keygen | awk -v id="$(awk '{ print $1 }' "$work/key")" '{ $1 = id } 1' > "$work/other"
	cat "$work/other" > "$work/$name/key"
	agent_start "$name"
}
other_key
broken=$(now_ms)
refused other-key 'has other bytes than ours'
cloned() {
	daemon_stop "${host[clone]}" KILL
	sed -i 's/^name = .*/name = well/' "$work/${host[clone]}/agent.conf"
	agent_start "${host[clone]}"
}
cloned
broken=$(now_ms)
refused clone "the name is in use at $(web_address "${host[well]}")"
# A second agent at the same address, by another name: it speaks from another port.
lodge() {
	local name=${host[lodger]}
	daemon_directories lodger2 "$AGENT_UID"
	key_file "$work/lodger2/key" "$AGENT_UID"
	sed "s/^name = .*/name = lodger2\nlisten = 7378/; s|$work/$name/|$work/lodger2/|" "$work/$name/agent.conf" > "$work/lodger2/agent.conf"
	daemon_start lodger2 "$name" "$AGENT_UID" +net_admin "$work/bin/dsr-agent" run \
		--config "$work/lodger2/agent.conf" --runtime-dir "$work/lodger2/run" --state-dir "$work/lodger2/state"
}
broken=$(now_ms)
lodge
within_3_s a_lodger is_refused "$(web_address "${host[lodger]}")" 'the address is in use by lodger'
fact its_host_serves_on backend_is lodger up
is_no_backend() {
	lb_says jq -e --arg name "$1" '[.virtual_servers[].backends[].name] | index($name) == null'
}
fact there_is_no_backend_of_that_name is_no_backend lodger2

# Renumbered into another subnet, and only the route shows the way back.
renumber() {
	local name=${host[off-link]}
	daemon_stop "$name" KILL
	in_ns off-link address flush dev eth0
	in_ns off-link address add 10.55.0.11/24 dev eth0
	in_ns off-link route add "$LB" dev eth0 src 10.55.0.11
	ip_on lb route add 10.55.0.11 dev eth0
	agent_start "$name"
}
renumber
broken=$(now_ms)
refused off-link 'on the link of our backend interface' 10.55.0.11

# Not the server's fault, and followed.
broken=$(now_ms)
in_ns new-card link set eth0 address 02:00:00:00:55:55
new_card_serves() {
	backend_is new-card up && [[ $(backend_field mac new-card) == 02:00:00:00:55:55 ]]
}
within_3_s a_new_card_is_followed new_card_serves

# What was known bad stays without requests, all the while that others had them.
goes_on() {
	wait_until 20 more_of "$1" $(($(counted "${host[well]}" "$1") + 20))
}
gets_none() {
	local kind
	for kind in "${!requests[@]}"; do
		equal "$kind $(counted "${host[$kind]}" requests)" "$kind ${requests[$kind]}" || return
	done
}
fact requests_went_on goes_on requests
fact requests_over_ipv6_went_on goes_on requests6
fact none_over_ipv6_came_to_who_serves_ipv4_alone equal "$(counted "${host[no-ipv6]}" requests6)" "$no_ipv6_had"
fact no_request_came_to_who_was_known_bad gets_none
on "${host[strict-filter]}" sysctl -qw net.ipv4.conf.eth0.rp_filter=2
fact what_the_reason_says_mends_it wait_until 10 backend_is strict-filter up

fact forged_requests_went_on wait_until 20 forged_to_the_well_one $(($(counted "${host[well]}" forged) + 20))
tool_end forgers > /dev/null
ip_on router route del "$VIP/32" dev eth0

# Claims that nobody can prove: named, and answered, so that clients' router is right again within a second. From then on
# nothing goes there past the balancer.
router_is_right() {
	[[ $(ip_on router -j neigh show to "$VIP" dev eth0 | jq -r '.[0].lladdr') == "$(mac_of lb)" ]]
}
gets_no_stray() {
	local kind=$1 had
	had=$(counted "${host[$kind]}" strays)
	note "$kind: $had requests came past the balancer"
	goes_on requests && equal "$(counted "${host[$kind]}" strays)" "$had"
}
in_ns second-card link add link eth0 name second address "$second_mac" type macvlan mode bridge
in_ns second-card link set second up
broken=$(now_ms)
on router ip neigh flush dev eth0
within_3_s a_second_card is_claimed "$second_mac"
must wait_until 5 router_is_right
fact no_request_goes_to_the_second_card gets_no_stray second-card
on "${host[arp-announce]}" sysctl -qw net.ipv4.conf.eth0.arp_announce=0
broken=$(now_ms)
in_ns arp-announce neigh flush dev eth0
within_3_s an_arp_request_from_the_vip is_claimed "$(mac_of "${host[arp-announce]}")"
claimant() {
	lb_says jq -e --arg mac "$(mac_of "${host[arp-announce]}")" '.claims | any(.mac == $mac and .backend == "arp-announce")'
}
fact it_is_named claimant
must wait_until 5 router_is_right
fact no_request_goes_there_past_the_balancer gets_no_stray arp-announce

for kind in "${!fighter[@]}"; do
	fact "${kind}_mends_itself" wait_until 30 backend_is "$kind" up
done
fact the_well_one_was_never_out equal "$(grep -c 'backend well: up -> ' "$work/lb/log")" 0
tool_end clients6 > "$work/clients6"
tool_end clients > "$work/clients"
fact almost_all_were_connected at_most "$(jq '(.refused + .silent) * 100 / .opened | floor' "$work/clients")" 20
