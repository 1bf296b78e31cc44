# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A network for one scenario, each host a network namespace of its own:
#
#     client ── router ──┬── lb        one L2 segment: a bridge in a namespace
#                        ├── lb2 …     (with `--balancers 2` to 8)
#                        ├── web1 … webN   nginx on port 80, saying who it is
#
#   topology_up [--webs N] [--balancers 1…8] [--two-interfaces] [--no-nginx]
#
# Offloads stay as they come, but at the switch's port to a balancer with native XDP (serve_xdp below).
# Names begin with $DSR_TEST_RUN, so that several runs live beside each other and a leftover is
# known. Everything is undone when the scenario ends, however it ends.
# With --two-interfaces the balancer meets clients on eth0, in a segment with the router, and the
# servers on eth1, in theirs; the servers reach the router by a port of its own.

set -u -o pipefail
BUILD=${BUILD:-build}
# A scenario that is run by hand begins once more under its name, which its processes have from their first moment then: one
# that was only forked has the shell's first environment, and would be somebody else's (gone, below).
[[ -n ${DSR_TEST_RUN:-} || ! -f $0 ]] || DSR_TEST_RUN=dsr$$ exec bash "$0" "$@"
export DSR_TEST_RUN=${DSR_TEST_RUN:-dsr$$} SAN=${SAN:-}
# The engine of the balancers: packet, xdp, tc; empty: what they choose.
MODE=${MODE:-}
netns_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/netns/facts.bash
. "$netns_dir/facts.bash"
# shellcheck source=tests/netns/daemons.bash
. "$netns_dir/daemons.bash"
# shellcheck source=tests/netns/tools.bash
. "$netns_dir/tools.bash"
# shellcheck source=tests/netns/counters.bash
. "$netns_dir/counters.bash"

VIP=198.51.100.10
VIP2=198.51.100.11
VIP6=2001:db8:f::10
CLIENT=203.0.113.2
CLIENT6=2001:db8:1::2
ROUTER=192.0.2.1
LB=192.0.2.2
LB2=192.0.2.3
LB6=2001:db8:2::2

topology_hosts=()
topology_pids=()
topology_webs=0
work=

# The namespace of a host.
ns() {
	printf '%s-%s' "$DSR_TEST_RUN" "$1"
}

# Starting a process is what most scenarios spend most of their time on, and a subshell is one: what runs often
# does without.

# on HOST COMMAND… : runs it there.
on() {
	nsenter --net="/run/netns/$DSR_TEST_RUN-$1" "${@:2}"
}

# ip_on HOST ARGUMENT… : ip(8) there.
ip_on() {
	ip -n "$DSR_TEST_RUN-$1" "${@:2}"
}

# start_on HOST LOG COMMAND… : in the background; the process id is in $started.
start_on() {
	local host=$1 log=$2
	shift 2
	nsenter --net="/run/netns/$DSR_TEST_RUN-$host" "$@" >> "$log" 2>&1 < /dev/null &
	started=$!
	topology_pids+=("$started")
	disown "$started"
}

# Whether a remembered process is still the one that we started: numbers come round again. By its
# environment, or (nginx writes over that) by its network.
ours() {
	local word
	while IFS= read -rd '' word; do
		[[ $word != "DSR_TEST_RUN=$DSR_TEST_RUN" ]] || return 0
	done 2> /dev/null < "/proc/$1/environ"
	[[ $(ip netns identify "$1" 2> /dev/null) == "$DSR_TEST_RUN"-* ]]
}

# signal_pid PID SIGNAL : to a process of ours, and to nobody else.
signal_pid() {
	ours "$1" && kill "-$2" "$1" 2> /dev/null
}

# stop_pid PID [SIGNAL] : ends it and waits until it is gone.
stop_pid() {
	signal_pid "$1" "${2:-TERM}" || return 0
	wait_until 20 gone "$1"
}

