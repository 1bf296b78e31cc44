# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every frame that the balancer's interface took is in its account, under load and over a second in
# which the daemon stood still: none is missing, none is there twice, and what is called forwarded did
# reach a server.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys
	# Between two of them there is time to compare what others counted.
	heartbeat-interval = 1s

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80

	[virtual-server udp]
	vip = $VIP
	port = 81
	protocol = udp
END
servers_start 80 81
spoofed_count_start
lb_and_agents_start
must wait_until 30 membership_is_quiet
# Frames from before the daemon's start, counted by the kernel alone.
offset=$(lb_unaccounted)
lost() {
	lb_json '[.drops["ring-full"], .drops["send-failed"]] | map(. // 0) | add'
}
syns_of() {
	lb_json '.virtual_servers[] | select(.name == "web").syns'
}

# storm_over COMMAND… : while spoofed SYNs come, and datagrams in fragments
storm_over() {
	local before_syns before_counted before_refused before_lost
	before_syns=$(syns_of) before_counted=$(spoofed_counted) before_refused=$(queues_refused) before_lost=$(lost)
	start_on router "$work/storm" "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" 90000 30000
	storm_pid=$started
	"$@"
	must wait_until 60 gone "$storm_pid"
	fact "received_is_what_the_interface_took_$1" wait_until 10 lb_unaccounted_is "$offset"
	syns=$(($(syns_of) - before_syns))
	counted=$(($(spoofed_counted) - before_counted))
	refused=$(($(queues_refused) - before_refused))
	lost=$(($(lost) - before_lost))
	note "of 90000 the balancer forwarded $syns and lost $lost; $counted reached servers; queues refused $refused"
	fact "each_of_them_is_accounted_for_$1" at_most "$((90000 - syns - lost))" "$refused"
	fact "what_is_forwarded_arrives_$1" at_most "$((syns - counted))" "$refused"
	fact "none_arrives_that_was_not_forwarded_$1" at_most "$counted" "$syns"
	fact "received_is_forwarded_passed_and_dropped_$1" equal \
		"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
	fact "dropped_is_the_sum_of_its_reasons_$1" equal \
		"$(lb_json '.packets.dropped - ([.drops[]] | add // 0)')" 0
}

tool_start flows client udp_flows "$VIP:81" 300
fragments_meanwhile() {
	local way
	for way in whole in-order reverse random; do
		tool_ask flows "$way" > "$work/asked"
	done
	note "$(< "$work/asked")"
}
storm_over fragments_meanwhile

standing_still_for_a_second() {
	must wait_until 10 storm_is_on
	signal_pid "${daemon_pid[lb]}" STOP
	# This second is what is tested.
	sleep 1
	signal_pid "${daemon_pid[lb]}" CONT
}
storm_is_on() {
	(($(syns_of) > before_syns))
}
storm_over standing_still_for_a_second
fact nobody_was_failed_for_it backends_up 3
if [[ $MODE != packet ]]; then
	fact the_kernel_forwards_meanwhile equal "$lost" 0
fi
