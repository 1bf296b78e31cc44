# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Path-MTU discovery through the VIP: behind a hop of 1,280 bytes between router and client, every
# answer begins too long. The router's error goes to the VIP, so to the balancer, and has to reach the
# server whose packet it quotes: no other can shorten its segments.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3
lb_and_agents_start
must wait_until 30 membership_is_quiet
# The router's end alone: the client still announces segments for 1,500 bytes.
must ip_on router link set clients mtu 1280
for idx in 1 2 3; do
	# A stack that probes by itself would recover without the error.
	must on "web$idx" sysctl -qw net.ipv4.tcp_mtu_probing=0
done
head -c 1000000 /dev/urandom > "$work/files/random"

# snmp HOST FILE NAME : one counter of the kernel; of /proc/net/snmp6 NAME alone, of snmp GROUP.NAME.
snmp() {
	if [[ $2 == snmp6 ]]; then
		on "$1" awk -v name="$3" '$1 == name { print $2 }' /proc/net/snmp6
	else
		on "$1" awk -v name="$3" '
			BEGIN { split(name, part, ".") }
			$1 != part[1] ":" { next }
			!column { for (i = 2; i <= NF; i++) if ($i == part[2]) column = i; next }
			{ print $column; exit }' /proc/net/snmp
	fi
}

# errors_heard FAMILY : by each server, in order.
errors_heard() {
	local idx
	for idx in 1 2 3; do
		if [[ $1 == 6 ]]; then
			snmp "web$idx" snmp6 Icmp6InPktTooBigs
		else
			snmp "web$idx" snmp Icmp.InDestUnreachs
		fi
	done
}

# transfer ADDRESS : prints the server's name when the file came whole.
transfer() {
	local server
	server=$(on client curl -sS --max-time $((8 * SLOW)) -o "$work/got" -w '%header{x-server}' \
		"http://$1/files/random") || return 1
	cmp "$work/files/random" "$work/got" || return 1
	printf '%s\n' "$server"
}

# transfers ADDRESS FAMILY : new connections until each server has served; what they say is in the globals.
transfers() {
	local try server idx before after
	served=() astray=0 failed=0 unheard=0
	for ((try = 0; try < 40; try++)); do
		mapfile -t before < <(errors_heard "$2")
		server=$(transfer "$1") || {
			failed=$((failed + 1))
			continue
		}
		mapfile -t after < <(errors_heard "$2")
		for idx in 1 2 3; do
			if [[ web$idx != "$server" ]]; then
				astray=$((astray + after[idx - 1] - before[idx - 1]))
			elif [[ ! " ${served[*]} " == *" $server "* ]]; then
				served+=("$server")
				((after[idx - 1] > before[idx - 1])) || unheard=$((unheard + 1))
			fi
		done
		((${#served[@]} < 3 || try < 9)) || break
	done
	note "$((try + 1)) transfers, served by ${served[*]}; errors heard: $(errors_heard "$2" | tr '\n' ' ')"
}

for family in 4 6; do
	address=$VIP
	[[ $family == 4 ]] || address="[$VIP6]"
	transfers "$address" "$family"
	fact "all_transfers_recover_over_ipv$family" equal "$failed" 0
	fact "every_server_has_served_over_ipv$family" equal "${#served[@]}" 3
	fact "the_error_reaches_the_server_that_it_is_about_over_ipv$family" equal "$unheard" 0
	fact "no_error_reaches_another_over_ipv$family" equal "$astray" 0
done
fact the_router_did_refuse_long_packets at_least "$(snmp router snmp Ip.FragFails)" 3
fact the_router_did_refuse_long_packets_of_ipv6 at_least "$(snmp router snmp6 Icmp6OutPktTooBigs)" 3
fact received_is_forwarded_passed_and_dropped equal \
	"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
