# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The balancer's interface comes late, goes down, is renamed, is deleted and made anew; its runtime
# directory runs full. It says so, and goes on by itself.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2
# Where every flow has a record, those of a backend that is down are moved, or dropped where nobody else is up.
servers_start 81
lb_configure < <(
	lb_default_config
	printf '[virtual-server turns]\nvip = %s\nport = 81\nscheduler = rr\non-all-down = drop\n' "$VIP"
)
balancer_addresses() {
	addresses lb eth0 "$LB6/64" 2> /dev/null
	addresses lb eth0 "$LB/24" 2> /dev/null
	default_routes lb "$ROUTER" 2001:db8:2::1 2> /dev/null
}
rename_link() {
	ip_on lb link set "$1" down
	ip_on lb link set "$1" name "$2"
	ip_on lb link set "$2" up
	balancer_addresses
}
serves() {
	[[ $(fetch / --max-time 2) == web* ]]
}

# Late: it waits, and says for what.
rename_link eth0 later
lb_launch
fact without_its_interface_it_waits wait_until 5 lb_answers lb
fact its_status_is_2 exits 2 lb status
fact it_says_which_interface_is_not_there says 'eth0 is not there' lb status
rename_link later eth0
agents_start
fact it_serves_when_the_interface_comes wait_until 20 backends_up 2
fact clients_are_served wait_until 5 serves

# Its address is away for a moment (DHCP, a restart of the network's manager): no backend's failure.
must wait_until 20 backends_up 2
ip_on lb address del "$LB/24" dev eth0
must equal "$(ip_on lb -4 -j address show dev eth0 | jq '[.[].addr_info[]?] | length')" 0
ip_on lb address add "$LB/24" dev eth0
balancer_addresses
must wait_until 5 serves
must lb_answers lb
fact an_address_that_is_away_for_a_moment_makes_nobody_homeless not grep -q 'has its VIPs, or allows' "$work/lb/log"

# Nor is it while heartbeats cannot be sent, and their answers cannot come.
downs() {
	grep -c 'backend web.: up -> down' "$work/lb/log"
}
# passed BEGIN MS
passed() {
	(($(now_ms) - $1 >= $2))
}
accepted_more_than() {
	(($(lb_json .control.accepted) > $1))
}
talking() {
	tool_ask held round > "$work/round"
	"$@"
}
must wait_until 20 backends_up 2
before=$(downs)
tool_start held client connections "$VIP:81" 200 300
must wait_until 30 connections_are held '.open == 200'
for away_ms in 200 900; do
	begin=$(now_ms)
	ip_on lb address del "$LB/24" dev eth0
	must wait_until 5 talking passed "$begin" "$away_ms"
	balancer_addresses
	must wait_until 10 talking accepted_more_than "$(($(lb_json .control.accepted) + 8))"
	note "the address was away for $(($(now_ms) - begin)) ms, until it was heard from all again"
	fact "an_address_that_is_away_for_${away_ms}_ms_makes_nobody_fail" equal "$(downs)" "$before"
	fact "all_are_up_after_$away_ms" backends_up 2
	fact "it_breaks_none_of_200_connections_after_$away_ms" equal "$(tool_ask held round | jq -c '[.open, .broken]')" '[200,0]'
done
stop_pid "${tool_pid[held]}"

# A port of a bridge has no frames of its own: the bridge is meant.
reason_is() {
	[[ $(lb_json .reason) == *"$1"* ]]
}
equal_reason() {
	[[ $(lb_json .reason) == "$1" ]]
}
check_config() {
	on lb setpriv --reuid "$LB_UID" --regid "$LB_UID" --clear-groups "$work/bin/dsr-lb" check-config \
		--config "$work/lb/lb.conf"
}
fact of_an_interface_as_it_should_be_nothing_is_said equal "$(check_config 2>&1)$(lb_json .reason)" ""
ip_on lb link add bridge9 type bridge
ip_on lb link set eth0 master bridge9
fact status_names_the_bridge_that_is_meant wait_until 5 reason_is 'write interface = bridge9'
fact so_does_the_log grep -q 'warning: eth0 is a port of bridge9' "$work/lb/log"
fact so_does_check_config says 'warning: eth0 is a port of bridge9' check_config
fact which_is_no_error exits 0 check_config
ip_on lb link del bridge9
fact without_the_bridge_nothing_is_said wait_until 5 equal_reason ""
ip_on lb link add bare type veth peer name bare9
ip_on lb link set bare up
sed -i '/^interface/a backend-interface = bare' "$work/lb/lb.conf"
fact an_interface_without_address_is_told says 'warning: bare has no address' check_config
sed -i '/^backend-interface/d' "$work/lb/lb.conf"
ip_on lb link del bare

