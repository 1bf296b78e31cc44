# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# README's section "Install", word by word: two hosts with a systemd of their own become a balancer and a real server by what
# it tells people to type and to write, and nothing else. What `make install` needs is built already. Then the same hosts, as they
# were before, by dsr(7)'s first set-up.
. "$(dirname "$0")/../netns/topology.bash"
# shellcheck source=tests/netns/container.bash
. "$(dirname "$0")/../netns/container.bash"
container_possible
topology_up --webs 1 --no-nginx

# section_blocks LANGUAGE : the fenced blocks of the section, with a NUL behind each.
section_blocks() {
	awk -v language="$1" '/^## / { inside = $0 == "## Install" }
		inside && $0 == "```" language { block = 1; next }
		$0 == "```" && block { block = 0; printf "%c", 0; next }
		block' README.md
}
mapfile -d '' commands < <(section_blocks sh)
mapfile -d '' files < <(section_blocks ini)
fact the_section_has_its_blocks equal "${#commands[@]} ${#files[@]}" '4 1'

# The first block: what was built is installed, and each host's root gets it.
installed() {
	make -s install "DESTDIR=$work/install" PREFIX=/usr "BUILD=$BUILD" "SAN=$SAN" > "$work/make" 2>&1
}
must installed
fact it_is_the_first_thing_to_type grep -qx 'sudo make deps && make && sudo make install' <<< "${commands[0]}"
cat > "$work/fill" <<- 'END'
	#!/bin/bash
	cp -r "${0%/*}/install/." "$1/"
END
chmod +x "$work/fill"
for host in lb web1; do
	container_start "$host" "$work/fill" || {
		tail -n 5 "$work/$host/console" | sed 's/^/# /'
		skip "systemd does not boot in a container here"
	}
done
# typed HOST LINE : as root, without sudo, which a container need not have.
typed() {
	in_container "$1" bash -c "${2//sudo /}"
}
for host in lb web1; do
	fact "users_are_made_on_$host" typed "$host" "$(grep sysusers <<< "${commands[0]}")"
done
printf '%s' "${files[0]}" > "$work/lb/dsr-lb.conf"
fact the_configuration_is_written in_container lb cp /out/dsr-lb.conf /etc/dsr-lb/dsr-lb.conf
mapfile -t lines <<< "${commands[1]}"
fact keys_are_made typed lb "${lines[0]}"
fact the_balancer_starts typed lb "${lines[1]}"
token=$(typed lb "${lines[2]}")
fact it_gives_a_token test -n "$token"

for port in 80 443; do
	tool_start "port$port" web1 named_server web1 "0.0.0.0:$port"
done
fact one_word_makes_a_real_server typed web1 "${commands[2]/TOKEN/$token}"
answers() {
	[[ $(on client timeout 2 bash -c "exec 3<> /dev/tcp/$VIP/$1 && read -r name <&3 && echo \"\$name\"") == web1 ]]
}
for port in 80 443; do
	fact "a_client_is_served_at_port_$port" wait_until 10 answers "$port"
done

# The last block: what to look at. Comments say what each line is for.
mapfile -t lines <<< "${commands[3]}"
status_of() {
	typed lb "${1%%#*}" > "$work/said" 2>&1
}
fact it_says_that_all_is_well wait_until 10 status_of "${lines[0]}"
fact it_says_who_serves eval 'status_of "${lines[1]}" && grep -q "web1 .* up " "$work/said"'
fact it_explains_a_packet eval 'status_of "${lines[2]}" && grep -q web1 "$work/said"'
fact it_drains eval 'status_of "${lines[3]}"'
typed lb 'dsr-lb enable web1'
fact the_doctor_finds_no_failure eval 'status_of "${lines[4]}" || (($? == 1))'
fact there_is_no_other_line equal "${#lines[@]}" 6

# What was installed stays, and nothing else: dsr-lb(8) says how to remove it. Then dsr(7).
forgotten() {
	local line
	typed web1 'systemctl disable --now dsr-agent && rm -r /etc/dsr-agent/dsr-agent.conf /etc/dsr-agent/key' &&
		typed lb 'systemctl disable --now dsr-lb && rm -r /etc/dsr-lb/dsr-lb.conf /etc/dsr-lb/keys' || return
	# As in the scenario outlive: bpftool before 7.4 does not know tcx.
	bpftool net help 2>&1 | grep -q tcx_ingress || on lb "$BUILD/tests/harness/tcx" eth0 detach
	while read -r line <&3; do
		line=${line%%#*}
		typed lb "${line//INTERFACE/eth0}" > "$work/said" 2>&1
	done 3< <(sed -n '/^# REMOVING/,/^# SEE/ { /^```$/,/^```$/ { /^```$/!p } }' man/dsr-lb.8.scd)
	typed lb 'rm -r /var/lib/dsr-lb; ! test -e /run/dsr-lb'
}
must forgotten
fact nobody_serves_then not answers 80
mapfile -d '' blocks < <(awk '/^# / { inside = $0 == "# A FIRST SET-UP" }
	inside && $0 == "```" && !block { block = 1; next }
	$0 == "```" && block { block = 0; printf "%c", 0; next }
	block' man/dsr.7.scd)
fact the_manual_has_its_blocks equal "${#blocks[@]}" 4
printf '%s' "${blocks[0]}" > "$work/lb/dsr-lb.conf"
must in_container lb cp /out/dsr-lb.conf /etc/dsr-lb/dsr-lb.conf
mapfile -t lines <<< "${blocks[1]%$'\n'}"
fact the_manual_has_four_lines_for_the_balancer equal "${#lines[@]}" 4
fact its_keys_are_made typed lb "${lines[0]}"
fact its_configuration_is_looked_at typed lb "${lines[1]}"
fact its_balancer_starts typed lb "${lines[2]}"
token=$(typed lb "${lines[3]}")
fact its_word_is_printed test -n "$token"
mapfile -t lines <<< "${blocks[2]%$'\n'}"
fact the_manual_has_two_lines_for_the_server equal "${#lines[@]}" 2
fact its_word_makes_a_real_server typed web1 "${lines[0]/TOKEN/$token}"
looked_at() { # HOST LINE : a doctor may warn
	local status=0
	typed "$@" > "$work/said" 2>&1 || status=$?
	((status == 0)) || [[ $2 == *doctor && $status == 1 ]]
}
fact its_doctor_finds_no_failure_there looked_at web1 "${lines[1]}"
for port in 80 443; do
	fact "by_the_manual_a_client_is_served_at_port_$port" wait_until 10 answers "$port"
done
mapfile -t lines <<< "${blocks[3]%$'\n'}"
fact the_manual_has_three_lines_to_look equal "${#lines[@]}" 3
for line in "${lines[@]}"; do
	fact "to_look: $line" looked_at lb "$line"
	[[ $line == *doctor ]] || fact "it_names_the_server: $line" grep -q web1 "$work/said"
done
