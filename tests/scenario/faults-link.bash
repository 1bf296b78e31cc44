# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# A network card's bad days, under load, the balancer's and a real server's: renamed, deleted and made anew (as when its driver
# is loaded again), moved to another namespace and back, another MTU, another MAC, down and up. While there is no interface
# nothing comes through, on the balancer's for everybody: what is lost then is said. The open connections live, and what comes after is served.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/load.bash"

topology_up --webs 3 --no-nginx
servers_start 80
# An interface that comes answers for the VIP until its agent has silenced it, and then whoever asked sends it everybody's connections.
# With the administrator's part there is no such moment.
for name in web1 web2 web3; do
	must on "$name" sysctl -qp "$(dirname "$0")/../../units/dsr-agent.sysctl"
done
lb_and_agents_start
must wait_until 30 membership_is_quiet
# A program is put on an interface under a lock of the whole kernel, which others on the machine may have for seconds; what was
# sent meanwhile comes again after up to twice the time.
load_patience_s=40
load_start

add_host elsewhere
# What the host's network manager would give the interface again.
addresses_again() {
	if [[ $1 == lb ]]; then
		addresses lb eth0 "$LB6/64" "$LB/24"
	else
		addresses "$1" eth0 "$(web_address "$1")/24" "$(web_address6 "$1")/64"
	fi
	default_routes "$1" "$ROUTER" 2001:db8:2::1
	# Some of them may have stayed.
	true
} 2> /dev/null
rename_to() {
	ip_on "$1" link set "$2" down && ip_on "$1" link set "$2" name "$3" && ip_on "$1" link set "$3" up
}
renamed() {
	rename_to "$1" eth0 other && rename_to "$1" other eth0 && addresses_again "$1"
}
made_anew() {
	ip_on "$1" link del eth0
	wire "$1" eth0 switch "$1"
	addresses_again "$1"
}
moved() {
	ip_on "$1" link set eth0 netns "$(ns elsewhere)" && ip_on elsewhere link set eth0 netns "$(ns "$1")" &&
		ip_on "$1" link set eth0 up && addresses_again "$1"
}
mtu_changed() {
	ip_on "$1" link set eth0 mtu 1400 && for_seconds 1 true && ip_on "$1" link set eth0 mtu 1500
}
mac_changed() {
	local old
	old=$(mac_of "$1")
	ip_on "$1" link set eth0 address 02:00:00:00:99:99 && is_well && ip_on "$1" link set eth0 address "$old"
}
down_and_up() {
	ip_on "$1" link set eth0 down && ip_on "$1" link set eth0 up && addresses_again "$1"
}
serves_new_flows() {
	local summary
	tool_start one client new_flows "$VIP:80" 100
	sleep_ms 300
	summary=$(tool_end one)
	[[ $(jq '.connected > 10 and .refused + .silent == 0' <<< "$summary") == true ]]
}
is_well() {
	wait_until 10 serves_new_flows && wait_until 20 backends_up 3
}
# goes_well HOST FAULT : and all is well after it.
goes_well() {
	local begin
	begin=$(now_ms)
	"$2" "$1" || return
	# An interface that is away is so for as long as these commands take; the other events leave it there.
	[[ $2 == m[ta][uc]_changed ]] || fault_own_ms=$(($(now_ms) - begin))
	note "the event itself took $(($(now_ms) - begin)) ms"
	is_well || return
	note "all was well again after $(($(now_ms) - begin)) ms"
}
# Lost is at most what comes in a second from then on, which is how long a client waits before it asks again; of an interface
# that is another one, three: programs and sockets are made anew.
# lost_by EVENT
lost_by() {
	case $1 in
	mtu_changed) printf 0 ;;
	made_anew) printf '%d' $((LOAD_HZ * 3)) ;;
	*) printf '%d' "$LOAD_HZ" ;;
	esac
}
events="renamed made_anew moved mtu_changed mac_changed down_and_up"
for event in $events; do
	fault "the_balancers_interface_is_$event" 0 "$(lost_by "$event")" goes_well lb "$event"
done
# A real server takes the connections that it has along, if it is away for too long; never others'.
for event in $events; do
	fault "a_servers_interface_is_$event" "$(load_of web1)" "$(lost_by "$event")" goes_well web1 "$event"
	if ((fault_broken > 0)); then
		fact "nobody_elses_connection_breaks_when_it_is_$event" equal "$(tool_ask held | jq -c '.broken_of | keys')" '["web1"]'
		load_again
	fi
done
