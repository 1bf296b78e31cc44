# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# What the packet engine takes, the balancer's own stack does not look at again: a guard at tc's ingress
# drops it, for exactly the VIPs that are served, as long as they are. Nothing else is kept from the
# host, and the guard goes with the engine; while it is there, it is put back where somebody takes it away.
. "$(dirname "$0")/../netns/topology.bash"

# configure MODE VIP… : web servers at these.
configure() {
	local mode=$1 vips
	shift
	vips=$*
	lb_configure < <(
		lb_default_config | sed "/^\[balancer\]/a mode = $mode
			s/^vip = .*/vip = ${vips// /, }/"
	)
}

# The balancer's stack, where it has just got a frame.
count_in_stack() {
	on lb nft -f - <<- END
		table inet stack {
			counter vip { }
			counter vip2 { }
			counter vip6 { }
			chain prerouting {
				type filter hook prerouting priority -300
				ip daddr $VIP counter name vip
				ip daddr $VIP2 counter name vip2
				ip6 daddr $VIP6 meta l4proto tcp counter name vip6
			}
		}
	END
}
in_stack() {
	on lb nft -j list counter inet stack "$1" | jq '.nftables[] | .counter? // empty | .packets'
}

# knock [ADDRESS [SECONDS]] : one connection; who answered.
knock() {
	local address=${1:-$VIP}
	[[ $address != *:* ]] || address="[$address]"
	on client curl -sS --http0.9 --max-time "${2:-5}" "telnet://$address:80" < /dev/null 2> /dev/null
}
serves() {
	[[ $(knock "${1:-$VIP}" 2) == web* ]]
}
host_answers() {
	[[ $(knock "$1" 2) == lb ]]
}
# kept_from_the_stack NAME ADDRESS : what is served there does not get there.
kept_from_the_stack() {
	local before
	before=$(in_stack "$1")
	must serves "$2"
	equal "$(in_stack "$1")" "$before"
}
# reaches_the_stack NAME ADDRESS
reaches_the_stack() {
	local before
	before=$(in_stack "$1")
	knock "$2" 0.2 > /dev/null
	(($(in_stack "$1") > before))
}

topology_up --webs 2 --no-nginx
for idx in 1 2; do
	tool_start "server-web$idx" "web$idx" named_server "web$idx" "$VIP:80" "$VIP2:80" "[$VIP6]:80"
	agent_configure "web$idx" < <(agent_default_config "web$idx" | sed "s/^vip = .*/&, $VIP2/")
done
count_in_stack
configure packet "$VIP" "$VIP2" "$VIP6"
lb_and_agents_start

tool_start held client connections "$VIP:80" 100 100
tool_start held6 client connections "[$VIP6]:80" 100 100
must wait_until 30 connections_are held '.open == 100'
must wait_until 30 connections_are held6 '.open == 100'
forwarded=$(lb_json .packets.forwarded)
fact connections_talk equal "$(tool_ask held round | jq -c '[.open, .broken]')" '[100,0]'
fact connections_talk_over_ipv6 equal "$(tool_ask held6 round | jq -c '[.open, .broken]')" '[100,0]'
fact their_packets_are_forwarded at_least "$(($(lb_json .packets.forwarded) - forwarded))" 400
stop_pid "${tool_pid[held]}"
stop_pid "${tool_pid[held6]}"
must serves "$VIP2"
fact the_stack_gets_none equal "$(in_stack vip)" 0
fact the_stack_gets_none_for_another_vip equal "$(in_stack vip2)" 0
fact the_stack_gets_none_over_ipv6 equal "$(in_stack vip6)" 0
tool_start local lb named_server lb "$LB:80" "$VIP:80"
fact the_hosts_own_address_is_its_own wait_until 5 host_answers "$LB"

# A neighbour that is to be confirmed is asked by unicast, at the address itself.
neighbour_is() {
	[[ $(ip_on router -j neigh show "$1" dev eth0 | jq -r '.[0].state[0]') == "$2" ]]
}
for address in "$VIP" "$VIP6"; do
	name=arp
	[[ $address != *:* ]] || name=neighbour_discovery
	ip_on router neigh del "$address" dev eth0
	fact "${name}_is_answered" wait_until 5 serves "$address"
	ip_on router neigh change "$address" dev eth0 lladdr "$(mac_of lb)" nud probe
	fact "${name}_is_answered_when_asked_by_unicast" wait_until 10 neighbour_is "$address" REACHABLE
done

# The guard follows reloads. Nobody answers ARP for what is no VIP.
ip_on router neigh replace "$VIP2" dev eth0 lladdr "$(mac_of lb)" nud permanent
configure packet "$VIP" "$VIP6"
must lb reload
fact a_removed_vip_reaches_the_stack reaches_the_stack vip2 "$VIP2"
fact the_others_do_not_after_that kept_from_the_stack vip "$VIP"
configure packet "$VIP" "$VIP2" "$VIP6"
must lb reload
must wait_until 10 serves "$VIP2"
fact an_added_vip_does_not kept_from_the_stack vip2 "$VIP2"

# Inactive, the balancer keeps nothing.
must lb standby --linger=0
fact on_standby_the_vip_reaches_the_stack reaches_the_stack vip "$VIP"
must lb active
fact active_again_it_does_not kept_from_the_stack vip "$VIP"
is_active() {
	[[ $(lb_json .active) == "$1" ]]
}
ip_on lb address add "$VIP/32" dev lo
fact a_vip_of_the_hosts_own_is_kept_from_it kept_from_the_stack vip "$VIP"
must lb standby --linger=0
ip_on router neigh replace "$VIP" dev eth0 lladdr "$(mac_of lb)" nud permanent
fact on_standby_it_is_the_hosts host_answers "$VIP"
must lb active
ip_on lb address del "$VIP/32" dev lo
must wait_until 5 is_active true
fact without_it_the_stack_gets_none_again kept_from_the_stack vip "$VIP"
stop_pid "${tool_pid[local]}"

# Who takes it away is noticed, and it is put back.
said_back() {
	equal "$(grep -c 'guard program was taken from the interface; it is back' "$work/lb/log")" "$1"
}
# taken HOW COMMAND… : on the balancer.
taken() {
	local how=$1
	shift
	n_taken=$((n_taken + 1))
	must on lb "$@" > "$work/taken"
	fact "taken_away_by_${how}_it_is_back" wait_until 20 said_back "$n_taken"
	fact "it_is_alone_after_$how" equal "$(programs_on lb eth0)" guard
	fact "it_keeps_its_vip_from_the_stack_after_$how" kept_from_the_stack vip "$VIP"
	fact "it_is_said_once_after_$how" said_back "$n_taken"
}
n_taken=0
taken_from_the_qdisc() {
	taken "filter_del$1" tc filter del dev eth0 ingress
	taken "qdisc_del$1" tc qdisc del dev eth0 clsact
}
if [[ -n $(on lb "$BUILD/tests/harness/tcx" eth0) ]]; then
	taken detaching "$BUILD/tests/harness/tcx" eth0 detach
else
	taken_from_the_qdisc
fi

# lives HOW : how it comes and goes.
lives() {
	local id
	fact "the_guard_is_alone_$1" equal "$(programs_on lb eth0)" guard
	id=$(program_id lb eth0)
	daemon_stop lb KILL
	must equal "$(program_id lb eth0)" "$id"
	configure packet "$VIP" "$VIP6"
	lb_start
	must wait_until 10 backends_up 2
	fact "after_a_kill_the_next_takes_its_place_$1" equal "$(programs_on lb eth0)" guard
	fact "by_a_guard_of_its_own_$1" not equal "$(program_id lb eth0)" "$id"
	fact "which_keeps_its_vip_from_the_stack_$1" kept_from_the_stack vip "$VIP"
	fact "and_no_former_one_$1" reaches_the_stack vip2 "$VIP2"
	daemon_stop lb
	fact "a_stopped_engine_leaves_none_$1" equal "$(programs_on lb eth0)" ""
	fact "and_the_stack_gets_all_$1" reaches_the_stack vip "$VIP"
	configure packet "$VIP" "$VIP2" "$VIP6"
	lb_start
	must wait_until 10 backends_up 2
}
lives with_pins
daemon_stop lb KILL
configure tc "$VIP" "$VIP2" "$VIP6"
lb_start
fact in_another_mode_a_killed_engines_guard_goes equal "$(programs_on lb eth0)" tc
must wait_until 10 backends_up 2
fact and_clients_are_served wait_until 5 serves
daemon_stop lb
lb_forget lb

# Where no pin leads back to a program, it is a filter with a number.
lb_without_pins=yes
configure packet "$VIP" "$VIP2" "$VIP6"
lb_start
must wait_until 20 backends_up 2
must equal "$(on lb "$BUILD/tests/harness/tcx" eth0)" ""
lives as_a_filter
taken_from_the_qdisc _as_a_filter

# Where something is in its place, it cannot come back. That is said once, and where the kernel would answer
# clients, the balancer steps back.
away() {
	grep -c 'guard program was taken from the interface, and this host' "$work/lb/log"
}
is_away() {
	[[ $(away) == "$1" ]]
}
must on lb tc -batch - <<- END
	filter del dev eth0 ingress
	filter add dev eth0 ingress prio $((0xd5b)) protocol ip bpf bytecode '1,6 0 0 0'
END
fact where_it_cannot_come_back_that_is_said wait_until 10 is_away 1
fact without_it_clients_are_served serves
ip_on lb address add "$VIP2/32" dev lo
fact without_it_a_vip_on_the_host_ends_activity wait_until 5 is_active false
fact the_status_says_that_it_is_away says "$VIP2 is configured on this host.*classifier" lb status
on lb tc filter del dev eth0 ingress
fact when_its_place_is_free_it_is_back wait_until 10 said_back "$((n_taken + 1))"
fact and_the_balancer_is_active wait_until 5 is_active true
fact it_was_said_once equal "$(away)" 1
fact it_keeps_the_vip_on_the_host_from_the_stack kept_from_the_stack vip2 "$VIP2"
ip_on lb address del "$VIP2/32" dev lo

# Without the right to load programs all goes on as it is.
daemon_stop lb
LB_CAPABILITIES=+net_raw,+net_admin
lb_start
must wait_until 20 backends_up 2
must equal "$(programs_on lb eth0)" ""
fact without_the_right_to_a_guard_it_serves serves
fact and_the_log_says_why_there_is_none says "own stack gets frames for VIPs, too, .*not permitted" \
	tail -n 20 "$work/lb/log"

# But not where its kernel would answer clients: it steps back at once, and says why.
# Its log is read without a process: to ask it takes longer than it has on a busy machine.
has_stepped_back() {
	[[ $(< "$work/lb/log") == *"not active: $VIP is configured on this host"* ]]
}
must not has_stepped_back
ip_on lb address add "$VIP/32" dev lo
begin=$(now_ms)
must wait_until 5 has_stepped_back
took=$(($(now_ms) - begin))
note "it stepped back after $took ms"
fact without_a_guard_a_vip_on_the_host_ends_activity_at_once at_most "$took" $((500 * SLOW))
must is_active false
fact it_names_the_address_and_why says "$VIP is configured on this host.*not permitted" lb status
fact that_is_not_well exits 1 lb status
ip_on lb address del "$VIP/32" dev lo
fact without_it_it_is_active_again wait_until 5 is_active true
fact clients_are_served_again wait_until 5 serves
