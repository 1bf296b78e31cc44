# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Clients of the control socket that would harm the daemon: connections that say nothing, six that list
# 200,000 flows, and hundreds that ask for the status of 8,000 virtual servers and read nothing. Root
# is served all the while, a death is noticed, and memory stays bounded.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/farm.bash"

SERVICES=8000
# What unread answers may cost: those up to the limit of 32 MiB, one above it, and what is being made of the next.
ANSWERS_MB=100
STATUS='{"verb": "status"}'

topology_up --webs 0 --no-nginx
must farm_up 4
lb_configure < <(
	farm_lb_config
	printf '[virtual-server names]\nvip = %s\nport = 53\nprotocol = udp\nscheduler = rr\ncheck = agent\n' "$VIP"
	for ((idx = 0; idx < SERVICES; idx++)); do
		printf '[virtual-server web%d]\nvip = %s\nport = %d\ncheck = agent\n' "$idx" "$VIP" $((1000 + idx))
	done
)
lb_start
must farm_start 4 "$VIP"
must wait_until 60 farm_is '.registered == 4'

memory_mb() {
	awk '$1 == "VmRSS:" { print int($2 / 1024) }' "/proc/$(lb_pid)/status"
}
# root_takes_ms : until a verb of root's is answered.
root_takes_ms() {
	local from
	from=$(now_ms)
	must lb weight agent0002 2 > /dev/null
	printf '%s' $(($(now_ms) - from))
}
# clients NAME root|guest COUNT [REQUEST] : until all have connected.
clients() {
	tool_start "$1" lb silent_clients "$work/lb/run" "${@:2}"
	note "$2, $3 clients${4:+ that ask}: $(tool_ask "$1")"
}

must lb weight agent0002 1
clients idle guest 300
took=$(root_takes_ms)
note "a verb of root's beside them: $took ms"
fact idle_clients_do_not_keep_root_waiting at_most "$took" $((2000 * SLOW))
stop_pid "${tool_pid[idle]}"

# Flows to list: each of 200,000 clients sent two datagrams.
must on router timeout 60 "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:53" 400000 80000 fragment \
	> "$work/storm"
has_flows() {
	(($(lb_json .flow_table.entries) > 100000))
}
must wait_until 20 has_flows
listers=()
for ((idx = 0; idx < 6; idx++)); do
	start_on lb /dev/null "$work/bin/dsr-lb" flows --runtime-dir "$work/lb/run" --state-dir "$work/lb/state"
	listers+=("$started")
done
still_listing() {
	local pid n=0
	for pid in "${listers[@]}"; do
		gone "$pid" || n=$((n + 1))
	done
	printf '%s' "$n"
}
# The log says when it was seen: asking for the status waits its turn.
death_is_noticed() {
	grep -q 'backend agent0001: up -> down' "$work/lb/log"
}
must tool_ask farm mark > /dev/null
died=$(now_ms)
must tool_ask farm "mute 1" > /dev/null
must wait_until 20 death_is_noticed
took=$(($(now_ms) - died))
note "six clients that list $(jq -r .sent "$work/storm") / 2 flows: a death is noticed after $took ms"
fact six_that_list_flows_delay_no_death at_most "$took" $((2000 * SLOW))
note "$(still_listing) of them still list"
fact nor_the_heartbeats_of_others equal "$(tool_ask farm | jq .late)" 0
for pid in "${listers[@]}"; do
	stop_pid "$pid" KILL
done

# Answers that nobody reads: those who wait at once share one, and unread ones are closed for the next.
memory=$(memory_mb)
clients unread guest 250 "$STATUS"
worst=0
for ((look = 0; look < 120; look++)); do
	now=$(memory_mb)
	((now <= worst)) || worst=$now
	sleep 0.1
done
note "memory $memory MB, at most $worst MB"
fact memory_is_bounded_when_guests_read_no_answer at_most "$((worst - memory))" "$ANSWERS_MB"
stop_pid "${tool_pid[unread]}"
