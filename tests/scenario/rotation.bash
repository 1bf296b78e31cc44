# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Keys derived from a master line, and their rotation: the old and the new master side by side on the balancer, the
# agents one after the other, then the old line goes. No heartbeat is missed, no connection breaks.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2 --no-nginx
servers_start 80

# The agents' lines come from the balancer's file; web3 is nobody's name here.
lb_configure < <(lb_default_config)
"$work/bin/dsr-lb" keygen old master > "$work/lb/keys"
# line_of ID/NAME
line_of() {
	"$work/bin/dsr-lb" keygen "$1" --config "$work/lb/lb.conf"
}
# change_key HOST ID/NAME
change_key() {
	line_of "$2" > "$work/$1/key"
}
fact a_derived_line_names_its_agent says '^old/web1 hex:[0-9a-f]{64}$' line_of old/web1
fact another_name_has_another_key not equal "$(line_of old/web1 | cut -d ' ' -f 2)" "$(line_of old/web2 | cut -d ' ' -f 2)"
fact an_unknown_master_has_a_mend says 'dsr-lb keygen new master >> ' line_of new/web1
fact and_is_78 exits 78 line_of new/web1

lb_start
for idx in 1 2; do
	agent_prepare "web$idx"
	change_key "web$idx" "old/web$idx"
	# Heartbeats and answers: the type of a message is the sixth byte after the UDP header.
	count_frames "web$idx" eth0 ingress asked "udp dport 7377 @th,104,8 6"
	count_frames "web$idx" eth0 egress answered "udp sport 7377 @th,104,8 7"
	agent_start "web$idx"
done
for idx in 1 2; do
	fact "web${idx}_is_up_by_its_derived_key" wait_until 20 backend_is "web$idx" up
done

# The key of another name: refused before anything is sent, with the place.
change_key web1 old/web2
fact the_key_of_another_is_refused says 'key old/web2 is good for agent web2 alone' agent web1 reload
change_key web1 old/web1

tool_start held client connections "$VIP:80" 40 100
must wait_until 20 connections_are held '.open == 40'
since_s() {
	lb_json '[.virtual_servers[0].backends[].since_s | floor] | min'
}
before_s=$(since_s)
for idx in 1 2; do
	before[idx]=$(counted "web$idx" asked)
done
# goes_on HOST : by its former key.
goes_on() {
	agent "$1" status | grep -q 'goes on by its former key'
}
"$work/bin/dsr-lb" keygen new master > "$work/new"
printf '%s\n%s\n' "$(cat "$work/lb/keys")" "$(cat "$work/new")" > "$work/both"

# An agent that is ahead of its balancer waits, by the key that it has.
cat "$work/both" > "$work/lb/keys"
new1=$(line_of new/web1)
sed -i '/^new /d' "$work/lb/keys"
printf '%s\n' "$new1" > "$work/web1/key"
must agent web1 reload
fact an_agent_ahead_goes_on wait_until 10 goes_on web1
cat "$work/both" > "$work/lb/keys"
must lb reload
fact and_is_accepted_when_the_line_is_there wait_until 10 not goes_on web1
change_key web2 new/web2
must agent web2 reload
fact the_next_one_is_accepted wait_until 10 not goes_on web2

# Nobody depends on the old line.
cat "$work/new" > "$work/lb/keys"
must lb reload
answers_after() {
	(($(counted "web$1" answered) > $2 + 5))
}
for idx in 1 2; do
	fact "web${idx}_is_heard_without_the_old_line" wait_until 10 answers_after "$idx" "$(counted "web$idx" answered)"
	fact "web${idx}_is_still_up" backend_is "web$idx" up
done
fact nobody_was_anything_else_meanwhile at_least "$(since_s)" "$before_s"
# In the same moment, but for the one on its way.
none_is_missed() {
	local idx asked answered
	for idx in 1 2; do
		answered=$(counted "web$idx" answered)
		asked=$(counted "web$idx" asked)
		equal "$asked" "$answered" || return
	done
}
# fewest : heartbeats that either of them got.
fewest() {
	local idx
	for idx in 1 2; do
		printf '%d\n' "$(($(counted "web$idx" asked) - before[idx]))"
	done | sort -n | head -n 1
}
fact both_got_heartbeats_meanwhile at_least "$(fewest)" 10
fact no_heartbeat_is_missed wait_until 5 none_is_missed
fact no_connection_breaks equal "$(tool_ask held round | jq -c '[.open, .broken]')" '[40,0]'

# The old key is none any more.
must daemon_stop web1
sed -i 's/^new/old/' "$work/web1/key"
agent_start web1
is_refused() {
	lb_json '.refusals[].reason' | grep -qx key
}
fact the_old_key_is_none_any_more wait_until 10 is_refused
