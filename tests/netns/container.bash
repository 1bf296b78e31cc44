# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A host of a scenario with a systemd of its own: booted by systemd-nspawn in the host's network namespace, from an overlay
# of this machine in memory. Nothing of this machine's systemd and files is touched. Sourced by what boots such hosts.

declare -A container_pid=()

# container_possible : otherwise the scenario is skipped.
container_possible() {
	for tool in systemd-nspawn systemctl; do
		command -v "$tool" > /dev/null || skip "no $tool"
	done
	[[ -x /lib/systemd/systemd ]] || skip "no systemd to boot"
	grep -qw overlay /proc/filesystems || modprobe -q overlay || skip "no overlay file system"
}

# container_start HOST [FILL] : FILL is a command that gets the root before the boot. $work/HOST is /out inside.
container_start() {
	local host=$1 dir=$work/$1
	mkdir -p "$dir/overlay"
	nsenter --net="/run/netns/$DSR_TEST_RUN-$host" \
		unshare --mount --pid --fork --kill-child --mount-proc bash "$netns_dir/container_boot" \
		"$DSR_TEST_RUN-$host" "$dir" "${2:-true}" > "$dir/console" 2>&1 < /dev/null &
	topology_pids+=("$!")
	disown "$!"
	wait_until 60 container_find "$host" "$!" && wait_until 60 container_is_up "$host"
}

# The container's first process, as it is numbered here.
container_find() {
	local pid
	for pid in $(pgrep -P "$(pgrep -P "$2")"); do
		[[ $(< "/proc/$pid/comm") == systemd ]] || continue
		container_pid[$1]=$pid
		return 0
	done
	return 1
}

container_is_up() {
	[[ $(in_container "$1" systemctl is-system-running) == @(running|degraded) ]]
}

# in_container HOST COMMAND…
in_container() {
	bash "$netns_dir/container_enter" "${container_pid[$1]}" "${@:2}"
}

# container_ssh : writes $work/ssh, by which Ansible enters a container as it would a host by its ssh.
container_ssh() {
	local host
	for host in "${!container_pid[@]}"; do
		printf '%s\n' "${container_pid[$host]}" > "$work/$host/pid"
	done
	cat > "$work/ssh" <<- END
		#!/bin/bash
		while [[ \$1 == -* ]]; do
			[[ \$1 != -[oplFi] ]] || shift
			shift
		done
		exec bash "$netns_dir/container_enter" "\$(< "$work/\$1/pid")" /bin/sh -c "\${*:2}"
	END
	chmod +x "$work/ssh"
}

# Their control groups are left when they have ended. Called last.
containers_forget() {
	local host
	for host in "${!container_pid[@]}"; do
		unshare --mount --propagation private bash -c '
			mount -t cgroup2 none /sys/fs/cgroup && find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} \;' \
			- "$DSR_TEST_RUN-$host"
	done
}
