# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# max-connections of an agent and of a static host under HTTP load on nginx. Who has that many gets no new connections, and is counted
# once a second (dsr-agent.conf(5), and of static hosts dsr-lb.conf(5)). By the last count below its ceiling it had at most one less,
# and what came to it since then began in that second: so none ever has more than its ceiling and what began in a second, and one
# that has been full for as long gets nothing new. The others take the rest, and nothing fails.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/requests.bash"

CEILING=15        # of web1, by its agent
STATIC_CEILING=10 # of web3, which has none
# A second, and what a count needs on its way where others run beside it.
COUNTED_MS=$((1300 * SLOW))
# 120 at a time, begun 33 a second, of four seconds each: a third of them would be 40 a server.
LOADS=24 EACH=5 PAUSE_MS=150 ROUNDS=2

topology_up --webs 3
truncate -s 200k "$work/files/200k"
on web3 sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
ip_on web3 address add "$VIP/32" dev lo
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP
	port = 80
	scheduler = rr
	real-server = $(web_address web3) name=web3 max-connections=$STATIC_CEILING
END
agent_configure web1 < <(agent_default_config web1 "$LB" "max-connections = $CEILING")
lb_start
agent_start web1
agent_start web2
must wait_until 20 backends_up 3
for name in web1 web2 web3; do
	kernel_watch "$name"
done

# All at once would be one burst, before anything is counted.
for ((idx = 0; idx < LOADS; idx++)); do
	requests_start "$EACH" "http://$VIP/paced/200k?rate=50k&[1-$((EACH * ROUNDS))]"
	sleep_ms "$PAUSE_MS"
done
is_full() {
	[[ $(backend_field effective_weight "$1") == 0 && $(backend_field state "$1") == up ]]
}
fact an_agent_that_has_as_many_is_full wait_until 10 is_full web1
fact a_static_that_has_as_many_is_full wait_until 10 is_full web3
must wait_until 60 requests_have_ended

for name in web1 web3; do
	ceiling=$CEILING
	[[ $name == web1 ]] || ceiling=$STATIC_CEILING
	peak=$(kernel_peak "$name")
	begun=$(kernel_begun_within "$name" "$COUNTED_MS")
	read -r late full_ms <<< "$(kernel_begun_full "$name" "$ceiling" "$COUNTED_MS")"
	note "$name: $peak connections at most, of a ceiling of $ceiling; at most $begun began in $COUNTED_MS ms; $late while it had been full for as long, in $full_ms ms"
	fact "${name}_has_no_more_than_its_ceiling_and_what_began_in_a_second" at_most "$peak" $((ceiling + begun))
	fact "${name}_reaches_its_ceiling" at_least "$peak" "$ceiling"
	fact "${name}_has_been_full_for_a_while" at_least "$full_ms" 500
	fact "${name}_gets_nothing_new_then" equal "$late" 0
done
peak=$(kernel_peak web2)
note "web2: $peak connections at most"
fact the_other_takes_the_rest at_least "$peak" $((LOADS * EACH - 2 * CEILING - 2 * STATIC_CEILING))
fact all_are_answered equal "$(wc -l < "$work/requests")" $((LOADS * EACH * ROUNDS))
fact nothing_fails requests_are_well
