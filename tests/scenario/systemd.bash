# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The units for real: systemd, booted in a container of its own, starts both programs from their
# installed units, reloads and kills them. The machine's own systemd and files are not touched:
# the container's root is an overlay in memory, in a private mount namespace.
. "$(dirname "$0")/../netns/topology.bash"
# shellcheck source=tests/netns/container.bash
. "$(dirname "$0")/../netns/container.bash"
container_possible

work=$(mktemp -d "${TMPDIR:-/tmp}/$DSR_TEST_RUN.XXXXXX") || exit 1
ended() {
	trap '' TERM INT HUP
	topology_end
	ip netns del "$DSR_TEST_RUN-host"
	containers_forget
	rm -rf "$work"
}
trap ended EXIT
trap 'exit 143' TERM INT HUP
chmod 755 "$work"
mkdir "$work/install" "$work/host"
add_host host
make -s install DESTDIR="$work/install" PREFIX=/usr BUILD="$BUILD" SAN="$SAN" > "$work/make" 2>&1 || {
	cat "$work/make"
	exit 1
}

cp "$BUILD/tests/harness/named_server" "$work/install/" || exit 1
cp -r packaging/keepalived "$work/" || exit 1
# What runs inside: two hosts of one link, made of a pair of interfaces, would need namespaces
# that the units know nothing of; so both programs serve on one host, apart by addresses.
cat > "$work/inside" <<- 'END'
	#!/bin/bash
	out=/out/facts
	say() { printf '%s\n' "$*" >> $out; }
	fact() { local name=$1; shift; if "$@" > /out/last 2>&1; then say "ok $name"; else say "not ok $name"; sed 's/^/# /' /out/last >> $out; fi; }
	wait_for() { local n; for n in {1..300}; do "$@" && return; sleep 0.1; done; return 1; }
	pid_of() { systemctl show -p MainPID --value "$1"; }
	is_new() { local now; now=$(pid_of "$1"); [[ $now != 0 && $now != "$2" ]] && systemctl -q is-active "$1"; }
	user_of() { [[ $(stat -c %U "/proc/$(pid_of "$1")") == "$1" ]]; }
	capabilities_of() { [[ $(awk '/^CapEff/ { print $2 }' "/proc/$(pid_of "$1")/status") == "$2" ]]; }
	bpffs_at() { [[ $(stat -f -c %t "$1") == cafe4a11 ]]; }
	bpffs_mounted_once() { [[ $(grep -c ' /run/dsr-lb/bpf bpf ' /proc/mounts) == 1 ]]; }
	# As the daemon, in its view of the file system.
	as_lb() { nsenter -t "$(pid_of dsr-lb)" -m setpriv --reuid dsr-lb --regid dsr-lb --clear-groups "$@"; }
	bpffs_is_the_daemons() { [[ $(stat -c '%U:%G %a' /run/dsr-lb/bpf) == 'dsr-lb:dsr-lb 1700' ]] && as_lb mkdir /run/dsr-lb/bpf/mark; }
	bpffs_is_kept() { bpffs_mounted_once && test -d /run/dsr-lb/bpf/mark; }
	# Before the daemon, with all that the unit forbids: does it leave a pinned map?
	unit_may_pin() {
		mkdir -p /run/systemd/system/dsr-lb.service.d
		printf '[Service]\nExecStartPre=%s map create /run/dsr-lb/bpf/try type array key 4 value 64 entries 100 name try flags 1024\n' \
			"$(command -v bpftool)" > /run/systemd/system/dsr-lb.service.d/try.conf
		systemctl daemon-reload && systemctl restart dsr-lb && rm /run/dsr-lb/bpf/try
		local status=$?
		rm -r /run/systemd/system/dsr-lb.service.d
		systemctl daemon-reload && return "$status"
	}
	# Within all that the agent's unit forbids: may it have a table that logs, and is its own?
	unit_may_log() {
		cat > /out/log.nft <<- 'RULES'
			table inet try {
				flags owner
				chain try {
					type filter hook postrouting priority 300
					tcp flags syn log group 9
				}
			}
		RULES
		mkdir -p /run/systemd/system/dsr-agent.service.d
		printf '[Service]\nExecStartPre=%s -f /out/log.nft\n' \
			"$(command -v nft)" > /run/systemd/system/dsr-agent.service.d/try.conf
		systemctl daemon-reload && systemctl restart dsr-agent
		local status=$?
		rm -r /run/systemd/system/dsr-agent.service.d
		systemctl daemon-reload && return "$status"
	}
	# Who owns the runtime directory must not get root to mount over what is not theirs.
	link_is_not_followed() {
		umount /run/dsr-lb/bpf && rmdir /run/dsr-lb/bpf && mkdir -p /run/elsewhere &&
			ln -s /run/elsewhere /run/dsr-lb/bpf && systemctl start dsr-lb && ! bpffs_at /run/elsewhere &&
			systemctl stop dsr-lb && rm /run/dsr-lb/bpf
	}
	agent_says() { dsr-agent status | grep -q "$1"; }
	# Put there as the file itself says.
	use_the_drop_in() {
		mkdir -p /etc/systemd/system/dsr-agent.service.d
		cp /usr/share/doc/dsr/examples/dsr-agent-second-chance.conf /etc/systemd/system/dsr-agent.service.d/second-chance.conf
		systemctl daemon-reload && systemctl restart dsr-agent
	}
	program_is_loaded() { dsr-agent status --json | jq -e '.second_chance.on'; }
	second_chance() {
		echo 'second-chance = yes' >> /etc/dsr-agent/dsr-agent.conf
		systemctl restart dsr-agent
		fact without_the_drop_in_the_agent_has_no_cap_bpf capabilities_of dsr-agent 0000000000001000
		fact and_says_what_it_lacks wait_for agent_says 'warning: no second chance: it needs CAP_BPF'
		fact the_program_is_not_loaded sh -c "! dsr-agent status --json | jq -e .second_chance.on"
		fact the_drop_in_is_for_the_unit use_the_drop_in
		fact with_it_the_agent_has_cap_bpf capabilities_of dsr-agent 0000008000001000
		fact and_its_program_is_loaded wait_for program_is_loaded
		fact and_it_lacks_nothing sh -c "! dsr-agent status | grep 'no second chance'"
		rm /etc/systemd/system/dsr-agent.service.d/second-chance.conf
		sed -i '/^second-chance/d' /etc/dsr-agent/dsr-agent.conf
		systemctl daemon-reload && systemctl restart dsr-agent
		fact without_the_drop_in_cap_bpf_is_gone_again capabilities_of dsr-agent 0000000000001000
	}
	# The samples as they are, but for the interface, and for the virtual address: the VIP is the agent's here.
	keepalived_install() {
		cp /usr/local/share/keepalived/dsr-lb-track /usr/local/sbin/
		cp /usr/local/share/keepalived/dsr-lb-track.service /etc/systemd/system/
		mkdir -p /etc/keepalived
		sed 's/interface eth0/interface dsr0/; s|198.51.100.10/32 dev lo|192.0.2.100/24 dev dsr0|; /virtual_ipaddress_excluded/,/}/d' \
			/usr/local/share/keepalived/track.conf > /etc/keepalived/keepalived.conf
		systemctl daemon-reload
	}
	# In one transaction, as at a boot and a shutdown: words for each would be obeyed one by one.
	pair_begin() {
		local unit
		printf '[Unit]\nWants=dsr-lb.service dsr-lb-track.service keepalived.service\n' > /run/systemd/system/pair.target
		for unit in dsr-lb dsr-lb-track keepalived; do
			mkdir -p "/run/systemd/system/$unit.service.d"
			printf '[Unit]\nPartOf=pair.target\n' > "/run/systemd/system/$unit.service.d/pair.conf"
		done
		systemctl daemon-reload
	}
	pair_end() {
		rm /run/systemd/system/pair.target /run/systemd/system/*.service.d/pair.conf
		rmdir /run/systemd/system/{dsr-lb,dsr-lb-track,keepalived}.service.d
		systemctl daemon-reload
	}
	are_gone() { ! systemctl -q is-active dsr-lb && ! systemctl -q is-active dsr-lb-track && ! systemctl -q is-active keepalived; }
	# when UNIT ActiveEnter|ActiveExit|InactiveEnter|InactiveExit : microseconds.
	when() { systemctl show -p "$2TimestampMonotonic" --value "$1"; }
	# in_order NUMBER… : none is 0, and each at least the one before.
	in_order() {
		local last=1
		echo "$*"
		for at; do ((at >= last)) || return 1; last=$at; done
	}
	starts_in_order() {
		in_order "$(when dsr-lb ActiveEnter)" "$(when dsr-lb-track InactiveExit)" &&
			in_order "$(when dsr-lb-track ActiveEnter)" "$(when keepalived InactiveExit)"
	}
	# of_stop UNIT Stopping|Stopped : as systemd told it; of a unit that nobody needs it keeps nothing else.
	of_stop() { stamp_of "$2 " _PID=1 "UNIT=$1.service"; }
	stops_in_order() {
		journalctl --sync
		in_order "$(of_stop keepalived Stopping)" "$(of_stop keepalived Stopped)" "$(of_stop dsr-lb-track Stopping)" \
			"$(of_stop dsr-lb-track Stopped)" "$(of_stop dsr-lb Stopping)" "$(of_stop dsr-lb Stopped)"
	}
	has_the_address() { ip address show dev dsr0 | grep -q 192.0.2.100/24; }
	beside_keepalived() {
		local script n=0
		for script in $(sed -n 's/^[[:space:]]*script "\([^ ]*\) ready"$/\1/p' /usr/local/share/keepalived/*.conf); do
			fact the_samples_ask_the_program_that_is_installed test -x "$script"
			n=$((n + 1))
		done
		fact three_of_them_do test "$n" = 3
		systemctl stop dsr-lb
		keepalived_install
		# The agent here has the balancer's own MAC, and is no server of it.
		cp /etc/dsr-lb/dsr-lb.conf /out/pair
		sed -i 's/^check = agent/check = none\nreal-server = 192.0.2.9 mac=02:00:00:00:00:09/' /etc/dsr-lb/dsr-lb.conf
		pair_begin
		fact they_start_together systemctl start pair.target
		fact what_tells_keepalived_starts_between wait_for starts_in_order
		fact what_tells_keepalived_says_that_the_balancer_is_ready wait_for grep -qx 0 /run/dsr-lb-ready
		fact keepalived_takes_the_address wait_for has_the_address
		systemctl stop pair.target
		fact they_stop_together wait_for are_gone
		pair_end
		cp /out/pair /etc/dsr-lb/dsr-lb.conf
		fact keepalived_stops_before_the_balancer stops_in_order
		fact and_gave_the_address_back sh -c '! ip address show dev dsr0 | grep 192.0.2.100'
		fact the_balancer_starts_again systemctl start dsr-lb
	}
	# stamp_of TEXT JOURNALCTL-ARGUMENTS… : microseconds, of the last message with the text.
	stamp_of() { journalctl -o json --no-pager "${@:2}" | jq -r --arg text "$1" 'select(.MESSAGE | contains($text)) | .__MONOTONIC_TIMESTAMP' | tail -n 1; }
	told_within_100_ms() {
		local failed told
		journalctl --sync
		failed=$(stamp_of 'Failed with result' -u dsr-app)
		# The line is written right before the message to the balancers.
		told=$(stamp_of 'unit dsr-app.service is failed' -u dsr-agent)
		say "# the unit failed at $failed us, the agent told it at $told us"
		[[ $failed && $told ]] && ((told - failed < 100000))
	}
	finish() {
		journalctl --no-pager -u dsr-lb -u dsr-agent > /out/journal 2>&1
		say end
		systemctl poweroff --no-block
	}
	trap finish EXIT
	systemd-sysusers
	ip link add dsr0 type veth peer name dsr1
	ip address add 192.0.2.2/24 dev dsr0
	ip link set dsr0 up; ip link set dsr1 up
	fact lb_starts systemctl start dsr-lb
	systemctl -q is-active dsr-lb || exit
	systemctl start dsr-app
	fact agent_starts systemctl start dsr-agent
	systemctl -q is-active dsr-agent || exit
	for unit in dsr-lb dsr-agent; do
		fact "${unit}_is_active" systemctl is-active "$unit"
		fact "${unit}_runs_as_its_user" user_of "$unit"
		fact "${unit}_tells_its_status" test -n "$(systemctl show -p StatusText --value "$unit")"
		fact "${unit}_reloads" systemctl reload "$unit"
	done
	fact lb_has_its_four_capabilities capabilities_of dsr-lb 000000c000003000
	fact agent_has_its_one_capability capabilities_of dsr-agent 0000000000001000
	fact lb_has_a_bpffs bpffs_at /run/dsr-lb/bpf
	fact the_bpffs_is_the_daemons bpffs_is_the_daemons
	if command -v bpftool > /dev/null; then
		fact the_unit_may_pin_maps unit_may_pin
	else
		say 'ok the_unit_may_pin_maps # skip no bpftool'
	fi
	fact the_agents_unit_may_log_packets unit_may_log
	fact lb_answers_root sh -c 'dsr-lb status; test $? -le 2'
	fact agent_answers_root sh -c 'dsr-agent status; test $? -le 2'
	fact agent_puts_the_vip_on_lo wait_for sh -c 'ip address show dev lo | grep -q 198.51.100.10/32'
	fact the_agent_sees_the_unit wait_for agent_says '^unit:dsr-app.service .* up '
	kill -KILL "$(pid_of dsr-app)"
	fact a_failed_unit_is_named wait_for agent_says ': down: unit dsr-app.service is failed'
	fact it_was_told_within_100_ms told_within_100_ms
	systemctl start dsr-app
	fact the_unit_is_well_again wait_for agent_says '^unit:dsr-app.service .* up '
	fact a_plugin_gets_no_capability wait_for sh -c 'grep -q "^CapEff:.0*$" /var/lib/dsr-agent/plugin && grep -q "^CapPrm:.0*$" /var/lib/dsr-agent/plugin'
	if [[ -e /usr/local/share/without-bpf ]]; then
		say 'ok second_chance_by_the_drop_in # skip built without BPF'
	else
		second_chance
	fi
	if command -v keepalived > /dev/null; then
		beside_keepalived
	else
		say 'ok the_order_with_keepalived # skip no keepalived'
	fi
	cp /etc/dsr-lb/dsr-lb.conf /out/good
	echo 'nonsense = 1' >> /etc/dsr-lb/dsr-lb.conf
	fact a_broken_reload_fails sh -c '! systemctl reload dsr-lb'
	fact and_the_daemon_goes_on systemctl is-active dsr-lb
	cp /out/good /etc/dsr-lb/dsr-lb.conf
	for unit in dsr-lb dsr-agent; do
		pid=$(pid_of "$unit")
		kill -KILL "$pid"
		fact "${unit}_is_restarted_after_a_crash" wait_for is_new "$unit" "$pid"
		fact "${unit}_restarts" systemctl restart "$unit"
	done
	fact the_bpffs_stays_over_crash_and_restart bpffs_is_kept
	pid=$(pid_of dsr-lb)
	kill -STOP "$pid"
	fact the_watchdog_finds_a_hung_daemon wait_for is_new dsr-lb "$pid"
	fact agent_stops systemctl stop dsr-agent
	fact the_vip_is_gone sh -c '! ip address show dev lo | grep -q 198.51.100.10'
	fact lb_stops systemctl stop dsr-lb
	fact the_kept_state_stays test -e /run/dsr-lb/state.json
	fact the_bpffs_stays_over_stop bpffs_is_kept
	fact a_link_leads_root_nowhere link_is_not_followed
	fact lb_starts_again systemctl start dsr-lb
	fact the_bpffs_is_mounted_anew bpffs_mounted_once

	# A fresh host beside a balancer that is on another: two commands make it a real server.
	systemctl stop dsr-lb
	systemctl disable dsr-agent
	rm -r /etc/dsr-agent/*
	ip link add segment type bridge
	ip address add 192.0.2.21/24 dev segment
	ip address del 192.0.2.2/24 dev dsr0
	ip link set segment up
	for host in balancer client; do
		ip netns add $host
		ip link add to-$host master segment type veth peer name eth0 netns $host
		ip link set to-$host up
		ip -n $host link set eth0 up
	done
	ip -n balancer address add 192.0.2.2/24 dev eth0
	ip -n client address add 192.0.2.50/24 dev eth0
	ip -n client route add 198.51.100.10 dev eth0
	sed -i 's/dsr0/eth0/' /etc/dsr-lb/dsr-lb.conf
	dsr-lb keygen main master > /etc/dsr-lb/keys
	mkdir /run/balancer
	ip netns exec balancer dsr-lb run --runtime-dir /run/balancer --state-dir /run/balancer > /out/balancer 2>&1 &
	named_server fresh 198.51.100.10:80 < <(sleep infinity) > /out/server 2>&1 &
	token() { ip netns exec balancer dsr-lb token fresh --runtime-dir /run/balancer; }
	answers() { [[ $(ip netns exec client timeout 2 bash -c 'exec 3<> /dev/tcp/198.51.100.10/80 && read -r name <&3 && echo "$name"') == fresh ]]; }
	joins() { dsr-agent join --json "$(token)" | jq -e '. == { name: "fresh", vips: 1 }'; }
	fact a_fresh_host_joins joins
	fact it_is_enabled systemctl is-enabled dsr-agent
	fact its_key_is_roots_alone test "$(stat -c '%U %a' /etc/dsr-agent/key)" = 'root 600'
	fact it_serves_a_client wait_for answers
	fact a_second_join_is_refused sh -c 'dsr-agent join "$1"; test $? = 78' sh "$(token)"
END
chmod +x "$work/inside"

cat > "$work/fill" <<- 'END'
	#!/bin/bash
	set -e
	root=$1 work=${0%/*}
	cp -r "$work/install/." "$root/"
	mkdir -p "$root/etc/dsr-lb" "$root/etc/dsr-agent"
	cp "$work/inside" "$root/usr/local/bin/dsr-inside"
	cp "$work/install/named_server" "$root/usr/local/bin/"
	mkdir -p "$root/usr/local/share"
	cp -r "$work/keepalived" "$root/usr/local/share/"
	[[ ${XDP:-1} != 0 ]] || touch "$root/usr/local/share/without-bpf"
	"$root/usr/sbin/dsr-lb" keygen > "$root/etc/dsr-lb/keys"
	cp "$root/etc/dsr-lb/keys" "$root/etc/dsr-agent/key"
	chmod 600 "$root/etc/dsr-lb/keys" "$root/etc/dsr-agent/key"
	printf '[balancer]\ninterface = dsr0\n\n[virtual-server web]\nvip = 198.51.100.10\nport = 80\ncheck = agent\n' \
		> "$root/etc/dsr-lb/dsr-lb.conf"
	printf '[agent]\nbalancer = 192.0.2.2\nvip = 198.51.100.10\ninterface = dsr0\nreal-ip = 192.0.2.2\nlisten = 7378\ndrain-on-stop = 0\nunit = dsr-app\ncheck = exec:/bin/sh -c "cat /proc/self/status > /var/lib/dsr-agent/plugin"\n' \
		> "$root/etc/dsr-agent/dsr-agent.conf"
	printf '[Service]\nExecStart=/bin/sleep infinity\n' > "$root/etc/systemd/system/dsr-app.service"
	printf '[Unit]\nAfter=network.target\n[Service]\nType=exec\nExecStart=/usr/local/bin/dsr-inside\n' \
		> "$root/etc/systemd/system/dsr-inside.service"
	ln -sf ../dsr-inside.service "$root/etc/systemd/system/multi-user.target.wants/"
	# LeakSanitizer cannot trace a process that gained capabilities.
	if [[ -n ${SAN:-} ]]; then
		for unit in dsr-lb dsr-agent; do
			mkdir -p "$root/etc/systemd/system/$unit.service.d"
			printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' \
				> "$root/etc/systemd/system/$unit.service.d/sanitizer.conf"
		done
	fi
END
chmod +x "$work/fill"
container_start host "$work/fill" || [[ -e $work/host/facts ]] || {
	tail -n 5 "$work/host/console" | sed 's/^/# /'
	skip "systemd does not boot in a container here"
}
wait_until 150 gone "${topology_pids[0]}"
failed=0 number=0
while read -r line; do
	case $line in
	'ok '*) printf 'ok %d - %s\n' "$((++number))" "${line#ok }" ;;
	'not ok '*)
		failed=1
		printf 'not ok %d - %s\n' "$((++number))" "${line#not ok }"
		;;
	*) printf '%s\n' "$line" ;;
	esac
done < "$work/host/facts"
printf '1..%d\n' "$number"
grep -q '^end$' "$work/host/facts" || failed=1
if ((failed)); then
	sed 's/^/# /' "$work/host/journal" 2> /dev/null | tail -n 60
	tail -n 30 "$work/host/console" | sed 's/^/# /'
fi
exit "$failed"
