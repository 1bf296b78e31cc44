# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Two balancers, and rows that move: connections that began by one go on by the other, which has no record of them, where the
# servers pass on what they have no socket for; and some break where they do not. Of two changes one after the other a frame
# names the last one's owner and the base: how many that leaves out.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/balancers.bash"

topology_up --webs 5 --balancers 2
servers_start 81
# Of the errors to the VIP none is left out.
on router sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0

# balancer_start NAME : without lingering, so that the other has everything at once.
balancer_start() {
	lb_configure "$1" < <(lb_default_config "$1" | sed "/^port/s/.*/port = 80, 81/; /^\[balancer\]/a linger = 0")
	lb_start "$1"
}
# goes_over FROM TO : the clients' frames, as an administrator does it.
goes_over() {
	must dsr_lb "$2" active
	must dsr_lb "$1" standby
	# What is not asked for is not looked up.
	wait_until 10 eval "on client curl -sf -o /dev/null --max-time 2 http://$VIP/ &&
		on client curl -sf -o /dev/null --max-time 2 'http://[$VIP6]/' && is_served_by $2"
}
named() {
	lb_json .second_chance.named "$1"
}
# chance NAME FIELD : of an agent.
chance() {
	agent "$1" status --json | jq -r ".second_chance.$2"
}
# sum_of FIELD : over all agents.
sum_of() {
	local name sum=0
	for name in web1 web2 web3 web4; do
		sum=$((sum + $(chance "$name" "$1")))
	done
	printf '%s' "$sum"
}
agent_write() {
	agent_configure "$1" < <(agent_default_config "$1" "$LB, $LB2" "second-chance = $2")
}
# Whom both balancers know, each by its own names.
knows_all() {
	[[ $(chance "$1" peers) == 8 ]]
}
both_know_it() {
	[[ $(backend_field second_chance "$1" lb) == true && $(backend_field second_chance "$1" lb2) == true ]]
}
broken_of() {
	tool_ask "$1" round | jq -r .broken
}
on_web4() {
	tool_ask "$1" report | jq -r '.servers.web4 // 0'
}
balancer_start lb
balancer_start lb2
must dsr_lb lb2 standby
for name in web1 web2 web3; do
	agent_write "$name" no
	agent_capabilities=+net_admin,+bpf agent_start "$name"
done
all_have_joined 3 lb lb2

# These are from before, and stay where they are, whoever forwards.
tool_start old client connections "$VIP:81" 200 400
must wait_until 30 connections_are old '.open == 200'

# Without the right to load a program the host serves as ever, and says what it lacks.
agent_write web4 yes
agent_start web4
must wait_until 20 backends_up 4 lb
must wait_until 20 backends_up 4 lb2
fact without_the_capability_it_is_up agent_is web4 up
fact and_says_what_it_lacks says 'warning: no second chance: it needs CAP_BPF' agent web4 status
fact and_so_does_its_log says 'no second chance: it needs CAP_BPF' cat "$work/web4/log"
fact and_balancers_know_it_has_none equal "$(backend_field second_chance web4 lb)" false
agent_capabilities=+net_admin,+bpf
agent_write web4 no
daemon_stop web4 KILL
agent_start web4
fact without_the_option_there_is_no_warning wait_until 20 not says 'warning: no second chance' agent web4 status
# has_its_weight SERVER SHARE BALANCER
has_its_weight() {
	# shellcheck disable=SC2053
	[[ $(backend_field state "$1" "$3") == up && $(backend_field share "$1" "$3") == $2 ]]
}
must wait_until 30 has_its_weight web4 '0.2[45]*' lb
must wait_until 30 has_its_weight web4 '0.2[45]*' lb2

# Rows move to web4 at both balancers; what begins now is recorded at the first alone.
tool_start control client connections "$VIP:81" 200 400
tool_start control6 client connections "[$VIP6]:81" 100 400
must wait_until 30 connections_are control '.open == 200'
must wait_until 30 connections_are control6 '.open == 100'
fact the_new_server_has_some at_least "$(on_web4 control)" 10
fact they_go_over_to_the_other_balancer goes_over lb lb2
fact without_it_some_break at_least "$(broken_of control)" 10
fact and_some_of_ip6 at_least "$(broken_of control6)" 5
fact of_those_from_before_none_does equal "$(broken_of old)" 0
fact and_no_frame_names_anybody equal "$(named lb) $(named lb2)" "0 0"
tool_end control > /dev/null
tool_end control6 > /dev/null

for name in web1 web2 web3 web4; do
	agent_write "$name" yes
	must agent "$name" reload
done
for name in web1 web2 web3 web4; do
	must wait_until 20 knows_all "$name"
	must wait_until 20 both_know_it "$name"
done
fact its_status_tells says '^second chance: 0 taken, 0 passed on' agent web4 status
tool_start held client connections "$VIP:81" 200 400
tool_start held6 client connections "[$VIP6]:81" 100 400
must wait_until 30 connections_are held '.open == 200'
must wait_until 30 connections_are held6 '.open == 100'
transfers_held "$VIP" "$work/go" &
transfers_held "$VIP6" "$work/go6" &
must wait_until 20 test -e "$work/go.open"
must wait_until 20 test -e "$work/go6.open"
fact the_new_server_has_some_again at_least "$(on_web4 held)" 10
before=$(named lb)
fact they_go_back_to_the_first_balancer goes_over lb2 lb
fact with_it_none_breaks equal "$(broken_of held)" 0
fact none_of_ip6_either equal "$(broken_of held6)" 0
fact nor_of_those_from_before equal "$(broken_of old)" 0
fact their_frames_named_the_other_server at_least "$(named lb)" $((before + 10))
fact which_got_them_passed_on at_least "$(sum_of passed_on)" 10
fact and_those_who_had_them_took_them at_least "$(sum_of taken)" 10
fact whom_they_were_passed_on_to_passed_none_on equal "$(chance web4 passed_on)" 0
fact explain_tells_of_it says 'Second chance: segments without a record name the owner' eval 'for port in {1..40}; do dsr_lb lb explain "$CLIENT:$port" "$VIP:81"; done'
fact alternatives_are_named_in_json says '"alternative": *"web' eval 'for port in {1..40}; do dsr_lb lb explain "$CLIENT:$port" "$VIP:81" --json; done'

