# SPDX-License-Identifier: GPL-2.0-or-later
# tags: alone
# shellcheck shell=bash
#
# Nobody but the balancer ever says that it has the VIP: a prober asks a thousand times a second
# while two agents start and stop fifty times, an interface is deleted and made anew, another is
# added and renamed.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
servers_start 80
for name in web1 web3; do
	agent_configure "$name" < <(agent_default_config "$name" "$LB" "drain-on-stop = 0")
done
lb_start
agent_start web2
must wait_until 20 backends_up 1
tool_start arp router arp_prober eth0 "$VIP" 1000
tool_start nd router arp_prober eth0 "$VIP6" 1000

# cycles NAME COUNT : the agent starts and stops; how often it did.
cycles() {
	local cycle
	for ((cycle = 1; cycle <= $2; cycle++)); do
		agent_start "$1"
		wait_until 20 agent_is "$1" up > /dev/null || break
		daemon_stop "$1"
		# Every fifth time by a crash, whose remains the next start adopts.
		if ((cycle % 5 == 0)); then
			agent_start "$1"
			wait_until 20 agent_is "$1" up > /dev/null || break
			daemon_stop "$1" KILL
		fi
	done
	echo "$((cycle - 1))"
}
cycles web3 25 > "$work/cycles3" &
other=$!
here=$(cycles web1 25)
wait "$other"
fact two_agents_start_and_stop_fifty_times equal "$here and $(< "$work/cycles3")" '25 and 25'

agent_start web1
must wait_until 20 backends_up 2
interface_is_silent() {
	local values
	values=$(on web1 sysctl -n "net.ipv4.conf.$1.arp_ignore" "net.ipv4.conf.$1.arp_announce" | tr '\n' ' ')
	equal "$values" "1 2 "
}

# An interface is deleted and made anew on the same segment.
ip_on web1 link del eth0
wire web1 eth0 switch web1
addresses web1 eth0 "$(web_address web1)/24" "$(web_address6 web1)/64"
default_routes web1 "$ROUTER" 2001:db8:2::1
fact a_recreated_interface_is_silent wait_until 5 interface_is_silent eth0
fact the_server_comes_back wait_until 20 backends_up 2

# A second one joins the segment, and gets another name.
wire web1 eth1 switch web1b
addresses web1 eth1 192.0.2.99/24
fact a_new_interface_is_silent wait_until 5 interface_is_silent eth1
ip_on web1 link set eth1 down
ip_on web1 link set eth1 name lan7
ip_on web1 link set lan7 up
fact a_renamed_interface_is_silent wait_until 5 interface_is_silent lan7
before=$(mac_of lb)
answers=$(tool_end arp)
answers6=$(tool_end nd)
note "asked for $VIP: $answers"
note "asked for $VIP6: $answers6"
fact the_prober_asked_all_the_time at_least "$(jq .asked <<< "$answers")" 5000
fact the_balancer_answers_all_the_time at_least \
	"$(jq '100 * ([.answers[]] | add) / .asked | floor' <<< "$answers")" 75
fact only_the_balancer_answers_arp equal "$(jq -r '.answers | keys | join(" ")' <<< "$answers")" "$before"
fact only_the_balancer_answers_nd equal "$(jq -r '.answers | keys | join(" ")' <<< "$answers6")" "$before"

# What the administrator may add: an interface that the agent has not seen yet is silent too.
daemon_stop web2
must on web2 sysctl -qp "$(dirname "$0")/../../units/dsr-agent.sysctl"
wire web2 eth1 switch web2b
fact a_new_interface_is_silent_from_the_start_by_the_example equal \
	"$(on web2 sysctl -n net.ipv4.conf.eth1.arp_ignore net.ipv4.conf.eth1.arp_announce | tr '\n' ' ')" "1 2 "
