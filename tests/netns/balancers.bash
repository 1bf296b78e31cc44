# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# More than one balancer: what keepalived makes of them, how one dies and comes back, and whether clients notice. What
# is configured, the pages of doc/ and the files of packaging/ say. Sourced after topology.bash.

# Of routing daemons: all of a balancer's in one word.
declare -A keepalived_pid=() routing_pids=()

state_is() {
	[[ $(lb_json .state "$1") == "$2" ]]
}

# A server whose agent is silent for three heartbeats is out, with all of its connections: on a machine that gives nobody a second's
# time that happens to those that live, and what is told here is about balancers.
# shellcheck disable=SC2034
patience='heartbeat-fall = 10'

# ---- what a page says ----

# page_block PAGE HEADING KIND [NUMBER] : the code under a heading, its first block of that kind or another one.
page_block() {
	awk -v heading="## $2" -v begin="\`\`\`$3" -v wanted="${4:-1}" '
		/^## / { under = $0 == heading; n = 0 }
		inside && /^```/ { exit }
		inside { print; found = 1 }
		under && $0 == begin { inside = ++n == wanted }
		END { exit !found }' "$1"
}

# balancer_from_page NAME HEADING [SCRIPT [NUMBER]] : by the block of $PAGE of that number under the heading, with keys and patience
# and what the script of sed says.
balancer_from_page() {
	lb_configure "$1" < <(page_block "$PAGE" "$2" ini "${4:-1}" |
		sed -e "/^\[balancer\]/a key-file = $work/$1/keys\n$patience" -e "${3:-}")
}

# server_from_page NAME [SCRIPT] : the agent by the block of $PAGE; and starts it.
server_from_page() {
	agent_configure "$1" < <(page_block "$PAGE" "On the real servers" ini |
		sed -e "/^\[agent\]/a key-file = $work/$1/key\nname = $1" -e "${2:-}")
	agent_start "$1"
}

# all_have_joined COUNT NAME… : so many servers are up at each of these balancers, and have been for a while.
all_have_joined() {
	local name
	for name in "${@:2}"; do
		must wait_until 30 backends_up "$1" "$name"
		must wait_until 20 membership_is_quiet "$name"
	done
}

# as_page_says PAGE NAME COMMAND [ARGUMENT…] : does on this balancer what must stand on the page in these words.
as_page_says() {
	local words=()
	grep -qF -- "$3" "$1" || {
		note "not on $1: $3"
		return 1
	}
	printf '%s\n' "$3" >> "$work/page_done"
	read -ra words <<< "$3"
	dsr_lb "$2" "${words[@]:1}" "${@:4}"
}

# page_is_done PAGE : nothing that a balancer is told on it was left out.
page_is_done() {
	local command left=0
	while IFS= read -r command; do
		grep -qxF -- "$command" "$work/page_done" || {
			note "nobody did: $command"
			left=1
		}
	done < <(tr '\n' ' ' < "$1" | grep -oE '`dsr-lb [a-z][^`]*`|dsr-lb [a-z][a-z ]*  +#' | tr -d '`#' | sed 's/ *$//' | sort -u)
	return "$left"
}

# ---- keepalived ----

# keepalived_start NAME FILE [SCRIPT] : with the file of packaging/keepalived as it is, but for where the program is, and what
# the script of sed says.
keepalived_start() {
	local name=$1 dir=$work/keepalived-$1
	rm -rf "$dir"
	mkdir "$dir"
	cat > "$dir/ready" <<- END
		#!/bin/sh
		exec $work/bin/dsr-lb ready --runtime-dir $work/$name/run --state-dir $work/$name/state
	END
	chmod 755 "$dir/ready"
	sed "s|/usr/sbin/dsr-lb ready|$dir/ready|; s|/run/dsr-lb-ready|$work/$name/ready|; ${3:-}" "packaging/keepalived/$2" > "$dir/keepalived.conf"
	# Its own names for files are the host's: let it have a /run of its own.
	start_on "$name" "$dir/log" unshare --mount sh -c 'mount -t tmpfs none /run && exec "$@"' sh \
		keepalived --dont-fork --log-console --vrrp --use-file "$dir/keepalived.conf" \
		--pid "$dir/pid" --vrrp_pid "$dir/vrrp.pid"
	keepalived_pid[$name]=$started
}

# pair_start FILE [SCRIPT] : at both balancers, and the first is the master.
pair_start() {
	keepalived_start lb "$@"
	must wait_until 15 state_is lb active
	keepalived_start lb2 "$@"
	must wait_until 10 is_backup lb2
	must wait_until 10 try_connect "$VIP"
	must wait_until 10 try_connect "$VIP6"
}

# tracker_start NAME : the program of packaging/keepalived that writes for track.conf.
tracker_start() {
	local dir=$work/tracker-$1
	mkdir -p "$dir"
	cat > "$dir/dsr-lb" <<- END
		#!/bin/sh
		exec $work/bin/dsr-lb "\$@" --runtime-dir $work/$1/run --state-dir $work/$1/state
	END
	chmod 755 "$dir/dsr-lb"
	start_on "$1" "$dir/log" env "PATH=$dir:$PATH" packaging/keepalived/dsr-lb-track "$work/$1/ready"
}

# One that keepalived could make the master.
is_backup() {
	[[ $(grep -o 'Entering .* STATE' "$work/keepalived-$1/log" | tail -1) == *BACKUP* ]]
}

# ---- death and return ----

# processes_of NAME : the parents first, which would start other children.
processes_of() {
	local pid
	for pid in "${daemon_pid[$1]}" "${keepalived_pid[$1]:-}" ${routing_pids[$1]:-}; do
		[[ -z $pid ]] || printf '%s %s ' "$pid" "$(pgrep -P "$pid" | tr '\n' ' ')"
	done
}

# power_off NAME : its port and all its processes at once.
power_off() {
	local pid processes
	processes=$(processes_of "$1")
	ip_on "$1" link set eth0 down
	for pid in $processes; do
		signal_pid "$pid" KILL
	done
}

# power_on NAME : as a host that booted: without anything that was only in memory.
power_on() {
	local name=$1 number=${1#lb} interface
	wait_until 10 gone "${daemon_pid[$name]}"
	lb_forget "$name"
	ip_on "$name" address flush dev lo to "$VIP/32"
	ip_on "$name" -6 address flush dev lo to "$VIP6/128"
	for interface in $(ip_on "$name" -o link show type macvlan | cut -d ' ' -f 2); do
		ip_on "$name" link del "${interface%%@*}"
	done
	ip_on "$name" address flush dev eth0
	ip_on "$name" link set eth0 up
	number=$((${number:-1} + 1))
	addresses "$name" eth0 "192.0.2.$number/24" "2001:db8:2::$number/64"
	default_routes "$name" "$ROUTER" 2001:db8:2::1
	daemon_directories "$name" "$LB_UID"
	lb_pins "$name"
}

# ---- what clients see ----

# is_served_by NAME : as the router sees it, of both VIPs.
is_served_by() {
	local vip
	for vip in "$VIP" "$VIP6"; do
		[[ $(on router ip -j neigh show to "$vip" dev eth0 | jq -r '.[0].lladdr') == "$(mac_of "$1")" ]] || return 1
	done
}

# try_connect ADDRESS : a new connection, which is not patient.
try_connect() {
	timeout 0.15 ip netns exec "$(ns client)" bash -c "exec 3<> /dev/tcp/$1/80" 2> /dev/null
}

# served_within MS COMMAND… : after it, how long until a new connection to each VIP is answered.
served_within() {
	local limit=$1 begin took vip
	shift
	"$@"
	begin=$(now_ms)
	for vip in "$VIP" "$VIP6"; do
		until try_connect "$vip" || (($(now_ms) - begin > 20000)); do :; done
		took=$(($(now_ms) - begin))
		note "$vip is served again after $took ms"
	done
	at_most "$took" $((limit * SLOW))
}

# hold NAME ADDRESS:PORT COUNT : connections that talk twice in three seconds, all of them open. A segment that nobody forwarded
# comes again after twice the time at most that nobody did: they wait for more than that.
held_names=()
hold() {
	tool_start "$1" client connections "$2" "$3" 1500 40
	held_names+=("$1")
	must wait_until 60 connections_are "$1" ".open == $3"
}

# hold_both NAME COUNT COUNT6 [PORT] : to the VIPs of both families, as NAME and NAME6.
hold_both() {
	hold "$1" "$VIP:${4:-80}" "$2"
	hold "${1}6" "[$VIP6]:${4:-80}" "$3"
}

# release [NAME…] : ends all that is held, and other tools.
release() {
	local name
	for name in "${held_names[@]}" "$@"; do
		must stop_pid "${tool_pid[$name]}"
	done
	held_names=()
}

# all_talk : every one that is held, after now.
all_talk() {
	local name said result=0
	for name in "${held_names[@]}"; do
		said=$(tool_ask "$name" round)
		jq -e '.broken == 0 and .open == .wanted' <<< "$said" > /dev/null || {
			note "$name: $said"
			result=1
		}
	done
	return "$result"
}

# transfers_held VIP FILE : connections that say nothing before FILE is there, then ask for 300 kB each; prints how many got them.
transfers_held() {
	on client bash -c '
		for ((i = 0; i < 24; i++)); do exec {fds[i]}<> "/dev/tcp/$1/80" || exit 1; done
		: > "$2.open"
		until [[ -e $2 ]]; do read -rt 0.1 -u "${fds[0]}" && break; done
		for fd in "${fds[@]}"; do printf "GET /files/500k HTTP/1.0\r\n\r\n" >&"$fd"; done 2> /dev/null
		whole=0
		for fd in "${fds[@]}"; do
			(($(timeout 20 cat <&"$fd" 2> /dev/null | wc -c) > 500000)) && whole=$((whole + 1))
		done
		echo "$whole"' transfers "$1" "$2" > "$2.whole"
}

# ---- frames between the router and the servers ----

# Of requests: on one side as the router sends them, on the other as servers get them, whichever balancer was between.
frames_watched='' frames_lost_before=0 frames_missing_now=0
frames_watch() {
	local idx host
	if [[ -z $frames_watched ]]; then
		count_frames router eth0 egress requests "ip saddr $CLIENT ip daddr $VIP"
		on router nft add rule netdev count-requests egress ip6 saddr "$CLIENT6" ip6 daddr "$VIP6" counter name frames
		for ((idx = 1; idx <= topology_webs; idx++)); do
			host=web$idx
			count_frames "$host" eth0 ingress requests "ip saddr $CLIENT ip daddr $VIP"
			on "$host" nft add rule netdev count-requests ingress ip6 saddr "$CLIENT6" ip6 daddr "$VIP6" counter name frames
		done
		frames_watched=yes
	fi
	frames_count
	frames_lost_before=$frames_missing_now
}

# Asked while nobody sends.
frames_missing() {
	local sent idx arrived=0
	sent=$(counted router requests)
	for ((idx = 1; idx <= topology_webs; idx++)); do
		arrived=$((arrived + $(counted "web$idx" requests)))
	done
	printf '%d' "$((sent - arrived))"
}
held_signal() {
	local name
	for name in "${held_names[@]}"; do
		signal_pid "${tool_pid[$name]}" "$1"
	done
}
nothing_is_on_its_way() {
	local before
	before=$(counted router requests)
	frames_missing_now=$(frames_missing)
	sleep_ms 50
	[[ $(counted router requests) == "$before" && $(frames_missing) == "$frames_missing_now" ]]
}
frames_count() {
	held_signal STOP
	wait_until 3 nothing_is_on_its_way
	held_signal CONT
}

# frames_lost_at_most N : since frames_watch.
frames_lost_at_most() {
	frames_count
	note "$((frames_missing_now - frames_lost_before)) frames lost"
	at_most $((frames_missing_now - frames_lost_before)) "$1"
}

# ---- routing daemons ----

# bird_start HOST FILE : with the file of packaging/bird as it is, but for where it logs.
bird_start() {
	sed 's/^log syslog all/log stderr all/' "packaging/bird/$2" > "$work/bird-$1.conf"
	start_on "$1" "$work/bird-$1.log" bird -f -c "$work/bird-$1.conf" -s "$work/bird-$1.ctl" -P "$work/bird-$1.pid"
	routing_pids[$1]=$started
}

# frr_start HOST FILE : zebra and bgpd with the file of packaging/frr, in a /run of their own.
frr_start() {
	# shellcheck disable=SC2016
	start_on "$1" "$work/frr-$1.log" unshare --mount sh -c '
		mount -t tmpfs none /run && mkdir -m 755 /run/frr && chown frr:frr /run/frr || exit 1
		trap "kill \$zebra \$bgpd; wait; exit" TERM
		/usr/lib/frr/zebra -f /dev/null --log stdout & zebra=$!
		until [ -S /run/frr/zserv.api ]; do sleep 0.1; done
		/usr/lib/frr/bgpd -f /dev/null --log stdout & bgpd=$!
		until vtysh -c "show bgp summary" > /dev/null 2>&1; do sleep 0.1; done
		vtysh -f "$1"
		wait' sh "$PWD/packaging/frr/$2"
	routing_pids[$1]=$started
}

# ways N : so many to each VIP, as the router's kernel has it.
ways() {
	[[ $(ip_on router route show "$VIP" | grep -c 'via 192') == "$1" &&
		$(ip_on router -6 route show "$VIP6" | grep -c 'via ') == "$1" ]]
}

# The router has no other way to the VIPs, and shares by addresses and ports.
router_learns() {
	ip_on router route del 198.51.100.0/24 dev eth0
	ip_on router -6 route del 2001:db8:f::/64 dev eth0
	# shellcheck disable=SC2046
	on router $(page_block doc/many-balancers.md "The router" sh) > /dev/null
}
