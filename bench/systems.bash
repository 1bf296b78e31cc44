# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The systems that are measured: how each is started. A start_KIND function gets the system's name
# and its own arguments, leaves in $started the process whose CPU time counts beside the polling
# thread's (none: empty), and in $why the reason when it cannot be had. Sourced by bench/run.

# system NAME KIND [ARGUMENT…] : starts it; a row of a system that cannot be had is skipped.
system() {
	local name=$1 kind=$2 pollers
	shift 2
	[[ -z ${system_port[$name]:-} ]] || return 0
	pair_add "$name"
	mkdir -p "$work/$name"
	started='' why=''
	if ! "start_$kind" "$name" "$@"; then
		system_why[$name]=${why:-it did not start; see its log: $(tail -n 1 "$work/$name/log" 2> /dev/null)}
		return
	fi
	pollers=$(pin_poller "$name" "${system_inner[$name]}" "$MEASURED_CPU") || {
		system_why[$name]="the polling of its port cannot be made a thread"
		return
	}
	system_pids[$name]=$pollers${started:+,$started}
	# Raw sockets receive on the CPU that sends, and V3 holds frames back until there are many.
	case $kind-${1:-} in
	packet_loop-* | dsr-packet | moving-packet) system_rate[$name]=paced ;;
	*) system_rate[$name]=full ;;
	esac
}

says_ready() {
	grep -q '^ready' "$work/$1/log"
}

start_bare() {
	start_on "$1" "$work/$1/log" "$BUILD/bench/attach" "$BUILD/bench/limit.bpf.o" "$2" \
		"${system_inner[$1]}" "$(backend_mac 1)"
	wait_until 5 says_ready "$1" || return
	# It only holds the program: nothing of its own runs.
	started=
}

start_packet_loop() {
	start_on "$1" "$work/$1/log" "$BUILD/bench/packet_loop" "$2" "${system_inner[$1]}" \
		"$(backend_mac 1)"
	wait_until 5 says_ready "$1"
}

start_forward() {
	local inner=${system_inner[$1]}
	on "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 \
		"net.ipv4.conf.$inner.rp_filter=0" net.ipv4.conf.all.send_redirects=0 \
		"net.ipv4.conf.$inner.send_redirects=0" &&
		ip -n "$(host "$1")" route add 10.100.0.0/16 via "$(backend_address 1)" &&
		ip -n "$(host "$1")" route add 10.0.0.0/8 via "$(backend_address 2)"
}

nftlb_config() {
	local idx separator=
	printf '{"farms": [{"name": "web", "family": "ipv4", "virtual-addr": "%s", "virtual-ports": "80",
		"mode": "dsr", "protocol": "tcp", "scheduler": "hash", "sched-param": "srcip srcport",
		"state": "up", "backends": [' "$FIRST_VIP"
	for ((idx = 1; idx <= BACKENDS; idx++)); do
		printf '%s{"name": "b%d", "ip-addr": "%s", "ether-addr": "%s", "weight": "1",
			"priority": "1", "state": "up"}' "$separator" "$idx" "$(backend_address "$idx")" "$(backend_mac "$idx")"
		separator=,
	done
	printf ']}]}\n'
}

nftlb_writes() {
	on "$1" nftlb -e -c "$work/$1/nftlb.json" > "$work/$1/log" 2>&1 &&
		on "$1" nft list ruleset | grep -q 'fwd to'
}

# It writes its rules and may go: the kernel does the rest.
start_nftlb() {
	command -v nftlb > /dev/null || {
		why="no nftlb here"
		return 1
	}
	# It looks for the interface that has the address.
	ip -n "$(host "$1")" address add "$FIRST_VIP/32" dev "${system_inner[$1]}"
	nftlb_config > "$work/$1/nftlb.json"
	wait_until 10 nftlb_writes "$1" || {
		why="nftlb wrote no forwarding rule"
		return 1
	}
}

