# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
#
# An upgrade to a version that keeps its state in another layout: it cannot read what is kept and
# makes its own; the old program goes on until the new one takes its place in one step.
#
# FORMER=/path/of/dsr-lb begins with the daemon of another build, which this one must take over from.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/counters.bash"

topology_up --webs 3 --no-nginx
[[ -z ${FORMER:-} ]] || install -m 755 "$FORMER" "$work/bin/dsr-lb"
servers_start 80
spoofed_count_start
lb_and_agents_start
must wait_until 30 membership_is_quiet
tool_start held client connections "$VIP:80" 200 500
tool_start held6 client connections "[$VIP6]:80" 100 500
must wait_until 30 connections_are held '.open == 200'
must wait_until 30 connections_are held6 '.open == 100'
digest() {
	lb_json '[.virtual_servers[].table_digest] | join(" ")'
}
spoofed_exceed() {
	(($(spoofed_counted) > $1))
}
lost() {
	printf '%d' "$((160000 - $(spoofed_counted) + counted_before - $(queues_refused) + refused_before))"
}
arrived() {
	(($(lost) == 0))
}
digest_before=$(digest)

# replaced_by BINARY HOW : under a stream of new connections
replaced_by() {
	local id stream_pid
	counted_before=$(spoofed_counted) refused_before=$(queues_refused)
	start_on router "$work/stream" "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" 160000 20000
	stream_pid=$started
	must wait_until 10 spoofed_exceed "$counted_before"
	id=$(program_id lb eth0)
	daemon_stop lb
	install -m 755 "$1" "$work/bin/dsr-lb"
	fact "the_old_program_goes_on_$2" wait_until 2 spoofed_exceed "$(spoofed_counted)"
	lb_start
	fact "another_program_has_its_place_$2" not equal "$(program_id lb eth0)" "$id"
	fact "the_old_one_is_freed_$2" wait_until 10 not bpftool prog show id "$id"
	must wait_until 60 gone "$stream_pid"
	wait_until 2 arrived
	(($(queues_refused) == refused_before)) || note "$(($(queues_refused) - refused_before)) found a full queue"
	fact "at_most_a_batch_is_lost_$2" at_most "$(lost)" 64
	fact "backends_are_up_$2" backends_up 3
	fact "the_tables_are_the_same_$2" equal "$(digest)" "$digest_before"
	fact "no_connection_breaks_$2" equal "$(tool_ask held round | jq -c '[.open, .broken]')" '[200,0]'
	fact "none_over_ipv6_$2" equal "$(tool_ask held6 round | jq -c '[.open, .broken]')" '[100,0]'
}
current=$BUILD/dsr-lb
[[ -z ${FORMER:-} ]] || replaced_by "$current" by_this_build
replaced_by "$BUILD/tests/next/dsr-lb" by_another_layout
replaced_by "$current" by_the_first_again
