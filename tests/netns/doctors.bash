# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The doctors of both programs in a scenario, each on a host with files of its own. Sourced after topology.bash.

# A host's own /etc and /run, so that nothing of this machine's speaks; and programs that only its init or its
# network managers have: what they were asked is written down.
declare -A host_pid=()
host_files() {
	local host=$1 dir=$work/$1/host
	mkdir -p "$dir"/{etc/sysctl.d,etc/init.d,sysctl.d,stubs} \
		"$dir"/etc/systemd/system/multi-user.target.wants "$dir"/run/systemd/{system,netif/links}
	cp -a /etc/{passwd,group,nsswitch.conf,ld.so.cache} "$dir/etc/"
	: > "$dir/asked"
	cat > "$dir/stubs/ask" <<- END
		#!/bin/sh
		echo "\${0##*/} \$*" >> $dir/asked
		[ "\$1" != enable ] || ln -s "/etc/systemd/system/\$2.service" /etc/systemd/system/multi-user.target.wants/
	END
	chmod 755 "$dir/stubs/ask"
	ln -s ask "$dir/stubs/systemctl"
	ln -s ask "$dir/stubs/networkctl"
	ln -s ask "$dir/stubs/nmcli"
	start_on "$host" "$dir/log" unshare --mount sh -c "
		mount --bind $dir/etc /etc && mount --bind $dir/run /run &&
		{ [ ! -d /usr/lib/sysctl.d ] || mount --bind $dir/sysctl.d /usr/lib/sysctl.d; } &&
		: > $dir/ready && exec sleep infinity"
	host_pid[$host]=$started
	must wait_until 5 test -e "$dir/ready"
	: > "$dir/etc/systemd/system/$(program_of "$host").service"
	inside "$host" systemctl enable "$(program_of "$host")"
}
program_of() {
	if [[ $1 == lb* ]]; then printf dsr-lb; else printf dsr-agent; fi
}
# inside HOST COMMAND… : as its administrator would type it there.
inside() {
	local host=$1
	shift
	PATH=$work/$host/host/stubs:$work/bin:$PATH nsenter "--net=/run/netns/$(ns "$host")" \
		"--mount=/proc/${host_pid[$host]}/ns/mnt" "$@"
}

# It learns from the daemon which file it was configured by, unless that is away.
doctor_options=()
doctor() {
	local host=$1
	shift
	inside "$host" "$(program_of "$host")" doctor --runtime-dir "$work/$host/run" "${doctor_options[@]}" "$@"
}
is_well() {
	local said
	said=$(doctor "$1") && ! grep -qE '^(WARN|FAIL)' <<< "$said"
}
# becomes_well HOST : and says what is not, if it does not.
becomes_well() {
	wait_until 20 is_well "$1" || {
		doctor "$1" | grep -v '^ok ' | sed 's/^/# /'
		return 1
	}
}
