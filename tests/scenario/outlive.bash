# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
#
# Forwarding in the kernel outlives the daemon: killed or stopped under a counted stream of new
# connections, it loses none of them, and the next one adopts what it finds without losing one
# either. It goes when it is told to, and by hand as the manual says.
. "$(dirname "$0")/../netns/topology.bash"

stream_hz=$((10000 / SLOW))
topology_up --webs 3 --no-nginx
servers_start 80
# What the servers would answer to nobody ends there; the stream's own frames are only counted.
spoofed_count_start
udp_config() {
	lb_default_config
	printf '\n[virtual-server udp]\nvip = %s\nport = 81\nprotocol = udp\ncheck = agent\n' "$VIP"
}

# stream_start : SYNs of spoofed clients, in the background, until stream_lost.
stream_start() {
	counted_before=$(spoofed_counted)
	start_on router "$work/stream" "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" \
		1000000 "$stream_hz"
	stream_pid=$started
	must wait_until 10 stream_arrives
}
spoofed_exceed() {
	(($(spoofed_counted) > $1))
}
stream_arrives() {
	wait_until 2 spoofed_exceed "$(spoofed_counted)"
}
# How many were lost of the stream, which ends now.
stream_lost() {
	local sent
	must stop_pid "$stream_pid"
	sent=$(tail -n 1 "$work/stream" | jq .sent)
	wait_until 2 stream_is_whole "$sent"
	printf '%d' "$((sent - $(spoofed_counted) + counted_before))"
}
stream_is_whole() {
	(($(spoofed_counted) - counted_before == $1))
}
talk() {
	equal "$(tool_ask "$1" round | jq -c '[.open, .broken]')" '[200,0]'
}

# outlives HOW : what each death shows, by SIGKILL and by SIGTERM.
outlives() {
	local how=$1 signal id
	for signal in KILL TERM; do
		id=$(program_id lb eth0)
		stream_start
		daemon_stop lb "$signal"
		fact "the_program_stays_after_${signal}_$how" equal "$(program_id lb eth0)" "$id"
		fact "connections_talk_without_a_daemon_after_${signal}_$how" talk held
		must stream_arrives
		lb_start
		fact "another_program_has_its_place_after_${signal}_$how" not equal "$(program_id lb eth0)" "$id"
		must stream_arrives
		fact "no_packet_is_lost_over_${signal}_$how" equal "$(stream_lost)" 0
		fact "connections_talk_with_the_next_after_${signal}_$how" talk held
		fact "udp_flows_stay_over_${signal}_$how" equal \
			"$(tool_ask "$how" whole | jq -c '[.answered, .moved]')" '[300,0]'
		fact "backends_are_up_at_once_after_${signal}_$how" backends_up 3
	done
}

# begin HOW : connections and flows that only what is kept holds where they are.
begin() {
	lb_start
	[[ -n ${daemon_pid[web1]:-} ]] || agents_start
	must wait_until 20 backends_up 3
	must wait_until 30 membership_is_quiet
	tool_start held client connections "$VIP:80" 200 200
	must wait_until 30 connections_are held '.open == 200'
	tool_start "$1" client udp_flows "$VIP:81" 300
	must equal "$(tool_ask "$1" whole | jq .answered)" 300
	must lb weight web1 7
	must talk held
}

servers_start_udp() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		tool_start "udp-web$idx" "web$idx" named_server "web$idx" "$VIP:81"
	done
}
servers_start_udp
lb_configure < <(udp_config)
mountpoint -q "$work/lb/run/bpf" || skip "no bpffs here"
begin with_pins
outlives with_pins

# Told to, it takes the program away.
daemon_stop lb
lb_start lb --detach-on-exit
must equal "$(programs_on lb eth0)" "$MODE"
daemon_stop lb
fact detach_on_exit_leaves_no_program equal "$(program_id lb eth0)" 0
stop_pid "${tool_pid[held]}"

# By hand: the lines of the manual.
lb_start
daemon_stop lb
# bpftool before 7.4 does not know tcx: its line is then done by a tool of ours.
by_hand() {
	local line
	bpftool net help 2>&1 | grep -q tcx_ingress || on lb "$BUILD/tests/harness/tcx" eth0 detach
	while read -r line; do
		line=${line%%#*}
		line=${line//INTERFACE/eth0}
		nsenter --net="/run/netns/$(ns lb)" sh -c "${line//\/run\/dsr-lb/$work/lb/run}"
	done < <(sed -n '/^# REMOVING/,/^# SEE/ { /^```$/,/^```$/ { /^```$/!p } }' man/dsr-lb.8.scd)
}
id=$(program_id lb eth0)
must not equal "$id" 0
mapfile -t maps < <(bpftool -j prog show id "$id" | jq '.map_ids[]')
must at_least "${#maps[@]}" 5
by_hand > "$work/by-hand" 2>&1
freed() {
	local map
	! bpftool prog show id "$id" && for map in "${maps[@]}"; do ! bpftool map show id "$map" || return 1; done
}
fact by_hand_the_interface_is_as_before equal "$(programs_on lb eth0)" ""
fact by_hand_the_directory_goes not test -e "$work/lb/run"
fact by_hand_program_and_maps_are_freed wait_until 10 freed

# Without a bpffs root finds the maps by themselves.
LB_UID=0 LB_CAPABILITIES+=,+sys_admin,+dac_override
lb_without_pins=yes
rm -f "$work/lb/keys"
lb_configure < <(udp_config)
begin without_pins
fact nothing_is_pinned not test -e "$work/lb/run/bpf"
outlives without_pins
