# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the balancer receives and sends is captured with its decisions, whatever the engine: as a file that Wireshark
# opens, and as lines of text; filtered, bounded, and never at the cost of traffic.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2
lb_and_agents_start
must wait_until 30 membership_is_quiet

# capture_start NAME OPTION… : standard output goes to $work/NAME, the rest to $work/NAME.err.
capture_start() {
	local name=$1
	shift
	# What a former one said is not this one's word.
	rm -f "$work/$name.err"
	"$work/bin/dsr-lb" capture --runtime-dir "$work/lb/run" "$@" > "$work/$name" 2> "$work/$name.err" &
	capture_pid=$!
	wait_until 10 grep -qs capturing "$work/$name.err"
}
# capture_ends STATUS : by itself
capture_ends() {
	wait_until 10 gone "$capture_pid" && exits "$1" wait "$capture_pid"
}
capture_interrupt() {
	kill -INT "$capture_pid"
}
requests() {
	on client curl -sS --no-progress-meter --max-time $((20 * SLOW)) -H 'Connection: close' "http://$1/?[1-$2]"
}
# is_told_of COMMAND… : which is done until the capture has enough.
is_told_of() {
	"$@"
	gone "$capture_pid"
}
# knock ADDRESS : at a port that nobody serves
knock() {
	on client curl -sS --connect-timeout 0.2 "http://$1:81/" > /dev/null 2>&1
	true
}

# Blocks by type, of a file in our own byte order: their lengths stand at both ends.
blocks() {
	od -An -v -w4 -tu4 "$work/$1" | awk -v type="$2" '
		{ word[NR] = $1 }
		END {
			for (i = 1; i <= NR; i += size) {
				size = word[i + 1] / 4
				if (size < 3 || word[i + size - 1] != word[i + 1])
					exit 1
				n += word[i] == type
			}
			print n + 0
		}'
}
# The frames of the file, in the words of tshark, into $work/frames.
frames_read() {
	tshark -n -r "$work/file" -T fields -E separator=';' -e frame.packet_flags_direction -e eth.dst \
		-e frame.comment -e ip.dst -e tcp.dstport > "$work/frames" 2> /dev/null
}
n_frames() {
	grep -cE "$1" "$work/frames"
}

must capture_start out -w "$work/file" --count 60 --client "$CLIENT"
fact requests_are_answered_meanwhile equal "$(requests "$VIP" 12 | wc -l)" 12
fact it_ends_when_it_has_enough capture_ends 0
fact it_tells_how_many says "^dsr-lb: 60 frames written to $work/file, 0 lost" cat "$work/out.err"
fact standard_output_is_empty equal "$(cat "$work/out")" ""
fact the_file_is_nobody_elses equal "$(stat -c %a "$work/file")" 600
fact it_is_one_section equal "$(blocks file $((0x0a0d0d0a)))" 1
fact of_two_interfaces equal "$(blocks file 1)" 2
fact and_all_its_frames equal "$(blocks file 6)" 60
if command -v tshark > /dev/null; then
	fact wireshark_reads_it frames_read
	fact every_frame_of_it equal "$(wc -l < "$work/frames")" 60
	n_in=$(n_frames "^0x0*1;")
	# It may have enough between a packet's coming and its going, on each of two threads.
	fact half_of_them_came_in at_least "$n_in" 30
	fact or_two_more at_most "$n_in" 32
	fact the_others_went_out equal "$(n_frames "^0x0*2;")" $((60 - n_in))
	fact those_that_came_were_for_the_balancer equal "$(n_frames "^0x0*1;$(mac_of lb);")" "$n_in"
	for web in web1 web2; do
		fact "what_went_to_${web}_has_its_mac" equal "$(n_frames "^0x0*2;$(mac_of $web);.*backend $web;")" \
			"$(n_frames "^0x0*2;.*backend $web;")"
	done
	fact each_has_its_decision equal "$(n_frames ';forward: forwarded; backend web[12]; virtual server web; by hash')" 60
	fact they_are_whole_packets equal "$(n_frames ";$VIP;80\$")" 60
else
	skip_fact wireshark_reads_it "no tshark: tests/deps all"
fi

# To a pipe, and ended by who asked.
must capture_start file -w -
requests "$VIP" 2 > /dev/null
has_frames() {
	at_least "$(blocks file 6)" "$1"
}
must wait_until 5 has_frames 8
capture_interrupt
fact an_interrupt_is_an_end capture_ends 0
fact what_was_written_is_whole has_frames 8

# As text, by backend, by VIP, and what is not forwarded.
must capture_start text --backend web1
requests "$VIP" 20 > /dev/null
must wait_until 5 grep -q web1 "$work/text"
capture_interrupt
must capture_ends 0
fact text_tells_packet_and_decision says \
	"^[0-9:.]{15} out $CLIENT:[0-9]+ -> $VIP:80 tcp [0-9]+ bytes forward forwarded web1\$" cat "$work/text"
fact only_that_backends_frames equal "$(grep -vc ' web1$' "$work/text")" 0

must capture_start text --vip "$VIP6"
requests "$VIP" 3 > /dev/null
requests "[$VIP6]" 3 > /dev/null
must wait_until 5 grep -q "$CLIENT6" "$work/text"
capture_interrupt
must capture_ends 0
fact only_that_vips_frames equal "$(grep -vcF -- "-> [$VIP6]:80" "$work/text")" 0

must capture_start text
knocked_and_told() {
	knock "$VIP"
	grep -qE "in  $CLIENT:[0-9]+ -> $VIP:81 tcp [0-9]+ bytes pass no-service -" "$work/text"
}
fact what_is_not_served_is_told wait_until 5 knocked_and_told
fact there_is_one_at_a_time exits 69 lb capture
fact and_it_says_so says 'one at a time' lb capture
# Nobody reads: what does not fit is lost, and traffic is not.
kill -STOP "$capture_pid"
fact traffic_does_not_wait_for_a_capture equal "$(requests "$VIP" 1000 | wc -l)" 1000
kill -CONT "$capture_pid"
capture_interrupt
must capture_ends 0
fact what_is_lost_is_counted says ' [1-9][0-9]* lost to the capture' cat "$work/text.err"
fact the_next_may_begin capture_start text --count 4
requests "$VIP" 1 > /dev/null
fact and_ends capture_ends 0

# The host's own traffic is nobody's business, but where it is asked for.
must capture_start text --count 1 --vip "$LB" --client "$CLIENT"
fact the_hosts_own_is_told_where_it_is_asked_for wait_until 10 is_told_of knock "$LB"
must capture_ends 0
fact as_what_it_is says "^.* in  $CLIENT:[0-9]+ -> $LB:81 tcp [0-9]+ bytes pass not-vip -\$" cat "$work/text"

for wrong in "--count 0" "--count x" "--client nonsense" "--client 192.0.2.1/33" "--vip 192.0.2.0/24" \
	"--backend nobody" "--client 192.0.2.0/24 --vip $VIP6" "--json -w x" "-w /nonexistent/file" "more"; do
	read -ra words <<< "$wrong"
	fact "wrong_is_refused: $wrong" exits 64 lb capture "${words[@]}"
done

fact the_group_may_not_capture exits 77 setpriv --reuid 64777 --regid "$LB_UID" --clear-groups --bounding-set -all \
	"$work/bin/dsr-lb" capture --count 1 --runtime-dir "$work/lb/run"

must capture_start text
must daemon_stop lb
fact it_ends_with_the_daemon capture_ends 69
fact and_tells_why says 'has ended|stops' cat "$work/text.err"
