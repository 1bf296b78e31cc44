# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Two balancers with keepalived, by the files of packaging/keepalived: one dies without a word, is replaced, goes on standby,
# and its keepalived is stopped, under open connections, none of which breaks.
. "$(dirname "$0")/../netns/topology.bash"

command -v keepalived > /dev/null || skip "no keepalived; \`apt-get install keepalived\` (or \`tests/deps all\`) installs it"

topology_up --webs 3 --balancers 2 --no-nginx
servers_start 80
declare -A keepalived_pid=()

# keepalived_start NAME FILE : with the file as it is, but for where the program is.
keepalived_start() {
	local name=$1 dir=$work/keepalived-$1
	rm -rf "$dir"
	mkdir "$dir"
	cat > "$dir/ready" <<- END
		#!/bin/sh
		exec $work/bin/dsr-lb ready --runtime-dir $work/$name/run --state-dir $work/$name/state
	END
	chmod 755 "$dir/ready"
	sed "s|/usr/bin/dsr-lb ready|$dir/ready|" "packaging/keepalived/$2" > "$dir/keepalived.conf"
	# Its own names for files are the host's: let it have a /run of its own.
	start_on "$name" "$dir/log" unshare --mount sh -c 'mount -t tmpfs none /run && exec "$@"' sh \
		keepalived --dont-fork --log-console --vrrp --use-file "$dir/keepalived.conf" \
		--pid "$dir/pid" --vrrp_pid "$dir/vrrp.pid"
	keepalived_pid[$name]=$started
}
state_is() {
	[[ $(lb_json .state "$1") == "$2" ]]
}
# is_served_by NAME : as the router sees it.
is_served_by() {
	[[ $(on router ip -j neigh show to "$VIP" dev eth0 | jq -r '.[0].lladdr') == "$(mac_of "$1")" ]]
}
# One that keepalived could make the master.
is_backup() {
	[[ $(grep -o 'Entering .* STATE' "$work/keepalived-$1/log" | tail -1) == *BACKUP* ]]
}
# A new connection, which is not patient.
try_connect() {
	timeout 0.3 ip netns exec "$(ns client)" bash -c "exec 3<> /dev/tcp/$VIP/80" 2> /dev/null
}
all_talk() {
	local name
	for name in held held6; do
		tool_ask "$name" round | jq -e '.broken == 0 and .open == .wanted' > /dev/null || {
			note "$name: $(tool_ask "$name")"
			return 1
		}
	done
}
retransmitted() {
	on client nstat -asz TcpRetransSegs | awk '/TcpRetransSegs/ { print $2 }'
}
# served_within MS COMMAND… : after it, how long until a new connection is answered.
served_within() {
	local limit=$1 begin took
	shift
	"$@"
	begin=$(now_ms)
	until try_connect || (($(now_ms) - begin > 20000)); do :; done
	took=$(($(now_ms) - begin))
	note "served again after $took ms"
	at_most "$took" $((limit * SLOW))
}
power_off() {
	local pid children
	children=$(pgrep -P "${keepalived_pid[lb]}")
	ip_on lb link set eth0 down
	# The parent first, which would start another child.
	for pid in "${daemon_pid[lb]}" "${keepalived_pid[lb]}" $children; do
		signal_pid "$pid" KILL
	done
}
# balancer_start NAME : active while the VIP is there.
balancer_start() {
	lb_configure "$1" < <(lb_default_config "$1" | sed "/^\[balancer\]/a active-when = address $VIP")
	lb_start "$1"
}

balancer_start lb
balancer_start lb2
for name in web1 web2 web3; do
	agent_configure "$name" < <(agent_default_config "$name" "$LB, $LB2")
	agent_start "$name"
done
must wait_until 20 backends_up 3 lb
must wait_until 20 backends_up 3 lb2
fact without_an_address_both_are_on_standby equal "$(lb_json .state lb) $(lb_json .state lb2)" "standby standby"
fact and_ready exits 0 lb ready
keepalived_start lb vip.conf
fact the_first_becomes_active wait_until 15 state_is lb active
keepalived_start lb2 vip.conf
must wait_until 10 is_backup lb2
must wait_until 10 try_connect
tool_start held client connections "$VIP:80" 500 400
tool_start held6 client connections "[$VIP6]:80" 100 400
must wait_until 30 connections_are held '.open == 500'
must wait_until 30 connections_are held6 '.open == 100'
fact the_second_is_not equal "$(lb_json .state lb2)" standby
must wait_until 20 membership_is_quiet lb2
fact the_tables_are_alike equal "$(lb_json '.virtual_servers[0].table_digest' lb)" \
	"$(lb_json '.virtual_servers[0].table_digest' lb2)"

fact powered_off_clients_are_served_again_within_4_s served_within 4000 power_off
fact by_the_other_one equal "$(lb_json .state lb2)" active
fact and_no_connection_is_broken all_talk

# It comes back, as a host that booted: without its address, and without being active.
lb_forget lb
ip_on lb address flush dev lo to "$VIP/32"
ip_on lb -6 address flush dev lo to "$VIP6/128"
ip_on lb link set eth0 up
addresses lb eth0 "$LB6/64"
default_routes lb "$ROUTER" 2001:db8:2::1 2> /dev/null
balancer_start lb
must wait_until 20 backends_up 3 lb
must wait_until 20 membership_is_quiet lb
keepalived_start lb vip.conf
must wait_until 10 is_backup lb
before=$(retransmitted)
must dsr_lb lb2 standby
fact on_standby_the_other_takes_over wait_until 10 state_is lb active
fact the_former_lingers equal "$(lb_json .state lb2)" lingering
fact the_router_has_gone_over wait_until 5 is_served_by lb
fact no_connection_is_broken_by_a_standby all_talk
fact and_no_frame_is_lost equal "$(retransmitted)" "$before"

must dsr_lb lb2 active
must wait_until 10 is_backup lb2
before=$(retransmitted)
stop_pid "${keepalived_pid[lb]}"
fact a_keepalived_that_stops_hands_over wait_until 10 state_is lb2 active
fact then_the_first_lingers equal "$(lb_json .state lb)" lingering
fact the_router_has_gone_back wait_until 5 is_served_by lb2
fact no_connection_is_broken_by_its_stop all_talk
fact and_no_frame_is_lost_either equal "$(retransmitted)" "$before"

# An address of their own instead: the VIPs are on neither host.
stop_pid "${keepalived_pid[lb2]}"
for name in lb lb2; do
	sed -i 's/^active-when = .*/active-when = address 192.0.2.100/' "$work/$name/lb.conf"
	must dsr_lb "$name" reload
done
keepalived_start lb2 address.conf
fact with_an_address_of_its_own_the_second_is_active wait_until 15 state_is lb2 active
fact it_has_no_vip equal "$(ip_on lb2 -o address show to "$VIP" | wc -l)" 0
keepalived_start lb address.conf
must wait_until 10 is_backup lb
before=$(retransmitted)
must dsr_lb lb2 standby
fact from_which_a_standby_hands_over_too wait_until 10 state_is lb active
fact which_the_router_is_told wait_until 5 is_served_by lb
fact no_connection_has_broken all_talk
fact and_again_no_frame_is_lost equal "$(retransmitted)" "$before"