# A process that was killed loses its environment first, and its files and locks later: it is gone when its number is free, or
# somebody else's. By one look: one that is about to become a program has no environment for a moment, and then its own.
gone() {
	local words=()
	[[ -e /proc/$1 ]] || return 0
	mapfile -d '' words 2> /dev/null < "/proc/$1/environ"
	((${#words[@]} > 0)) && [[ " ${words[*]} " != *" DSR_TEST_RUN=$DSR_TEST_RUN "* ]] &&
		[[ $(ip netns identify "$1" 2> /dev/null) != "$DSR_TEST_RUN"-* ]]
}

web_address() {
	printf '192.0.2.%d' "$((10 + ${1#web}))"
}

web_address6() {
	printf '2001:db8:2::%x' "$((16#100 + ${1#web}))"
}

mac_of() {
	ip_on "$1" -j link show dev "${2:-eth0}" | jq -r '.[0].address'
}

# add_host NAME : with nothing but its loopback interface.
add_host() {
	ip netns add "$DSR_TEST_RUN-$1"
	topology_hosts+=("$1")
	on "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.default.accept_ra=0
	ip_on "$1" link set lo up
}

# wire HOST INTERFACE SWITCH PORT [ADDRESS/LEN…] : plugs a host into a switch.
wire() {
	ip_on "$3" -batch - <<- END
		link add $4 type veth peer name $2 netns $DSR_TEST_RUN-$1
		link set $4 master br0 up
	END
	[[ $MODE != xdp || $1 != lb* ]] || must serve_xdp "$3" "$4"
	ip_on "$1" link set "$2" up
	(($# == 4)) || addresses "$1" "$2" "${@:5}"
}

# serve_xdp SWITCH PORT : makes a switch's port like the wire before a real card, for native XDP at its
# other end: frames have finished checksums and their tags inside, and what XDP_TX sends is taken
# (drivers/net/veth.c:veth_xdp_xmit wants a program, or GRO, at the receiver).
serve_xdp() {
	on "$1" ethtool -K "$2" tx off txvlan off tx-vlan-stag-hw-insert off > /dev/null &&
		on "$1" "$BUILD/tests/harness/xdp_pass" "$2"
}

add_switch() {
	add_host "$1"
	ip_on "$1" -batch - <<- END
		link add br0 type bridge forward_delay 0 mcast_snooping 0
		link set br0 up
	END
}

# addresses HOST INTERFACE ADDRESS/LEN…
addresses() {
	local address lines=''
	for address in "${@:3}"; do
		lines+="address add $address dev $2"
		[[ $address != *:* ]] || lines+=' nodad'
		lines+=$'\n'
	done
	ip_on "$1" -batch - <<< "$lines"
}

# default_routes HOST GATEWAY GATEWAY6
default_routes() {
	ip_on "$1" -batch - <<- END
		route add default via $2
		route add default via $3
	END
}

add_client_and_router() {
	add_host client
	add_host router
	ip_on client -batch - <<- END
		link add eth0 type veth peer name clients netns $DSR_TEST_RUN-router
		link set eth0 up
	END
	ip_on router link set clients up
	on client sysctl -qw net.ipv4.ip_local_port_range='10000 65000' net.ipv4.tcp_tw_reuse=1
	addresses client eth0 "$CLIENT/24" "$CLIENT6/64"
	addresses router clients 203.0.113.1/24 2001:db8:1::1/64
	default_routes client 203.0.113.1 2001:db8:1::1
	wire router eth0 switch router "$ROUTER/24" 2001:db8:2::1/64
	# In a burst of new connections every SYN waits for one ARP answer: let the queue be long.
	on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.neigh.eth0.unres_qlen_bytes=4000000 net.ipv6.neigh.eth0.unres_qlen_bytes=4000000
	# The VIPs are on the link: the router asks who has them.
	ip_on router -batch - <<- END
		route add 198.51.100.0/24 dev eth0
		route add 2001:db8:f::/64 dev eth0
	END
}

add_balancer() {
	add_host "$1"
	wire "$1" eth0 switch "$1" "$2/24" "$3/64"
	default_routes "$1" "$ROUTER" 2001:db8:2::1
}

# The servers' segment apart from the clients': the balancer's second leg.
add_second_leg() {
	add_switch backswitch
	wire lb eth1 backswitch lb 10.9.0.2/24 2001:db8:9::2/64
	wire router eth1 backswitch router 10.9.0.1/24 2001:db8:9::1/64
}

add_web() {
	local name=web$1
	add_host "$name"
	if [[ -n $topology_two_interfaces ]]; then
		wire "$name" eth0 backswitch "$name" "10.9.0.$((10 + $1))/24" "2001:db8:9::$(printf %x $((16#100 + $1)))/64"
		default_routes "$name" 10.9.0.1 2001:db8:9::1
	else
		wire "$name" eth0 switch "$name" "$(web_address "$name")/24" "$(web_address6 "$name")/64"
		default_routes "$name" "$ROUTER" 2001:db8:2::1
	fi
}

topology_up() {
	local webs=3 balancers=1 nginx=yes idx
	topology_two_interfaces=
	while (($#)); do
		case $1 in
		--webs) webs=$2 && shift ;;
		--balancers) balancers=$2 && shift ;;
		--two-interfaces) topology_two_interfaces=yes ;;
		--no-nginx) nginx= ;;
		esac
		shift
	done
	work=$(mktemp -d "${TMPDIR:-/tmp}/$DSR_TEST_RUN.XXXXXX") || exit 1
	chmod 755 "$work"
	trap topology_down EXIT
	trap 'exit 143' TERM INT HUP
	daemons_prepare
	set -e
	add_switch switch
	add_client_and_router
	add_balancer lb "$LB" "$LB6"
	for ((idx = 2; idx <= balancers; idx++)); do
		add_balancer "lb$idx" "192.0.2.$((idx + 1))" "2001:db8:2::$((idx + 1))"
	done
	[[ -z $topology_two_interfaces ]] || add_second_leg
	[[ -z $nginx ]] || nginx_files
	topology_webs=$webs
	for ((idx = 1; idx <= webs; idx++)); do
		add_web "$idx"
		[[ -z $nginx ]] || nginx_start "web$idx"
	done
	set +e
}

# The files that all servers serve; sparse, so they cost no disk.
nginx_files() {
	mkdir -p "$work/files"
	truncate -s 100M "$work/files/100M"
	truncate -s 1M "$work/files/1M"
	truncate -s 500k "$work/files/500k"
}

# `/` says the server's name; /files/ has files, /slow/ has them at 50 kB/s, /paced/ at ?rate=BYTES a
# second, /upload/ takes them. With an ADDRESS it listens there alone.
# nginx_start NAME [ADDRESS]
nginx_start() {
	local name=$1 dir=$work/$1
	mkdir -p "$dir/upload" "$dir/body"
	chmod 777 "$dir/upload" "$dir/body"
	cat > "$dir/nginx.conf" <<- END
		daemon off;
		user nobody;
		worker_processes 1;
		pid $dir/nginx.pid;
		error_log $dir/nginx.log warn;
		events { worker_connections 8192; }
		http {
			access_log off;
			default_type application/octet-stream;
			client_body_temp_path $dir/body;
			client_max_body_size 200m;
			sendfile on;
			server {
				listen 80 backlog=4096;
				listen [::]:80 backlog=4096;
				add_header X-Server $name always;
				location = / { return 200 "$name\n"; }
				location /files/ { alias $work/files/; }
				location /slow/ { alias $work/files/; limit_rate 50k; }
				location /paced/ { alias $work/files/; limit_rate \$arg_rate; }
				location /upload/ { alias $dir/upload/; dav_methods PUT; }
			}
		}
	END
	sed -i 's/^user nobody;/user nobody nogroup;/' "$dir/nginx.conf"
	getent group nogroup > /dev/null || sed -i 's/ nogroup;/;/' "$dir/nginx.conf"
	[[ -z ${2:-} ]] || sed -i "s/listen 80 /listen $2:80 /; /listen \[::\]/d" "$dir/nginx.conf"
	start_on "$name" "$dir/nginx.out" nginx -p "$dir" -e "$dir/nginx.log" -c "$dir/nginx.conf"
	printf -v "nginx_pid_$name" '%s' "$started"
	must wait_until 20 on "$name" curl -sf -o /dev/null "http://${2:-127.0.0.1}/"
}

# fetch PATH [CURL ARGUMENTS…] : by the client, through the VIP.
fetch() {
	local path=$1
	shift
	on client curl -sS --max-time $((60 * SLOW)) "$@" "http://$VIP$path"
}

# lost_of COUNT HOST : how many of so many requests at once, each by a connection of its own, the client gets no answer to.
lost_of() {
	local answered
	answered=$(on client curl -sS --no-progress-meter --max-time 3 -Z --parallel-immediate --parallel-max "$1" -H 'Connection: close' \
		-w '%{http_code}\n' -o /dev/null "http://$2/?[1-$1]" 2> /dev/null | grep -c '^200$')
	printf '%d' $(($1 - answered))
}

# answer_names HOST[:PORT] REQUESTS : who answers the client, each request by a connection of its own; each name once.
answer_names() {
	on client curl -sS --no-progress-meter --max-time $((60 * SLOW)) -Z --parallel-max 20 -H 'Connection: close' \
		"http://$1/?[1-$2]" | sort -u | tr '\n' ' '
}

# transfers_start [FILE] : 200 downloads at 50 kB/s, in the background: 20 seconds of 1M, 10 of 500k.
transfers_start() {
	transfers_file=${1:-1M}
	: > "$work/transfers"
	start_on client "$work/transfers" curl -sS --no-progress-meter -Z --parallel-immediate --parallel-max 200 \
		--max-time 120 -w '%{http_code} %{size_download} %{exitcode}\n' \
		-o /dev/null "http://$VIP/slow/$transfers_file?[1-200]"
	transfers_pid=$started
	must wait_until 30 transfers_are_open
}

# As the client's kernel sees them.
transfers_are_open() {
	(($(on client ss -Htn state established dst "$VIP" | wc -l) == 200))
}

# When they have ended.
transfers_are_whole() {
	equal "$(sort "$work/transfers" | uniq -c | awk '{ $1 = $1 } 1' | head)" \
		"200 200 $(stat -c %s "$work/files/$transfers_file") 0"
}

is_empty() {
	[[ -z $(ip netns pids "$(ns "$1")" 2> /dev/null) ]]
}

# Everything ends before the balancers, which an agent tells that it leaves, again and again while there is
# no answer.
topology_end() {
	local pid name host deadline=$(($(now_ms) + 3000 * SLOW))
	declare -A balancers=()
	for name in "${!daemon_pid[@]}"; do
		[[ $name != lb* ]] || balancers[${daemon_pid[$name]}]=yes
	done
	for pid in "${topology_pids[@]}"; do
		signal_pid "$pid" CONT
		[[ -n ${balancers[$pid]:-} ]] || signal_pid "$pid" TERM
	done
	for host in "${topology_hosts[@]}"; do
		[[ $host == lb* ]] || until is_empty "$host" || (($(now_ms) > deadline)); do
			sleep 0.02
		done
	done
	for pid in "${!balancers[@]}"; do
		signal_pid "$pid" TERM
	done
	# What a namespace still holds was started by us: the namespaces are ours alone.
	for host in "${topology_hosts[@]}"; do
		[[ $host != lb* ]] || wait_until 3 is_empty "$host" > /dev/null
		for pid in $(ip netns pids "$(ns "$host")" 2> /dev/null); do
			kill -KILL "$pid" 2> /dev/null
			wait_until 5 gone "$pid" > /dev/null
		done
	done
}

# What is mounted in our folder, the last first: a program that was killed leaves its own there.
folder_unmount() {
	local at
	while read -r at; do
		umount "$at" || umount --lazy "$at"
	done < <(awk -v folder="$work/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | tac)
}

topology_down() {
	local status=$? host pid
	trap '' TERM INT HUP PIPE
	trap - EXIT
	set +e
	if ((status != 0 || facts_failed)); then
		daemons_tell
	fi
	((facts_number == 0)) || printf '1..%d\n' "$facts_number"
	topology_end
	for host in "${topology_hosts[@]}"; do
		ip netns del "$DSR_TEST_RUN-$host"
	done
	folder_unmount
	daemons_sanitizer_reports || facts_failed=$((facts_failed + 1))
	if [[ -n ${KEEP:-} ]]; then
		printf '# logs are kept in %s\n' "$work"
	else
		rm -rf "$work"
	fi
	((status != 0 || facts_failed == 0)) || status=1
	exit "$status"
}