# An error about a segment of theirs finds its server, too: the way to the client has become narrow.
ip_on router link set dev clients mtu 1300
touch "$work/go" "$work/go6"
wait %1 %2
fact errors_reach_the_right_server equal "$(cat "$work/go.whole") $(cat "$work/go6.whole")" "24 24"
ip_on router link set dev clients mtu 1500

# A program ends with its agent, however that ends; another one has it again.
tcx_programs() {
	on web1 "$BUILD/tests/harness/tcx" eth0 | wc -l
}
fact no_connection_broke_meanwhile equal "$(broken_of held) $(broken_of held6) $(broken_of old)" "0 0 0"
fact a_program_is_there equal "$(tcx_programs)" 1
daemon_stop web1 KILL
fact killed_it_leaves_none equal "$(tcx_programs)" 0
agent_start web1
fact and_it_comes_back wait_until 20 knows_all web1
fact with_its_program equal "$(tcx_programs)" 1

# Two changes: rows that moved to web4 move on to web5 before they have settled, with connections that web4 got between. The
# balancer that recorded these knows; for another one each row has its base, and its owner's name, which is web5's by now.
for name in held held6; do
	tool_end "$name" > /dev/null
done
# The clients' ports of connections that web4 has; of some it never heard that they broke.
ports_at_web4() {
	on web4 ss -Htn state established "sport = :81" | awk '{ sub(/.*:/, "", $4); print $4 }' | sort
}
ports_at_web4 > "$work/stale"
tool_start twice client connections "$VIP:81" 400 400
must wait_until 30 connections_are twice '.open == 400'
agent_write web5 yes
agent_start web5
for name in lb lb2; do
	must wait_until 20 backends_up 5 "$name"
	must wait_until 30 has_its_weight web5 '0.@(19|2)*' "$name"
done
knows_ten() {
	[[ $(chance "$1" peers) == 10 ]]
}
for name in web1 web2 web3 web4 web5; do
	must wait_until 20 knows_ten "$name"
done
# Of those that web4 has, in whose rows it is neither the owner nor the base (as where that was web1, which was down for a moment):
# for both balancers alike; one on standby explains nothing.
named_by_nobody() {
	local port n=0
	for port in $(ports_at_web4 | comm -13 "$work/stale" -); do
		[[ $(dsr_lb lb explain "$CLIENT:$port" "$VIP:81" --json | jq -r '.slot_owner, .slot_base') == *web4* ]] || n=$((n + 1))
	done
	printf '%s' "$n"
}
between=$(on_web4 twice)
fact who_recorded_them_breaks_none_by_a_second_change equal "$(broken_of twice)" 0
left_out=$(named_by_nobody)
fact a_second_change_leaves_some_named_by_nobody at_least "$left_out" 1
fact they_go_over_after_two_changes goes_over lb lb2
broken=$(broken_of twice)
note "of 400 connections web4 had $between, of which $broken broke by two changes and another balancer"
# They were asked for one after the other, while a row may settle.
fact those_that_nobody_names_break_and_no_others at_most "$((broken > left_out ? broken - left_out : left_out - broken))" 2
# A fifth of a quarter, by the rows.
fact of_all_that_is_less_than_a_tenth at_most "$broken" 40
fact those_from_before_both_changes_stay equal "$(broken_of old)" 0

# A stranger forges the name: the frame goes on to a registered server, once, and there it ends. Nothing else is
# named meanwhile.
for name in twice old; do
	tool_end "$name" > /dev/null
done
tool_start talk client connections "$VIP:81" 100 200
must wait_until 30 connections_are talk '.open == 100'
# As it stands there: jq has no number of 64 bits.
boot_id=$(grep -oE '"boot_id": ?-?[0-9]+' "$work/lb/run/state.json" | grep -oE -- '-?[0-9]+$')
id=$(jq -r '.backends[] | select(.name == "web2").id' "$work/lb/run/state.json")
fold=$((boot_id ^ (boot_id >> 24 & 0xffffffffff) ^ (boot_id >> 48 & 0xffff)))
passed=$(chance web1 passed_on)
ip_on router link set dev eth0 address "$(printf 'd2:%02x:%02x:%02x:%02x:%02x' $((fold & 255)) $((fold >> 8 & 255)) \
	$((fold >> 16 & 255)) $((id >> 8)) $((id & 255)))"
ip_on router neigh replace "$VIP" lladdr "$(mac_of web1)" dev eth0 nud permanent
passed_more() {
	(($(chance web1 passed_on) >= passed + $1))
}
fact a_forged_name_has_a_frame_passed_on wait_until 10 passed_more 1
passed2=$(chance web2 passed_on)
fact and_another wait_until 20 passed_more 10
fact and_nobody_passes_it_on_again equal "$(chance web2 passed_on)" "$passed2"

agent_write web1 no
must agent web1 reload
fact without_the_option_the_program_is_gone equal "$(tcx_programs)" 0
tells_no_more() {
	[[ $(backend_field second_chance web1 lb) == false ]]
}
fact and_balancers_know wait_until 5 tells_no_more
