# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Files' bad days, under load: folders that are full or read-only, for the balancer and for an agent, in what they do and at the
# next start; the bpffs that holds the maps unmounted; a configuration that is half written when it is reloaded. Each row says
# what was lost.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/load.bash"

topology_up --webs 3 --no-nginx
servers_start 80
# The folders of both on file systems of their own, which are small.
for name in lb web1; do
	uid=$AGENT_UID
	[[ $name != lb ]] || uid=$LB_UID
	daemon_directories "$name" "$uid"
	for dir in run state; do
		mount -t tmpfs -o "size=1M,mode=755,uid=$uid,gid=$uid" "$DSR_TEST_RUN" "$work/$name/$dir" || skip "no mounts here"
	done
done
lb_configure < <(lb_default_config)
lb_and_agents_start
must wait_until 30 membership_is_quiet
load_start

fill() {
	head -c 8M /dev/zero > "$1/filler" 2> /dev/null
	! dd if=/dev/zero of="$1/filler2" bs=4k count=1 2> /dev/null
}
has_share() {
	[[ $(lb_json '.virtual_servers[0].backends[] | select(.name == "web1").share > 0') == "$1" ]]
}
# What an administrator does meanwhile: a word about a backend, and a reload that brings a virtual server and takes it away.
administered() {
	lb weight web1 0 > /dev/null && wait_until 5 has_share false &&
		lb weight web1 configured > /dev/null && wait_until 5 has_share true || return
	{
		lb_default_config
		printf '[virtual-server more]\nvip = %s\nport = 99\n' "$VIP2"
	} | lb_write_config
	lb reload > /dev/null && equal "$(lb_json '.virtual_servers | length')" 2 || return
	lb_default_config | lb_write_config
	lb reload > /dev/null && equal "$(lb_json '.virtual_servers | length')" 1
}
says_that_it_cannot_keep() {
	grep -q 'cannot keep the state in .*; a restart would lose it' "$work/lb/log"
}

# ---- full ----

balancer_is_full() {
	fill "$work/lb/run" && fill "$work/lb/state" || return
	administered && wait_until 5 backends_up 3
}
fault the_balancers_folders_are_full 0 0 balancer_is_full
fact it_says_that_nothing_is_kept wait_until 5 says_that_it_cannot_keep
killed_while_full() {
	daemon_stop lb KILL
	lb_start
	wait_until 10 backends_up 3 && administered
}
fault the_balancer_is_killed_while_they_are_full 0 0 killed_while_full
rm "$work/lb/run/filler"* "$work/lb/state/filler"*
must lb weight web1 7
killed_with_room() {
	daemon_stop lb KILL
	lb_start
	wait_until 10 backends_up 3
}
weight_is_kept() {
	[[ $(backend_field weight web1) == 7 ]]
}
fault and_with_room_again 0 0 killed_with_room
fact what_was_said_with_room_is_kept wait_until 5 weight_is_kept
must lb weight web1 configured

agent_is_full() {
	fill "$work/web1/run" && fill "$work/web1/state" || return
	ip_on web1 address del "$VIP6/128" dev lo
	daemon_stop web1 KILL
	sleep_ms 200
	agent_start web1
	wait_until 10 agent_is web1 up && wait_until 10 backends_up 3 && wait_until 5 has_vip6
}
has_vip6() {
	[[ -n $(ip_on web1 address show dev lo to "$VIP6") ]]
}
before=$(falls)
fault an_agents_folders_are_full_at_its_death 0 0 agent_is_full
fact its_server_stays_up_all_the_time equal "$(falls)" "$before"
fact what_cannot_be_kept_is_refused not exits 0 agent web1 disable
fact and_nothing_of_it_is_done backend_is web1 up
rm "$work/web1/run/filler"* "$work/web1/state/filler"*

# ---- read-only ----

