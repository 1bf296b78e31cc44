# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# README's section "Install", word by word: two hosts with a systemd of their own become a balancer and a real server by what
# it tells people to type and to write, and nothing else. What `make install` needs is built already.
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
