# SPDX-License-Identifier: GPL-2.0-or-later
# tags: alone
# shellcheck shell=bash
#
# The Debian packages on hosts with a systemd of their own: built, by lintian, installed and configured by the Ansible roles,
# upgraded under open connections, one real server after the other, and out again, leaving nothing but what the
# administrator wrote. With FORMER_DEBS= a folder of a former build's packages; else they are this one's, said to be older.
. "$(dirname "$0")/../netns/topology.bash"
# shellcheck source=tests/netns/container.bash
. "$(dirname "$0")/../netns/container.bash"

for tool in dh lintian dpkg-buildpackage ansible-playbook; do
	command -v "$tool" > /dev/null || skip "no $tool; make deps-all installs it"
done
container_possible
topology_up --webs 2 --no-nginx

# ---- the packages ----

# Compiled anew, from a copy of the tree. DEBS= are packages that are there already.
if [[ -n ${DEBS:-} ]]; then
	cp -r "$DEBS" "$work/deb" || exit 1
else
	must env -u MAKEFLAGS make -s deb "BUILD=$work" > "$work/make.log" 2>&1
	rm -rf "$work/deb/dsr"
fi
must test -s "$work/deb/dsr-doc"_*_all.deb
no_keys() {
	! dpkg-deb --fsys-tarfile "$work"/deb/dsr-"$1"_*.deb | tar -t | grep -E '^./etc/dsr-.*/.+'
}
fact lintian_has_nothing_to_say lintian --allow-root --fail-on error,warning "$work"/deb/dsr-{lb,agent,doc}_*.deb
fact no_key_and_no_configuration_in_dsr_lb no_keys lb
fact nor_in_dsr_agent no_keys agent

# For whoever reads of a failure.
tell_hosts() {
	local host
	((facts_failed)) || return 0
	for host in "${!container_pid[@]}"; do
		note "$host: $(tail -n 12 "$work/$host/dpkg.log" 2> /dev/null)"
		in_container "$host" journalctl --no-pager -o cat -n 40 -u dsr-lb -u dsr-agent | sed 's/^/# /'
	done
}

# renumber FOLDER SUFFIX : the same packages of another version.
renumber() {
	local package
	mkdir -p "$work/$1"
	for package in lb agent; do
		rm -rf "$work/tree" && dpkg-deb -R "$work"/deb/dsr-"$package"_*.deb "$work/tree" &&
			sed -i "s/^Version: .*/&$2/" "$work/tree/DEBIAN/control" &&
			dpkg-deb --root-owner-group -b "$work/tree" "$work/$1" > /dev/null || return
	done
}
if [[ -n ${FORMER_DEBS:-} ]]; then
	must cp -r "$FORMER_DEBS" "$work/former"
else
	must renumber former '~former'
fi
must renumber next '+next'

# ---- three hosts, by Ansible ----

traces() {
	in_container "$1" find /etc /lib/systemd /usr/lib/systemd /usr/lib/firewalld /usr/lib/sysusers.d /usr/sbin /usr/share/doc /usr/share/man \
		/usr/share/bash-completion /usr/share/zsh /usr/share/fish /var/lib /run -xdev '(' -name 'dsr-*' -o -name '_dsr-*' ')' ! -path '/etc/dsr-*' ! -path '/var/lib/systemd/deb-systemd-helper-*' \
		! -path '/run/credentials/*' ! -path '/run/systemd/*' 2> /dev/null | sort
}
for host in lb web1 web2; do
	container_start "$host" || {
		tail -n 5 "$work/$host/console" | sed 's/^/# /'
		skip "systemd does not boot in a container here"
	}
	traces "$host" > "$work/$host/before"
done
container_ssh
cat > "$work/dsr-lb.conf" <<- END
	[balancer]
	interface = eth0

	[virtual-server web]
	vip = $VIP
	port = 80
	scheduler = rr
END
cat > "$work/inventory" <<- END
	[balancers]
	lb
	[real_servers]
	web1
	web2
	[all:vars]
	dsr_lb_config_file=$work/dsr-lb.conf
	dsr_agent_settings={"weight": 2}
	ansible_become=false
	ansible_ssh_executable=$work/ssh
	ansible_ssh_args=
	ansible_ssh_transfer_method=piped