# Somebody flushes the routes, or restarts the network's manager: the VIPs' are put back.
blackholes() {
	[[ $(ip_on lb -j route show type blackhole proto 217 | jq length) == "$1" ]] &&
		[[ $(ip_on lb -j -6 route show type blackhole proto 217 | jq length) == "$1" ]]
}
if [[ $MODE == packet ]]; then
	must wait_until 5 blackholes 1
	must ip_on lb route flush proto 217
	must ip_on lb -6 route flush proto 217
	fact routes_that_somebody_removed_are_put_back wait_until 10 blackholes 1
	fact it_says_so grep -q 'blackhole routes for VIPs; . are put back' "$work/lb/log"
else
	fact where_the_stack_sees_no_frame_there_are_no_routes wait_until 5 blackholes 0
fi

# Deleted and made anew: another interface of the same name.
ip_on lb link del eth0
fact without_it_the_status_is_2 wait_until 5 exits 2 lb status
must wait_until 10 not backend_is web1 up
wire lb eth0 switch lb
balancer_addresses
fact agents_reach_a_recreated_interface wait_until 20 backends_up 2
fact clients_are_served_after_a_recreation wait_until 5 serves

# The address to listen on comes late, too.
daemon_stop lb
sed -i "/^interface/a listen = 192.0.2.99:7377" "$work/lb/lb.conf"
lb_start
listens() {
	[[ $(lb_json .control.listening) == "$1" ]]
}
fact without_its_address_it_starts_and_waits listens false
fact it_says_for_which_address says '192.0.2.99' lb_json .control.listening_reason
fact its_status_is_not_well not exits 0 lb status
ip_on lb address add 192.0.2.99/32 dev eth0
fact it_listens_when_the_address_comes wait_until 10 listens true
daemon_stop lb
ip_on lb address del 192.0.2.99/32 dev eth0
sed -i '/^listen = /d' "$work/lb/lb.conf"
lb_start

# A full runtime directory hinders a change only as long as it is full, and only where tables are
# files.
daemon_stop lb
lb_forget lb
install -d -m 755 -o "$LB_UID" -g "$LB_UID" "$work/lb/run"
mount -t tmpfs -o "size=8M,mode=755,uid=$LB_UID,gid=$LB_UID" none "$work/lb/run"
sed -i '/^interface/a max-flows = 1k' "$work/lb/lb.conf"
lb_start
must wait_until 20 backends_up 2
must wait_until 30 membership_is_quiet
head -c 16M /dev/zero > "$work/lb/run/filler" 2> /dev/null
must lb drain web1
has_slots() {
	[[ $(lb_json '.virtual_servers[0].backends[] | select(.name == "web1").share > 0') == "$1" ]]
}
if [[ $MODE == packet ]]; then
	fact tables_that_could_not_be_built_stay has_slots true
	rm "$work/lb/run/filler"
	fact they_are_built_when_there_is_room wait_until 5 has_slots false
else
	fact tables_in_maps_take_no_room_there wait_until 5 has_slots false
fi
daemon_stop lb
umount "$work/lb/run"

# Killed, and started with another VIP: no blackhole route is left behind for the former one.
blackholes() {
	ip_on lb route show proto 217 | awk '{ print $2 }' | sort | tr '\n' ' '
}
lb_forget lb
lb_configure < <(lb_default_config)
lb_start
routes_of() {
	[[ $MODE != packet ]] || printf '%s ' "$1"
}
must equal "$(blackholes)" "$(routes_of "$VIP")"
daemon_stop lb KILL
sed -i "s/^vip.*/vip = $VIP2/" "$work/lb/lb.conf"
lb_start
fact a_killed_daemons_blackhole_goes_with_its_vip equal "$(blackholes)" "$(routes_of "$VIP2")"
daemon_stop lb
fact a_stopped_daemon_leaves_none equal "$(blackholes)" ""
