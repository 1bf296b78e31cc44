# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A healthy farm, looked at as often as may be, with both processors busy, is never called ill: not in a while of
# CALM_S seconds (default 8), not in one of LOSS_S in which a fifth of the control network's frames is lost each way, and not by a
# balancer that was frozen for two seconds. The doctors of both programs find nothing to say meanwhile.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/doctors.bash"

CALM_S=${CALM_S:-8}
LOSS_S=${LOSS_S:-$CALM_S}
INTERVAL=${INTERVAL:-100ms}
agents=3
topology_up --webs 5
servers_at() {
	on "$1" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	ip_on "$1" address add "$VIP/32" dev lo
	ip_on "$1" address add "$VIP6/128" dev lo nodad
}
lb_configure < <(
	lb_default_config | sed "s/^interface.*/&\nheartbeat-interval = $INTERVAL\nheartbeat-fall = 5/"
	printf 'check-interval = 100ms\ncheck-timeout = 1s\n'
	for ((idx = agents + 1; idx <= topology_webs; idx++)); do
		servers_at "web$idx"
		printf 'real-server = %s name=web%d\n' "$(web_address "web$idx")" "$idx"
	done
)
lb_start
for ((idx = 1; idx <= agents; idx++)); do
	agent_configure "web$idx" < <(agent_default_config "web$idx" "$LB" "check = tcp:80
check = http://www.example/
check-interval = 100ms")
	agent_start "web$idx"
done
must wait_until 20 backends_up "$topology_webs"
# What changed more than once in a second is told at its end.
is_told() {
	[[ $(lb_json '[.virtual_servers[].backends[].since_s] | min > 2') == true ]]
}
must wait_until 20 is_told

changes() {
	grep -c '^dsr-lb: .*backend .* -> ' "$work/lb/log" || true
}
reported() {
	cat "$work"/web*/log | grep -cE 'not registered|is down|-> ' || true
}
host_files lb
host_files web1
# The doctors look at everything, without waiting for it to be well.
doctors_say_ok() {
	local host
	for host in lb web1; do
		is_well "$host" || {
			note "$host: $(doctor "$host" | grep -v '^ok ')"
			return 1
		}
	done
}
# On a machine that others load, too, the daemons' own waits for a processor are no loss of the network's.
for pid in "${daemon_pid[@]}"; do
	[[ -z ${REALTIME:-} ]] || must chrt -a -r -p 5 "$pid"
done
for _ in 1 2; do
	start_on client "$work/busy" sh -c 'while :; do :; done'
done
tool_start clients client new_flows "$VIP:80" 200
were=$(changes) told=$(reported)
# A while is what the fact is about: nothing is waited for.
sleep "$CALM_S"
fact nobody_is_called_ill_in_a_while equal "$(changes) $(reported)" "$were $told"
fact all_are_up backends_up "$topology_webs"
fact the_doctors_say_ok_alone doctors_say_ok

# Of heartbeats and their answers.
for ((idx = 1; idx <= agents; idx++)); do
	on "web$idx" nft -f - <<- END
		table netdev lossy {
			counter lost { }
			chain in { type filter hook ingress device eth0 priority 0; udp sport 7377 numgen random mod 100 < 20 counter name lost drop; }
			chain out { type filter hook egress device eth0 priority 0; udp sport 7377 numgen random mod 100 < 20 counter name lost drop; }
		}
	END
done
lost() {
	for ((idx = 1; idx <= agents; idx++)); do
		on "web$idx" nft -j list counter netdev lossy lost | jq '.nftables[] | .counter? // empty | .packets'
	done | awk '{ n += $1 } END { print n + 0 }'
}
sleep "$LOSS_S"
fact frames_were_lost at_least "$(lost)" $((agents * LOSS_S))
note "lost: $(lost)"
fact nobody_is_called_ill_for_loss equal "$(changes) $(reported)" "$were $told"
fact nor_by_the_doctors doctors_say_ok
for ((idx = 1; idx <= agents; idx++)); do
	on "web$idx" nft delete table netdev lossy
done

signal_pid "${daemon_pid[lb]}" STOP
sleep 2
signal_pid "${daemon_pid[lb]}" CONT
has_heard_all() {
	[[ $(lb_json '[.virtual_servers[].backends[].heartbeats_missed] | max') == 0 ]]
}
fact after_a_freeze_all_answer wait_until 10 has_heard_all
fact nobody_is_called_ill_by_a_balancer_that_froze equal "$(changes)" "$were"
tool_end clients > "$work/clients"
fact every_connection_was_made equal "$(jq '.refused + .silent' "$work/clients")" 0
