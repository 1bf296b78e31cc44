# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What is measured, in groups that run alone: `make bench BENCH="xdp packet"`. A group starts its
# systems, names rows (a system under some traffic) and says which floor a row must keep. Every
# group has `bare XDP_TX`, which all others are put in relation to. Sourced by bench/run.

GROUPS_ALL=(xdp xdp-recorded xdp-churn xdp-growth xdp-sizes packet packet-recorded packet-churn packet-growth
	packet-sizes tc kernel savings latency control)

LONG='tcp-timeout = 24h'
LONG_UDP='udp-timeout = 24h'
K64=65536
M1=1000000

bare_row() {
	system bare-xdp bare xdp
	row 'bare XDP_TX' bare-xdp "flows=$K64 kind=ack"
}

nftlb_row() {
	system nftlb nftlb
	row 'nftlb DSR' nftlb "flows=$K64 kind=ack"
}

loop_row() {
	system loop-v3 packet_loop v3
	row 'bare AF_PACKET V3' loop-v3 "flows=$K64 kind=ack"
	system loop-v2 packet_loop v2
	row 'bare AF_PACKET V2' loop-v2 "flows=$K64 kind=ack"
}

# Rows of the same name and traffic in the modes xdp and packet.

settled_rows() {
	system "$1-sessionless" dsr "$1" 1 'sessionless = yes'
	row "$1 sessionless 64k" "$1-sessionless" "flows=$K64 kind=ack"
	system "$1-tcp" dsr "$1" 1 "$LONG"
	row "$1 tcp settled 64k" "$1-tcp" "flows=$K64 kind=ack"
	row "$1 tcp settled 1M" "$1-tcp" "flows=$M1 kind=ack"
	system "$1-udp" dsr "$1" 1 'protocol = udp' "$LONG_UDP"
	row "$1 udp settled 64k" "$1-udp" "flows=$K64 kind=udp"
	row "$1 udp settled 1M" "$1-udp" "flows=$M1 kind=udp"
}

# recorded_pair MODE NAME PROTOCOL KIND LINE... : tables that hold so many flows, and no others.
recorded_pair() {
	local mode=$1 name=$2 protocol=$3 kind=$4
	shift 4
	system "$mode-$name" dsr "$mode" 1 "$@"
	establish "$mode-$name" "$protocol" "$K64"
	row "$mode recorded $name 64k" "$mode-$name" "flows=$K64 kind=$kind"
	system "$mode-$name-1M" dsr "$mode" 1 "$@"
	establish "$mode-$name-1M" "$protocol" "$M1"
	row "$mode recorded $name 1M" "$mode-$name-1M" "flows=$M1 kind=$kind"
}

recorded_rows() {
	recorded_pair "$1" rr tcp ack "$LONG" 'scheduler = rr'
	system "$1-lc" dsr "$1" 1 "$LONG" 'scheduler = lc'
	establish "$1-lc" tcp "$K64"
	row "$1 recorded lc 64k" "$1-lc" "flows=$K64 kind=ack"
	recorded_pair "$1" udp udp udp 'protocol = udp' "$LONG_UDP" 'scheduler = rr'
}

churn_rows() {
	system "$1-moving" moving "$1" 1 "$LONG"
	establish "$1-moving" tcp "$K64" 0
	join "$1-moving"
	row "$1 tcp a tenth moving 64k" "$1-moving" "flows=$K64 kind=ack" silent=10
	system "$1-tcp" dsr "$1" 1 "$LONG"
	row "$1 tcp half SYN flood" "$1-tcp" "flows=$K64 kind=ack syn-percent=50"
}

growth_rows() {
	local vips
	system "$1-tcp" dsr "$1" 1 "$LONG"
	row "$1 tcp settled 1" "$1-tcp" "flows=1 kind=ack"
	row "$1 tcp settled 64k" "$1-tcp" "flows=$K64 kind=ack"
	row "$1 tcp settled 1M" "$1-tcp" "flows=$M1 kind=ack"
	for vips in 100 5000; do
		system "$1-vips-$vips" dsr "$1" "$vips" "$LONG"
		row "$1 $vips virtual servers 64k" "$1-vips-$vips" "flows=$K64 vips=$vips kind=ack"
	done
	floor "$1 5000 virtual servers 64k" "$1 tcp settled 64k" 0.91
}

