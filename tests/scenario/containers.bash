# SPDX-License-Identifier: GPL-2.0-or-later
# tags: alone
# shellcheck shell=bash
#
# Containers start and end on a real server, in bunches of 10 and of 100 interfaces, while clients
# download: every interface is silenced, and the server is "up" through all of it. Then 900 at once.
# CONTAINER_ROUNDS is how many bunches of each there are.
. "$(dirname "$0")/../netns/topology.bash"

ROUNDS=${CONTAINER_ROUNDS:-3}
topology_up --webs 2

lb_and_agents_start

# bunch GROUP COUNT SERVER : so many veth pairs at once, up and with an address.
bunch() {
	local idx
	for ((idx = 0; idx < $2; idx++)); do
		printf 'link add c%sx%d group %s type veth peer name c%sy%d\n' "$1" "$idx" "$1" "$1" "$idx"
		printf 'link set c%sx%d up\nlink set c%sy%d up\n' "$1" "$idx" "$1" "$idx"
		printf 'address add 169.254.%d.%d/32 dev c%sx%d\n' $((idx / 250)) $((idx % 250 + 1)) "$1" "$idx"
	done | ip_on "$3" -batch -
}
# By their group: the kernel takes 20 ms for each that goes alone.
unbunch() {
	ip_on "$2" link del group "$1"
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

# A sanitizer makes each look of the agent several times as long.
many=100
[[ -z ${SAN:-} ]] || many=30
begin=$(now_ms)
transfers_start "$( ((ROUNDS > 3)) && echo 1M || echo 500k)"
for ((round = 1; round <= ROUNDS; round++)); do
	must bunch 10 10 web1
	must bunch 100 "$many" web1
	must wait_until 10 has_links web1 "$((2 * (10 + many)))"
	must wait_until 10 all_silent web1
	must unbunch 10 web1
	must unbunch 100 web1
	must wait_until 10 not has_links web1 10
done
fact no_download_of_200_is_reset wait_until 60 gone "$transfers_pid"
fact every_download_is_whole transfers_are_whole
took=$(($(now_ms) - begin))
fact the_server_was_up_through_all_of_it at_least "$(backend_field '"since_s" * 1000 | floor' web1)" "$took"
fact its_agent_never_said_down not grep -qE ' down: ' "$work/web1/log"

# Many more than one look takes at once.
before=$(cpu_ms web2)
must bunch 900 900 web2
must wait_until 20 has_links web2 1800
fact the_interfaces_of_900_containers_are_silent wait_until 10 all_silent web2
spent=$(($(cpu_ms web2) - before))
note "900 containers cost the agent $spent ms of CPU"
fact they_cost_less_than_3_s_of_cpu at_most "$spent" $((3000 * SLOW))
fact the_server_with_900_containers_is_up wait_until 2 backend_is web2 up
at_zero() {
	on "$1" sh -c 'grep -lx 0 /proc/sys/net/ipv4/conf/c900[xy]*/arp_announce | wc -l'
}
daemon_stop web2 TERM
fact a_stop_puts_them_all_back equal "$(at_zero web2)" 1800
