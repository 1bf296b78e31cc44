# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# A balancer with its servers on three segments: agents on the first and the third, a server without one on
# the second, and a smaller MTU on the third. Each is reached by its own interface; a segment that is lost takes
# its own servers down, and a reload that takes one out or in breaks no connection of the others.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 0
nginx_files
# add_segment N : with one server on it, web N.
add_segment() {
	local web=web$1
	add_switch "seg$1"
	wire lb "eth$1" "seg$1" lb
	addresses lb "eth$1" "10.9.$1.2/24" "2001:db8:9$1::2/64"
	wire router "eth$1" "seg$1" router
	addresses router "eth$1" "10.9.$1.1/24" "2001:db8:9$1::1/64"
	add_host "$web"
	wire "$web" eth0 "seg$1" "$web"
	addresses "$web" eth0 "10.9.$1.11/24" "2001:db8:9$1::11/64"
	default_routes "$web" "10.9.$1.1" "2001:db8:9$1::1"
	nginx_start "$web"
}
for idx in 1 2 3; do
	add_segment "$idx"
done
# What the administrator of a host without an agent does by hand.
silence() {
	on "$1" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	ip_on "$1" address add "$VIP/32" dev lo
	ip_on "$1" address add "$VIP6/128" dev lo nodad
}
silence web2
# The third segment takes shorter packets, at both ends.
ip_on lb link set eth3 mtu 1400
ip_on web3 link set eth0 mtu 1400
addresses web3 eth0 10.9.3.12/24

# config INTERFACES [SERVER LINES]
config() {
	cat <<- END
		[balancer]
		interface = eth0
		backend-interface = $1
		key-file = $work/lb/keys

		[virtual-server web]
		vip = $VIP, $VIP6
		port = 80
		on-all-down = drop
		check-interval = 300ms
		${2:-}

		[virtual-server long]
		vip = $VIP2
		port = 5000
		protocol = udp
		check = none
		real-server = 10.9.3.12 name=long3
	END
}
all="eth1, eth2, eth3"
static="real-server = 10.9.2.11 name=web2"
check_config() {
	on lb "$work/bin/dsr-lb" check-config --no-keys --config "$work/lb/lb.conf"
}

# What is refused, with its place.
refused() {
	lb_configure < <(config "$1" "$static")
	exits 78 check_config
}
fact the_same_interface_twice_is_refused refused "eth1, eth2, eth1"
fact it_is_said_where says 'lb.conf:4: backend-interface: "eth1" is in the list twice' check_config
fact more_than_sixteen_are_refused refused "$(printf 'e%d, ' {1..16})e17"
fact the_limit_is_said says 'more than 16 interfaces' check_config
lb_configure < <(config "eth1, eth3" "$static")
fact a_server_on_no_segment_is_warned_of says 'real-server: 10.9.2.11 .web. is on no subnet of any backend-interface' check_config
refuses_to_run() {
	lb_launch > /dev/null
	wait_until 10 gone "${daemon_pid[lb]}" && grep -q "$1" "$work/lb/log"
}
fact run_refuses_it refuses_to_run "10.9.2.11 is not on the backend interface's link"

# All three.
lb_configure < <(config "$all" "$static")
for idx in 1 3; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" "10.9.$idx.2")
done
lb_start
agent_start web1
agent_start web3
fact servers_on_every_segment_come_up wait_until 30 backends_up 4
interfaces() {
	lb_json '[.virtual_servers[] | select(.name == "web") | .backends[] | .name + " " + .interface] | sort | join(", ")'
}
fact each_is_told_with_its_interface equal "$(interfaces)" "web1 eth1, web2 eth2, web3 eth3"
fact the_interfaces_are_told equal \
	"$(lb_json '[.backend_interface, (.backend_interfaces | join(" "))] | join(": ")')" "eth1: eth1 eth2 eth3"