group_xdp() {
	bare_row
	settled_rows xdp
	nftlb_row
	floor 'xdp sessionless 64k' 'bare XDP_TX' 0.70
	floor 'xdp tcp settled 64k' 'bare XDP_TX' 0.68
	floor 'xdp tcp settled 1M' 'bare XDP_TX' 0.66
	floor 'xdp tcp settled 64k' 'nftlb DSR' 4.5
	floor 'xdp udp settled 64k' 'bare XDP_TX' 0.66
	floor 'xdp udp settled 1M' 'bare XDP_TX' 0.62
}

group_xdp-recorded() {
	bare_row
	recorded_rows xdp
	nftlb_row
	local kind
	for kind in rr udp; do
		floor "xdp recorded $kind 64k" 'bare XDP_TX' 0.42
		floor "xdp recorded $kind 1M" 'bare XDP_TX' 0.38
		floor "xdp recorded $kind 64k" 'nftlb DSR' 2.8
	done
	floor 'xdp recorded lc 64k' 'bare XDP_TX' 0.42
}

group_xdp-churn() {
	bare_row
	churn_rows xdp
	floor 'xdp tcp a tenth moving 64k' 'bare XDP_TX' 0.60
}

group_xdp-growth() {
	bare_row
	growth_rows xdp
}

group_xdp-sizes() {
	system bare-xdp bare xdp
	row 'bare XDP_TX' bare-xdp "flows=$K64 kind=ack size=imix"
	system xdp-tcp dsr xdp 1 "$LONG"
	row 'xdp tcp settled 64k IMIX' xdp-tcp "flows=$K64 kind=ack size=imix"
	system nftlb nftlb
	row 'nftlb DSR IMIX' nftlb "flows=$K64 kind=ack size=imix"
}

group_packet() {
	bare_row
	loop_row
	settled_rows packet
	local row
	for row in 'packet sessionless 64k' 'packet tcp settled 64k' 'packet tcp settled 1M' 'packet udp settled 64k'; do
		floor "$row" 'bare AF_PACKET V2' 0.93
		floor "$row" 'bare AF_PACKET V3' 0.93
	done
}

group_packet-recorded() {
	bare_row
	loop_row
	recorded_rows packet
	floor 'packet recorded rr 64k' 'bare AF_PACKET V2' 0.93
	floor 'packet recorded udp 64k' 'bare AF_PACKET V2' 0.93
}

group_packet-churn() {
	bare_row
	loop_row
	churn_rows packet
}

group_packet-growth() {
	bare_row
	growth_rows packet
}

group_packet-sizes() {
	system bare-xdp bare xdp
	row 'bare XDP_TX' bare-xdp "flows=$K64 kind=ack size=imix"
	system loop-v2 packet_loop v2
	row 'bare AF_PACKET V2 IMIX' loop-v2 "flows=$K64 kind=ack size=imix"
	system packet-tcp dsr packet 1 "$LONG"
	row 'packet tcp settled 64k IMIX' packet-tcp "flows=$K64 kind=ack size=imix"
	floor 'packet tcp settled 64k IMIX' 'bare AF_PACKET V2 IMIX' 0.93
}

group_tc() {
	bare_row
	system bare-tc bare tc
	row 'bare tc redirect' bare-tc "flows=$K64 kind=ack"
	system tc-tcp dsr tc 1 "$LONG"
	row 'tc tcp settled 64k' tc-tcp "flows=$K64 kind=ack"
	system tc-rr dsr tc 1 "$LONG" 'scheduler = rr'
	establish tc-rr tcp "$K64"
	row 'tc recorded rr 64k' tc-rr "flows=$K64 kind=ack"
	nftlb_row
	floor 'tc tcp settled 64k' 'bare tc redirect' 0.80
	floor 'tc tcp settled 64k' 'nftlb DSR' 1.2
}

group_kernel() {
	bare_row
	nftlb_row
	system forward forward
	row 'kernel IP forwarding' forward "flows=$K64 kind=ack"
	system ipvs ipvs
	row 'IPVS DR' ipvs "flows=$K64 kind=ack"
	system xdp-tcp dsr xdp 1 "$LONG"
	row 'xdp tcp settled 64k' xdp-tcp "flows=$K64 kind=ack"
	floor 'xdp tcp settled 64k' 'IPVS DR' 4.5
}

group_savings() {
	values bench/savings
}

group_latency() {
	values bench/latency
}

# The control plane's own measure, where there is one: a script here, or a program that was built.
group_control() {
	if [[ -e bench/control ]]; then
		values bench/control
	else
		values "$BUILD/bench/control"
	fi
}
