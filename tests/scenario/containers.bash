# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Containers start and end on a real server, in bunches of 10 and of 100 interfaces, while clients
# download: every interface is silenced, and the server is "up" through all of it.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2

lb_and_agents_start
must wait_until 20 backends_up 2
must wait_until 20 membership_is_quiet

# bunch NAME COUNT SERVER : so many veth pairs at once, up and with an address.
bunch() {
	local idx
	for ((idx = 0; idx < $2; idx++)); do
		printf 'link add %sx%d type veth peer name %sy%d\n' "$1" "$idx" "$1" "$idx"
		printf 'link set %sx%d up\nlink set %sy%d up\n' "$1" "$idx" "$1" "$idx"
		printf 'address add 169.254.%d.%d/32 dev %sx%d\n' $((idx / 250)) $((idx % 250 + 1)) "$1" "$idx"
	done | ip -n "$(ns "$3")" -batch -
}
unbunch() {
	local idx
	for ((idx = 0; idx < $2; idx++)); do
		printf 'link del %sx%d\n' "$1" "$idx"
	done | ip -n "$(ns "$3")" -batch -
}
loud() {
	agent "$1" status --json | jq '[.arp[] | select(.ok | not)] | length'
}
all_silent() {
	[[ $(loud "$1") == 0 ]]
}
has_links() {
	(($(agent "$1" status --json | jq '.arp | length') >= $2))
}
# cpu_ms SERVER : of its agent's life.
cpu_ms() {
	awk -v hz="$(getconf CLK_TCK)" '{ printf "%d\n", ($14 + $15) * 1000 / hz }' "/proc/${daemon_pid[$1]}/stat"
}

begin=$(now_ms)
transfers_start
for round in 1 2 3; do
	must bunch "a$round" 10 web1
	must bunch "b$round" 100 web1
	must wait_until 10 all_silent web1
	must unbunch "a$round" 10 web1
	must unbunch "b$round" 100 web1
done
fact no_download_of_200_is_reset wait_until 60 gone "$transfers_pid"
fact every_download_is_whole transfers_are_whole
took=$(($(now_ms) - begin))
fact the_server_was_up_through_all_of_it at_least "$(backend_field '"since_s" * 1000 | floor' web1)" "$took"
fact its_agent_never_said_down not grep -qE ' down: ' "$work/web1/log"

# Many more than one look takes at once.
before=$(cpu_ms web2)
must bunch c 900 web2
must wait_until 20 has_links web2 1800
fact the_interfaces_of_900_containers_are_silent wait_until 10 all_silent web2
spent=$(($(cpu_ms web2) - before))
note "900 containers cost the agent $spent ms of CPU"
fact they_cost_less_than_3_s_of_cpu at_most "$spent" $((3000 * SLOW))
fact the_server_with_900_containers_is_up backend_is web2 up
daemon_stop web2 TERM
fact a_stop_puts_them_all_back equal "$(on web2 sysctl -a 2> /dev/null | grep -cE 'conf\.c[xy][0-9]+\.arp_announce = 0')" 1800
