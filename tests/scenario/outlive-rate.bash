# SPDX-License-Identifier: GPL-2.0-or-later
#
# Forwarding outlives the daemon also at half a million frames a second: of a stream of that rate
# nothing is lost while the daemon is killed, is away, and starts again, and 200 transfers beside
# it go on. The generator of the benchmark sends from the switch's port to the balancer; its sink at
# the same port counts, and takes away, whatever of the stream comes back for a server.
. "$(dirname "$0")/../netns/topology.bash"

rate_hz=550000 # asked for; what other processes take from the generator is missing from it
floor_hz=400000
stream_vip=10.100.0.1 # bench/traffic.h
flows=100000
generator=$BUILD/bench/measure
[[ -x $generator ]] || skip "built without BPF (XDP=0)"
(($(nproc) >= 2)) || skip "the generator needs a CPU for itself"
[[ -n ${RATE:-} ]] || skip "wants a machine with nothing else to do: RATE=1 tests/run scenario outlive-rate"

topology_up --webs 3

# port_counter COUNTER [HOST INTERFACE] : of XDP, the sum of its queues'. From the switch's port to the
# balancer only the generator sends by XDP.
port_counter() {
	on "${2:-switch}" ethtool -S "${3:-lb}" |
		awk -v name="^[rt]x_queue_[0-9]+_$1:$" '$1 ~ name { n += $2 } END { print n + 0 }'
}
# All that the balancer's port has to take in: what the generator placed, and what the bridge did. Of what
# found no room the port counts both (drivers/net/veth.c:veth_get_stats64).
count_frames switch lb egress bridged
offered_to_port() {
	printf '%d' "$(($(port_counter xdp_xmit) + $(port_counter xdp_xmit_errors) +
		$(counted switch bridged) - $(port_refused)))"
}
# Once nobody talks any more.
port_took_all() {
	(($(link_counter lb eth0 rx.packets) - taken_before == $(offered_to_port) - offered_before))
}
offsets_are_taken() {
	local again
	taken_before=$(link_counter lb eth0 rx.packets)
	offered_before=$(offered_to_port)
	again=$(link_counter lb eth0 rx.packets)
	((taken_before == again))
}

must wait_until 10 offsets_are_taken

for idx in 1 2 3; do
	# By its last byte the sink knows a server.
	ip_on "web$idx" link set eth0 address "02:00:00:00:02:0$idx"
	agent_configure "web$idx" < <(agent_default_config "web$idx" | sed "s/^vip = .*/&, $stream_vip/")
done
lb_configure < <(
	lb_default_config
	printf '\n[virtual-server stream]\nvip = %s\nport = 80\nprotocol = udp\ncheck = agent\nscheduler = rr\n' "$stream_vip"
)
lb_and_agents_start
must wait_until 30 membership_is_quiet

# Before all that the scenario does, as on a machine of its own (bench/network.bash).
stream_start() {
	# The sink passes what is not of the stream, as the program did whose place it takes.
	must ip_on switch link set dev lb xdp off
	must on switch ethtool -K lb gro on
	# What the balancer sends is taken on the CPU that it sent from: else it fills the 256 places of a queue
	# that another CPU, busy with something else, is to empty.
	must on switch ethtool -L lb rx "$(nproc)"
	start_on switch "$work/stream" setsid --wait sh -c \
		'echo -15 > /proc/self/autogroup; exec nice -n -15 "$@"' sh \
		"$generator" "object=$BUILD/bench/traffic.bpf.o" port=lb "mac=$(mac_of lb)" kind=udp \
		"flows=$flows" "rate=$rate_hz" seconds=120 every=20
	stream_pid=$started
}
# stream_rate FROM_US TO_US : frames a second, the median of its steps of 20 ms.
stream_rate() {
	grep '^{"at_us".*}$' "$work/stream" | jq -n --argjson from "$1" --argjson to "$2" '
		[inputs | select(.at_us >= $from and .at_us <= $to)] |
		[range(1; length) as $i | .[$i - 1] as $a | .[$i] as $b |
			($b.sent - $a.sent) * 1000000 / ($b.at_us - $a.at_us)] |
		sort | .[length / 2 | floor] // 0 | floor'
}
stream_is_past() {
	(($(tail -n 1 "$work/stream" | jq .at_us) > $1))
}
# It goes on for another second.
stream_second() {
	must wait_until 10 stream_is_past "$(($(now_us) + 1000000))"
}

placed_before=$(port_counter xdp_xmit) refused_before=$(port_counter xdp_xmit_errors)
stream_start
must wait_until 10 stream_is_past 0
began_us=$(now_us)
stream_second
reached_hz=$(stream_rate "$began_us" "$(now_us)")
((reached_hz >= floor_hz)) || skip "this machine sends $reached_hz frames a second, not $floor_hz"
must equal "$(lb_json .flow_table.entries)" "$flows"
transfers_start
# By the table alone, more than half of the flows would move now.
must lb weight web1 7
flows_of_servers() {
	lb_json '[.virtual_servers[] | select(.name == "stream") | .backends[] | .flows] | @csv'
}
flows_before=$(flows_of_servers)

unsent_before=$(port_counter xdp_tx_errors lb eth0)
id=$(program_id lb eth0)
began_us=$(now_us)
stream_second
daemon_stop lb KILL
killed_us=$(now_us)
stream_second
fact the_program_stays equal "$(program_id lb eth0)" "$id"
fact transfers_stay_open_without_a_daemon transfers_are_open
lb_start
started_us=$(now_us)
fact another_program_has_its_place not equal "$(program_id lb eth0)" "$id"
fact backends_are_up_at_once backends_up 3
stream_second
fact every_flow_is_where_it_was equal "$(flows_of_servers)" "$flows_before"
ended_us=$(now_us)
unsent=$(($(port_counter xdp_tx_errors lb eth0) - unsent_before))
stop_pid "$stream_pid"
must on switch "$BUILD/tests/harness/xdp_pass" lb

total=$(tail -n 1 "$work/stream")
sent=$(jq .sent <<< "$total") delivered=$(jq .delivered <<< "$total")
placed=$(($(port_counter xdp_xmit) - placed_before))
refused=$(($(port_counter xdp_xmit_errors) - refused_before))
note "$sent frames were sent, $refused found no room at the balancer's port, $placed went in, $delivered came out"
note "the port at the other end had no room for $unsent frames that the balancer sent"
note "frames a second: $(stream_rate "$began_us" "$killed_us") with the daemon," \
	"$(stream_rate "$killed_us" "$started_us") from its death to the next one's start," \
	"$(stream_rate "$started_us" "$ended_us") after it"
fact half_a_million_a_second_all_the_time at_least "$(stream_rate "$began_us" "$ended_us")" "$floor_hz"
fact what_was_sent_went_in_or_was_refused equal "$((placed + refused))" "$sent"
fact no_packet_is_lost equal "$((placed - delivered))" 0
must wait_until 120 gone "$transfers_pid"
fact none_of_200_transfers_is_broken transfers_are_whole
for idx in 1 2 3; do
	daemon_stop "web$idx"
done
fact the_port_received_all_that_went_in wait_until 10 port_took_all