paths_ok() {
	[[ $(lb_json '[.virtual_servers[] | select(.name == "web") | .backends[] | .checks[] |
		select(.check == "path") | .ok] | "\(length) \(all)"') == "6 true" ]]
}
fact paths_are_probed_by_every_segment wait_until 10 paths_ok
must wait_until 30 membership_is_quiet
fact all_serve equal "$(answer_names "$VIP" 90)" "web1 web2 web3 "
fact all_serve_ipv6 equal "$(answer_names "[$VIP6]" 90)" "web1 web2 web3 "
head -c 5000000 /dev/urandom > "$work/upload"
uploads() {
	local try server
	local -A seen=()
	for ((try = 0; try < 60 && ${#seen[@]} < 3; try++)); do
		server=$(fetch "/upload/$try" -T "$work/upload" -o /dev/null -w '%header{x-server}') || return 1
		cmp "$work/upload" "$work/$server/upload/$try" || return 1
		seen[$server]=yes
		rm "$work/$server/upload/$try"
	done
	((${#seen[@]} == 3))
}
fact uploads_arrive_whole_on_each_also_where_the_mtu_is_smaller uploads
explained() {
	local port where
	for ((port = 20000; port < 20100; port++)); do
		where=$(lb explain "$CLIENT:$port" "$VIP:80") || return 1
		[[ $where != *"Backend: $1,"* ]] || break
	done
	[[ $where == *"Interface: out of $2."* && $where == *"the source $(mac_of lb "$2")"* ]]
}
for idx in 1 2 3; do
	fact "explain_shows_the_interface_of_web$idx" explained "web$idx" "eth$idx"
done

# A datagram that fits every link but that of its server, and one that fits none: answered with that link's MTU.
mtu_told() {
	on client ip route flush cache
	on client timeout 10 python3 - "$1" <<- END
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
		s.connect(("$VIP2", 5000))
		s.settimeout(0.1)
		for _ in range(50):
		    try:
		        s.send(bytes(int(sys.argv[1])))
		        s.recv(1)
		    except OSError:
		        pass
		    mtu = s.getsockopt(socket.IPPROTO_IP, 14)  # IP_MTU
		    if mtu < 1500:
		        break
		print(mtu)
	END
}
before=$(lb_json '.drops["too-big"]')
fact what_is_too_long_for_its_servers_link_is_answered_with_that_mtu equal "$(mtu_told 1450)" 1400
fact it_is_counted at_least "$(($(lb_json '.drops["too-big"]') - before))" 1

# One segment loses its link: its server is down, by name and at once; the others go on.
must wait_until 20 backends_up 4
down_within() {
	wait_until 5 backend_is "$1" down || return 1
	# By its own count: to ask takes longer on a busy machine.
	local since_s
	since_s=$(backend_field since_s "$1")
	passed_ms=$(awk -v ago="$(($(now_ms) - lost_ms))" -v since="$since_s" 'BEGIN { printf "%d", ago - 1000 * since }')
	((passed_ms <= 1000 * SLOW))
}
for lost in 2 3; do
	others=$(printf 'web%d ' {1..3} | sed "s/web$lost //")
	lost_ms=$(now_ms)
	ip_on "seg$lost" link set lb down
	fact "a_segment_that_is_lost_takes_web${lost}_down_at_once" down_within "web$lost"
	note "web$lost was down ${passed_ms:-?} ms after its interface"
	fact "its_reason_names_eth$lost" says "^interface eth$lost is down" backend_field reason "web$lost"
	fact "the_others_serve_without_web$lost" equal "$(answer_names "$VIP" 90)" "$others"
	fact "the_status_without_web$lost" exits $((lost == 3 ? 2 : 1)) lb status
	fact "it_is_ready_without_web$lost" exits 0 lb ready web
	ip_on "seg$lost" link set lb up
	fact "web${lost}_is_back" wait_until 30 backend_is "web$lost" up
	must wait_until 10 backends_serve 4
	fact "all_serve_with_web$lost" equal "$(answer_names "$VIP" 90)" "web1 web2 web3 "
done
fact nobody_else_was_ever_down not grep -q 'backend web1: up -> down' "$work/lb/log"

# A reload takes a segment out, and in again: connections of the others stay.
must wait_until 30 membership_is_quiet
ports_of() {
	on "web$1" ss -Htn state established "sport = :80" | wc -l
}
transfers_start
with1=$(ports_of 1)
with2=$(ports_of 2)
note "connections by server: $with1, $with2, $(ports_of 3)"
sed -i 's/^backend-interface = .*/backend-interface = eth1, eth2/; /10.9.3.12/d' "$work/lb/lb.conf"
fact a_reload_takes_a_segment_out exits 0 lb reload
fact it_is_told equal "$(lb_json '.backend_interfaces | join(" ")')" "eth1 eth2"
sed -i 's/^backend-interface = .*/backend-interface = eth1, eth2, eth3/' "$work/lb/lb.conf"
fact a_reload_takes_it_in_again exits 0 lb reload
fact it_is_told_again equal "$(lb_json '.backend_interfaces | join(" ")')" "eth1 eth2 eth3"
fact its_server_comes_back wait_until 40 backend_is web3 up
must wait_until 180 gone "$transfers_pid"
whole() {
	awk '$1 == 200 && $2 == 1048576 && $3 == 0' "$work/transfers" | wc -l
}
note "$(whole) of 200 transfers were whole"
fact connections_of_the_others_are_whole at_least "$(whole)" "$((with1 + with2))"
fact every_server_serves_after_it equal "$(answer_names "$VIP" 90)" "web1 web2 web3 "
sed -i 's/^backend-interface = .*/backend-interface = eth1, eth3/' "$work/lb/lb.conf"
fact a_reload_that_would_leave_a_static_server_on_no_link_is_refused exits 78 lb reload
fact nothing_has_changed_then equal "$(lb_json '.backend_interfaces | join(" ")')" "eth1 eth2 eth3"
fact every_server_still_serves equal "$(answer_names "$VIP" 90)" "web1 web2 web3 "

# What is on its way from a server that is late, while a reload takes its segment out, comes from nowhere.
signal_pid "${daemon_pid[web3]}" STOP
must wait_until 20 backend_is web3 down
start_on web3 "$work/words.log" bash -c 'exec 3<> /dev/udp/10.9.3.2/7377; while :; do for n in {1..50}; do echo word >&3; done 2> /dev/null; sleep 0.002; done'
words=$started
before=${daemon_pid[lb]}
for round in 1 2 3; do
	sed -i 's/^backend-interface = .*/backend-interface = eth1, eth2/' "$work/lb/lb.conf"
	fact "a_reload_takes_it_out_amid_words_$round" exits 0 lb reload
	fact "the_daemon_goes_on_$round" equal "$(lb_json '.backend_interfaces | join(" ")')" "eth1 eth2"
	sed -i 's/^backend-interface = .*/backend-interface = eth1, eth2, eth3/' "$work/lb/lb.conf"
	must exits 0 lb reload
done
must stop_pid "$words"
signal_pid "${daemon_pid[web3]}" CONT
fact it_comes_back_after_all_that wait_until 40 backend_is web3 up
fact by_the_same_daemon signal_pid "$before" 0

# What XDP cannot send to is refused with the reason, also when it is already serving; tc and packet forward there.
if [[ $MODE == xdp ]]; then
	ip_on lb link add bridge4 type bridge
	sed -i 's/^backend-interface = .*/backend-interface = eth1, eth2, eth3, bridge4/' "$work/lb/lb.conf"
	fact a_reload_with_an_interface_that_xdp_does_not_send_to_is_refused exits 78 lb reload
	fact it_is_said_where_it_stands says 'lb.conf:4: backend-interface: bridge4 .bridge. takes no frames from XDP' lb reload
	ip_on lb link del bridge4
	fact a_reload_with_an_interface_that_is_not_there_is_taken exits 0 lb reload
	fact every_server_serves_beside_it equal "$(answer_names "$VIP" 90)" "web1 web2 web3 "
	ip_on lb link add bridge4 type bridge
	fact what_it_becomes_is_seen wait_until 10 says 'bridge4 .bridge. takes no frames from XDP' lb status
	ip_on lb link del bridge4
	all_serve() {
		[[ $(answer_names "$VIP" 90) == "web1 web2 web3 " ]]
	}
	fact without_it_everybody_serves_again wait_until 30 all_serve
fi

# serves_by KIND DEVICE… : the three segments' addresses move to these, and the balancer starts on them.
serves_by() {
	local kind=$1 idx=0 device
	shift
	daemon_stop lb
	for device; do
		idx=$((idx + 1))
		ip_on lb address flush dev "eth$idx"
		addresses lb "$device" "10.9.$idx.2/24" "2001:db8:9$idx::2/64"
		ip_on lb link set "$device" up
	done
	lb_configure < <(config "$1, $2, $3" "$static")
	if [[ $MODE != xdp ]]; then
		lb_start
		fact "servers_behind_a_${kind}_come_up" wait_until 40 backends_serve 4
		fact "all_serve_behind_a_$kind" equal "$(answer_names "$VIP" 90)" "web1 web2 web3 "
		return
	fi
	lb_launch
	must wait_until 20 lb_answers lb
	fact "xdp_does_not_send_to_a_$kind" says 'takes no frames from XDP' lb status
	fact "and_serves_nobody_by_a_$kind" exits 2 lb status
}
for idx in 1 2 3; do
	ip_on lb link add "bridge$idx" type bridge forward_delay 0 mcast_snooping 0
	ip_on lb link set "eth$idx" master "bridge$idx"
done
serves_by bridge bridge1 bridge2 bridge3

# One trunk with a VLAN device for each segment.
for idx in 1 2 3; do
	ip_on lb link del "bridge$idx"
	ip_on lb link del "eth$idx"
done
add_host trunk
ip_on lb link add trunk type veth peer name trunk netns "$(ns trunk)"
ip_on lb link set trunk up
ip_on trunk link set trunk up
for idx in 1 2 3; do
	ip_on lb link add link trunk name "trunk.$idx" type vlan id "$idx" 2> "$work/vlan" || {
		skip_fact segments_on_one_trunk "this kernel has no VLAN devices: $(tail -n 1 "$work/vlan")"
		exit
	}
	ip_on trunk link add link trunk name "trunk.$idx" netns "$(ns "seg$idx")" type vlan id "$idx"
	ip_on "seg$idx" link set "trunk.$idx" master br0 up
done
serves_by trunk trunk.1 trunk.2 trunk.3