start_ipvs() {
	local idx
	modprobe -q ip_vs 2> /dev/null
	[[ -e /proc/net/ip_vs ]] || {
		why="this kernel has no IPVS"
		return 1
	}
	command -v ipvsadm > /dev/null || {
		why="no ipvsadm here"
		return 1
	}
	modprobe -q ip_vs_sh 2> /dev/null
	ip -n "$(host "$1")" address add "$FIRST_VIP/32" dev lo
	# Its connections begin with any segment, as they are open when the measurement begins.
	on "$1" sysctl -qw net.ipv4.vs.sloppy_tcp=1 net.ipv4.conf.all.rp_filter=0 \
		"net.ipv4.conf.${system_inner[$1]}.rp_filter=0" || return
	ip -n "$(host "$1")" route add 10.0.0.0/8 via "$(backend_address 2)"
	on "$1" ipvsadm -A -t "$FIRST_VIP:80" -s sh -b sh-port > "$work/$1/log" 2>&1 || return
	for ((idx = 1; idx <= BACKENDS; idx++)); do
		on "$1" ipvsadm -a -t "$FIRST_VIP:80" -r "$(backend_address "$idx")" -g >> "$work/$1/log" 2>&1 || return
	done
}

# The N-th VIP, from 1 on: as bench/traffic.h counts.
vip() {
	printf '10.100.%d.%d' "$(($1 >> 8))" "$(($1 & 255))"
}

# dsr_config NAME MODE VIPS LINE… : as many virtual servers, each with its own VIP and these lines.
dsr_config() {
	local name=$1 mode=$2 vips=$3 idx servers lines
	shift 3
	servers=$(for ((idx = 1; idx <= BACKENDS; idx++)); do
		printf 'real-server = %s mac=%s name=b%d\n' "$(backend_address "$idx")" "$(backend_mac "$idx")" "$idx"
	done)
	lines=$(printf '%s\n' "$@")
	printf '[balancer]\ninterface = %s\nmode = %s\nworkers = 1\nkey-file = %s\nannounce = none\nhttp-listen = off\n' \
		"${system_inner[$name]}" "$mode" "$work/$name/keys"
	for ((idx = 1; idx <= vips; idx++)); do
		printf '\n[virtual-server v%d]\nvip = %s\nport = 80\ncheck = none\n%s\n%s\n' \
			"$idx" "$(vip "$idx")" "$lines" "$servers"
	done
}

dsr() {
	local name=$1 verb=$2
	shift 2
	on "$name" "$BUILD/dsr-lb" "$verb" --runtime-dir "$work/$name/run" --state-dir "$work/$name/state" "$@"
}

# Ready, and every backend is up; or ended.
dsr_is_decided() {
	! kill -0 "$started" 2> /dev/null || dsr "$1" ready
}

# start_dsr NAME MODE VIPS [LINE…]
start_dsr() {
	local name=$1
	mkdir -p "$work/$name/run" "$work/$name/state"
	"$BUILD/dsr-lb" keygen > "$work/$name/keys" && chmod 600 "$work/$name/keys"
	dsr_config "$@" > "$work/$name/lb.conf"
	start_on "$name" "$work/$name/log" "$BUILD/dsr-lb" run --config "$work/$name/lb.conf" \
		--runtime-dir "$work/$name/run" --state-dir "$work/$name/state"
	wait_until 120 dsr_is_decided "$name" || {
		why="not ready within two minutes: $(tail -n 1 "$work/$name/log")"
		return 1
	}
	kill -0 "$started" 2> /dev/null || {
		why=$(tail -n 1 "$work/$name/log")
		return 1
	}
	[[ $(dsr "$name" status --json | jq -r .mode) == "$2" ]] || {
		why="it runs in mode $(dsr "$name" status --json | jq -r .mode) instead: $(grep -m 1 -i "mode" "$work/$name/log")"
		return 1
	}
}

# A balancer that started with nothing looks at its flow table until membership has been quiet for some
# seconds: what is measured is the time after that.
membership_is_quiet() {
	[[ $(dsr "$1" status --json |
		jq '[.virtual_servers[0].backends[] | select(.name != "b10") | .since_s] | min > 8.5') == true ]]
}

wait_for_quiet() {
	[[ -z ${system_why[$1]:-} && -e $work/$1/lb.conf ]] || return 0
	wait_until 60 membership_is_quiet "$1" || system_why[$1]="its membership did not become quiet"
}

# Nine of ten backends, until the tenth joins (`join` of bench/run) and a tenth of the slots is moving.
start_moving() {
	start_dsr "$@" && dsr "$1" disable b10 >> "$work/$1/log" 2>&1
}
