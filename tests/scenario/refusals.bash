# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Agents that would register and may not, and those that may and are odd: each is named on the balancer with the
# mend, and told why itself.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 5 --no-nginx
servers_start 80

# web1 is well. web2 has other bytes in its key, web3 a key that nobody knows, web4 the name of web1, and web5 a
# VIP that no virtual server has.
lb_start
for idx in 1 2 3 4 5; do
	agent_prepare "web$idx"
done
"$work/bin/dsr-lb" keygen > "$work/other"
key_id=$(awk '{ print $1 }' "$work/key")
cat "$work/other" > "$work/web2/key"
sed -i "s/^[^ ]*/$key_id/" "$work/web2/key"
sed -i 's/^[^ ]*/stranger/' "$work/web3/key"
sed -i 's/^name = .*/name = web1/' "$work/web4/agent.conf"
sed -i 's/^vip = .*/vip = 198.51.100.99/' "$work/web5/agent.conf"
agent_start web1
must wait_until 20 backend_is web1 up
for idx in 2 3 4 5; do
	agent_start "web$idx"
done

# refusal HOST FIELD
refusal() {
	lb_json "[.refusals[] | select(.address == \"$(web_address "$1")\") | .$2] | join(\" \")"
}
is_refused() {
	equal "$(refusal "$1" reason)" "$2"
}
# warns HOST PATTERN : the text says so, at its end.
warns() {
	lb status | tail -n 4 | grep -q "^warning: $(web_address "$1"): .*$2"
}
fact other_bytes_are_named wait_until 10 is_refused web2 tag
fact an_unknown_key_is_named wait_until 10 is_refused web3 key
fact a_name_in_use_is_named wait_until 10 is_refused web4 policy:clone
fact a_vip_without_a_virtual_server_is_named wait_until 10 is_refused web5 policy:no-vip
fact each_is_named_once equal "$(lb_json '.refusals | length')" 4
fact the_mend_of_other_bytes warns web2 "its key $key_id has other bytes than ours: put the same key line in both"
fact the_mend_of_an_unknown_key warns web3 'its key stranger is not in our key file: add that line and reload'
fact the_mend_of_a_name warns web4 "the name is in use at $(web_address web1): give the agent a name"
fact the_mend_of_a_vip warns web5 '(198.51.100.99): add it to a virtual server'
fact the_log_has_the_words says "$(web_address web2).* refused: tag: its key $key_id has other bytes" cat "$work/lb/log"

fact the_agent_says_that_there_is_no_answer says "no answer from $LB \(unreachable, or the key differs\)" \
	agent web2 status
fact the_agent_is_told_the_name says "the name is in use at $(web_address web1)" agent web4 status
fact the_agent_is_told_the_vip says 'any of its VIPs \(198.51.100.99\)' agent web5 status

# Mended as it says.
cat "$work/key" > "$work/web2/key"
must agent web2 reload
fact the_mend_mends_it wait_until 20 backend_is web2 up
fact who_gets_in_is_no_refusal wait_until 5 is_refused web2 ''

# One VIP among others that no virtual server has.
sed -i "s/^vip = .*/vip = $VIP, 198.51.100.99/" "$work/web5/agent.conf"
must agent web5 reload
unserved='no virtual server has its VIP 198.51.100.99'
fact it_serves_the_others wait_until 20 backend_is web5 up
fact the_vip_is_its_reason equal "$(backend_field reason web5)" "$unserved"
fact the_agent_is_up_and_says_so wait_until 5 says 'up.*198.51.100.99: no balancer has a port for this VIP' \
	agent web5 status
fact the_agent_logs_it_once equal "$(grep -c 'no balancer has a port for this VIP' "$work/web5/log")" 1
fact the_status_warns_of_it says "^warning: backend web5: $unserved" lb status
fact the_log_says_it_once equal "$(grep -c "$unserved" "$work/lb/log")" 1

# A cloned machine: web3 with the network card of web2. Whichever spoke last gets the frames of both.
must daemon_stop web3
ip_on web3 link set eth0 address "$(mac_of web2)"
cat "$work/key" > "$work/web3/key"
agent_start web3
# is_twin NAME OF
is_twin() {
	[[ $(backend_field reason "$1") == *"shares its MAC $(mac_of "$2") with $2 ($(web_address "$2"))"* ]]
}
fact a_clone_is_named wait_until 20 is_twin web3 web2
fact its_original_is_named is_twin web2 web3
daemon_stop web3 KILL
ip_on web3 link set eth0 address 02:00:00:00:03:03
agent_start web3
is_well() {
	[[ $(backend_field state "$1") == up && -z $(backend_field reason "$1") ]]
}
fact another_mac_mends_it wait_until 20 is_well web2
fact and_of_the_clone_too wait_until 20 is_well web3
