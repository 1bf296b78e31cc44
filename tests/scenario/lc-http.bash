# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# scheduler = lc under HTTP load on three servers of unequal speed, the slowest four times slower than the fastest: what
# each has open stays near its share, though connections end and begin between the reports of the agents.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/requests.bash"

PARALLEL=150
SAMPLES=16
topology_up --webs 3
# Of many sizes: those of one begin and end together, in waves.
for size in {40..160..12}; do
	truncate -s "${size}k" "$work/files/${size}k"
done
declare -A rate=([web1]=20k [web2]=40k [web3]=80k)
for name in web1 web2 web3; do
	sed -i "s/limit_rate \\\$arg_rate/limit_rate ${rate[$name]}/" "$work/$name/nginx.conf"
	must signal_pid "$(cat "$work/$name/nginx.pid")" HUP
done
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP
	port = 80
	scheduler = lc
END
lb_start
agents_start
must wait_until 30 backends_up 3

requests_start "$PARALLEL" "http://load[1-2000]@$VIP/paced/[40-160:12]k"
# What the servers' kernels have, not what was told of it.
all_open() {
	(($(open_on web1) + $(open_on web2) + $(open_on web3) > PARALLEL * 9 / 10))
}
must wait_until 20 all_open
# The first batch came at once, before any report; it is gone when the slowest has served it.
sleep $((6 * SLOW))
sum=(0 0 0)
widest=0
for ((sample = 0; sample < SAMPLES; sample++)); do
	now=("$(open_on web1)" "$(open_on web2)" "$(open_on web3)")
	total=$((now[0] + now[1] + now[2]))
	for idx in 0 1 2; do
		sum[idx]=$((sum[idx] + now[idx]))
		off=$(((now[idx] * 3 - total) * 100 / total))
		((${off#-} <= widest)) || widest=${off#-}
	done
	note "open: ${now[*]}"
	sleep 0.5
done
total=$((sum[0] + sum[1] + sum[2]))
note "widest of all samples: $widest % of a share"
for idx in 0 1 2; do
	fact "web$((idx + 1))_has_its_share" at_most \
		"$(((sum[idx] * 3 - total) * 100 / total * ((sum[idx] * 3 > total) * 2 - 1)))" 15
done
requests_stop
fact nothing_failed requests_are_well