# A file system in use is not made read-only from outside; a folder in which nothing can be made or changed any more is the same
# to who writes by rename.
closed() {
	chown 0:0 "$work/$1/run" "$work/$1/state" && chmod 555 "$work/$1/run" "$work/$1/state"
}
opened() {
	local uid=$AGENT_UID
	[[ $1 != lb ]] || uid=$LB_UID
	chown "$uid:$uid" "$work/$1/run" "$work/$1/state" && chmod 755 "$work/$1/run" "$work/$1/state"
}
balancer_is_read_only() {
	closed lb && administered && wait_until 5 backends_up 3
}
cannot_keep() {
	grep -c 'cannot keep the state in .*; a restart would lose it' "$work/lb/log"
}
before=$(cannot_keep)
fault the_balancers_folders_are_read_only 0 0 balancer_is_read_only
fact it_says_again_that_nothing_is_kept at_least "$(cannot_keep)" $((before + 1))
opened lb

# At a start it is the file system: no socket can be made there, which is said, and what is in the kernel forwards on.
read_only() {
	mount -o "remount,$2" "$work/$1/run" && mount -o "remount,$2" "$work/$1/state"
}
says_last() {
	tail -n 1 "$work/lb/log" | grep -q "$1"
}
start_is_refused() {
	daemon_stop lb KILL
	read_only lb ro || return
	lb_launch
	wait_until 10 gone "${daemon_pid[lb]}" && says_last 'Read-only file system' || return
	read_only lb rw
	lb_start
	wait_until 10 backends_up 3
}
fault the_balancer_is_killed_while_they_are_read_only 0 0 start_is_refused

agent_is_read_only() {
	closed web1
	ip_on web1 address del "$VIP6/128" dev lo
	ip_on web1 link add late0 type veth peer name late1
	wait_until 5 has_vip6 && wait_until 5 is_silent late0 && for_seconds 2 backends_up 3 && opened web1
}
is_silent() {
	[[ $(on web1 sysctl -n "net.ipv4.conf.$1.arp_ignore") == 1 ]]
}
before=$(falls)
fault an_agents_folders_are_read_only 0 0 agent_is_read_only
fact its_server_stays_up_then_too equal "$(falls)" "$before"

# ---- the bpffs ----

# In the daemon's own view, too.
unmounted() {
	umount -l "$work/lb/run/bpf" && nsenter --mount --target "${daemon_pid[lb]}" umount -l "$work/lb/run/bpf" || return
	administered && wait_until 5 backends_up 3
}
if mountpoint -q "$work/lb/run/bpf"; then
	fault the_bpffs_is_unmounted 0 0 unmounted
	# Nothing holds the program in the kernel over this one.
	fault the_balancer_dies_without_its_bpffs 0 "$LOAD_HZ" killed_with_room
else
	skip_fact the_bpffs_is_unmounted "no bpffs here"
fi

# ---- a half-written file ----

# half_written FIRST LAST : the file's first bytes, as a reload may meet it while somebody writes it in its place, 25 of them. Each
# is refused and changes nothing, or is what it says it is: nobody can know that there was to be more.
half_written() {
	local cut bytes said status refused=0 before now
	before=$(settled)
	for ((cut = 0; cut <= 24; cut++)); do
		bytes=$(($1 + ($2 - $1) * cut / 24))
		head -c "$bytes" "$work/whole" > "$work/lb/lb.conf"
		status=0 said=0
		lb check-config --config "$work/lb/lb.conf" > "$work/said" 2>&1 || said=$?
		lb reload > "$work/said" 2>&1 || status=$?
		now=$(settled)
		equal "$status" "$said" || return
		if ((status == 78)); then
			refused=$((refused + 1))
			equal "$now" "$before" || return
			grep -q lb.conf "$work/said" || return
		fi
		before=$now
	done
	cat "$work/whole" > "$work/lb/lb.conf"
	note "$refused of 25 beginnings were refused"
	lb reload > /dev/null && wait_until 5 backends_up 3
}
settled() {
	lb_json '[.virtual_servers[] | {name, vip, ports, protocol}] | tojson'
}
{
	lb_default_config
	printf '[virtual-server more]\nvip = %s\nport = 99\n' "$VIP2"
} | lb_write_config
cp "$work/lb/lb.conf" "$work/whole"
size=$(stat -c %s "$work/whole")
# The virtual server of the load is there in whole.
first=$(grep -b '^\[virtual-server more' "$work/whole" | cut -d: -f1)
fault a_file_is_half_written 0 0 half_written "$first" "$size"
# Or not even that: for as long as it is so, nobody serves it.
fault a_file_is_written_to_less_than_half 0 $((LOAD_HZ * 3)) half_written 1 "$first"