END
# playbook NAME PACKAGES : prints its recap.
playbook() {
	ANSIBLE_HOME=$work/ansible ANSIBLE_LOCAL_TEMP=$work/ansible/tmp ANSIBLE_NOCOLOR=1 \
		ansible-playbook -i "$work/inventory" "packaging/ansible/$1.yml" -e "dsr_packages=$work/$2" \
		> "$work/playbook.log" 2>&1
	local status=$?
	((status == 0)) || sed 's/^/# /' "$work/playbook.log" | tail -n 30
	return "$status"
}
tool_start web1 web1 named_server web1 0.0.0.0:80
tool_start web2 web2 named_server web2 0.0.0.0:80
asked() {
	on client timeout 2 bash -c "exec 3<> /dev/tcp/$VIP/80 && read -r name <&3 && echo \"\$name\""
}
both_answer() {
	[[ $(for _ in 1 2 3 4; do asked; done | sort -u | tr '\n' ' ') == 'web1 web2 ' ]]
}
fact hosts_become_a_pair_by_one_play playbook site former
fact both_serve_clients wait_until 10 both_answer
fact the_settings_are_in_force equal "$(in_container lb dsr-lb status --json | jq -c '[.virtual_servers[0].backends[].weight]')" '[2,2]'
fact the_same_play_again_succeeds playbook site former
fact and_changes_nothing says 'lb +: .* changed=0 ' cat "$work/playbook.log"
fact on_no_host not grep -q 'changed=[1-9]' "$work/playbook.log"

# ---- what else is installed ----

# opened HOST PROGRAM : the ports that its firewalld service and its ufw profile open, a line each.
opened() {
	in_container "$1" cat "/usr/lib/firewalld/services/dsr-$2.xml" | python3 -c 'import sys, xml.etree.ElementTree as tree
print(*(port.get("port") + "/" + port.get("protocol") for port in tree.parse(sys.stdin).getroot().iter("port")))'
	in_container "$1" sed -n 's/^ports=//p' "/etc/ufw/applications.d/dsr-$2"
}
# default_of HOST PROGRAM KEY
default_of() {
	in_container "$1" "dsr-$2" config | sed -n "s/^default: \\[[a-z]*\\] $3 = //p"
}
# Of a unit that is not enabled yet: what a system with no rule of its own makes of it.
preset_of() {
	in_container "$1" systemctl list-unit-files --no-legend "dsr-$2.service" | awk '{ print $3 }'
}
for pair in lb:lb web1:agent; do
	host=${pair%:*} program=${pair#*:}
	port=$(default_of "$host" "$program" listen)
	fact "firewalls_open_the_port_of_dsr-$program" equal "$(opened "$host" "$program")" "$port/udp"$'\n'"$port/udp"
	fact "the_preset_of_dsr-${program}_is_installed" equal "$(preset_of "$host" "$program")" disabled
	for file in bash-completion/completions/dsr-$program zsh/vendor-completions/_dsr-$program fish/vendor_completions.d/dsr-$program.fish; do
		fact "completion_is_among_the_traces_of_dsr-$program: ${file%%/*}" grep -qxF "/usr/share/$file" <(traces "$host")
	done
done
# Nothing else is meant for other hosts unless somebody says so.
fact http_of_a_balancer_is_its_hosts_alone equal "$(default_of lb lb http-listen)" 127.0.0.1:9377
fact http_of_an_agent_is_nobodys equal "$(default_of web1 agent http-listen)" off

# ---- upgrades ----

remove() {
	in_container "$1" env DEBIAN_FRONTEND=noninteractive dpkg "$3" "dsr-$2" >> "$work/$1/dpkg.log" 2>&1
}

versions_of() {
	in_container "$1" dpkg-query -W -f '${Version}' "dsr-$2"
}
# Whether the process is that of the file which is installed now.
runs_new() {
	[[ $(in_container "$1" sh -c "readlink /proc/\$(systemctl show -p MainPID --value dsr-$2)/exe") == "/usr/sbin/dsr-$2" ]]
}
all_run_new() {
	runs_new lb lb && runs_new web1 agent && runs_new web2 agent
}
upgrade() {
	cp "$work"/deb/dsr-"$2"_*.deb "$work/$1/new.deb" &&
		in_container "$1" env DEBIAN_FRONTEND=noninteractive dpkg -i /out/new.deb >> "$work/$1/dpkg.log" 2>&1
}
vip_missing() {
	in_container "$1" ip -j address show dev lo | jq -e --arg vip "$VIP" 'any(.[].addr_info[]; .local == $vip) | not'
}
# Says so, should it ever be gone.
watch_vip() {
	while sleep_ms 50; do
		! vip_missing "$1" > /dev/null || {
			date +%T.%3N > "$work/$1/vip-missing"
			return
		}
	done
}
tool_start open client connections "$VIP:80" 200
all_open() {
	[[ $(tool_ask open | jq '.open') == 200 ]]
}
must wait_until 20 all_open
tool_start fresh client new_flows "$VIP:80" 50
watch_vip web1 &
watcher=$!
before=$(versions_of web1 agent)
fact agents_are_upgraded eval 'upgrade web1 agent && upgrade web2 agent'
fact the_balancer_is_upgraded upgrade lb lb
fact the_version_is_another not equal "$(versions_of web1 agent)" "$before"
fact the_new_programs_run wait_until 10 all_run_new
fact they_serve wait_until 20 both_answer
kill "$watcher" 2> /dev/null
wait "$watcher" 2> /dev/null
fact no_vip_was_away not test -e "$work/web1/vip-missing"
talked=$(tool_ask open round)
note "connections over the upgrades: $talked"
fact none_of_200_connections_broke equal "$(jq -c '[.open, .broken]' <<< "$talked")" '[200,0]'
started=$(tool_end fresh)
note "new ones meanwhile: $started"
fact every_new_connection_was_made equal "$(jq '.refused + .silent' <<< "$started")" 0
must stop_pid "${tool_pid[open]}"

tell_hosts

# Which wants both on one host.
own_test() {
	cp packaging/debian/tests/pair "$work/lb/pair" && upgrade lb agent &&
		in_container lb sh /out/pair > "$work/own_test" 2>&1 && remove lb agent -P
}
fact the_packages_own_test_passes own_test

# One after the other, each drained before.
tool_start fresh client new_flows "$VIP:80" 50
fact a_rolling_update_succeeds playbook rolling next
started=$(tool_end fresh)
note "new connections over a rolling update: $started"
fact nobody_was_refused_meanwhile equal "$(jq '.refused + .silent' <<< "$started")" 0
fact each_has_the_next_version says '\+next$' versions_of web2 agent
fact and_runs_it wait_until 10 all_run_new
fact the_balancer_too says '\+next$' versions_of lb lb
fact and_both_serve_again wait_until 10 both_answer

# What cannot be drained in time ends the play, and the others are not touched.
tool_start open client connections "$VIP:80" 4
four_open() {
	[[ $(tool_ask open | jq '.open') == 4 ]]
}
must wait_until 10 four_open
sed -i "s/^ansible_become=.*/&\ndsr_drain_wait=1s/" "$work/inventory"
fact who_cannot_be_drained_ends_the_play not playbook rolling next
fact and_stays_drained says 'web1 .*drain' in_container lb dsr-lb backends
fact the_others_are_not_touched not says 'web2 .*drain' in_container lb dsr-lb backends
fact no_connection_is_cut_off equal "$(tool_ask open round | jq -c '[.open, .broken]')" '[4,0]'
must stop_pid "${tool_pid[open]}"

# ---- out again ----

for host in web1 web2; do
	fact "the_agent_of_${host}_is_removed" remove "$host" agent -r
	fact "its_vip_goes_with_it_from_$host" vip_missing "$host"
done
fact the_balancer_is_removed remove lb lb -r
fact nothing_of_it_runs not in_container lb pgrep -x dsr-lb
for host in web1 web2; do
	fact "the_agent_of_${host}_is_purged" remove "$host" agent -P
done
fact the_balancer_is_purged remove lb lb -P
# left HOST : what there is now and was not before, but for what the administrator wrote.
left() {
	traces "$1" | comm -13 "$work/$1/before" -
}
fact nothing_is_left_on_the_balancer equal "$(left lb)" ""
fact nothing_is_left_on_a_real_server equal "$(left web1)" ""
fact the_administrators_keys_are in_container lb test -s /etc/dsr-lb/keys
fact and_those_of_the_agent in_container web1 test -s /etc/dsr-agent/key
