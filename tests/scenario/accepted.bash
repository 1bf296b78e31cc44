# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Servers whose path probes pass and whose clients come to nothing: out, with how many SYNs came to nothing, and back.
# A flood of SYNs that servers answer takes nobody out, nor do SYNs that no server would answer.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
# web3 has no agent: what its administrator does by hand.
on web3 sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
ip_on web3 address add "$VIP/32" dev lo
# What the servers answer to nobody ends at the router, without a word about it.
ip_on router route add blackhole 198.18.0.0/15
addresses client eth0 203.0.113.11/24 203.0.113.12/24 203.0.113.13/24 203.0.113.14/24
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP
	port = 80
	check-interval = 500ms
	real-server = $(web_address web3) name=web3
END
servers_start 80
lb_start
agent_start web1
agent_start web2
must wait_until 20 backends_up 3

# SYNs that no kernel answers, for longer than the judge looks, while nobody opens a connection: with a checksum that is
# wrong, and the same ones again and again.
tool_start held client connections "$VIP:80" 60 250
must wait_until 30 connections_are held '.open == 60'
downs() {
	grep -c ' up -> down' "$work/lb/log"
}
before=$(downs)
for kind in spoiled repeated; do
	must on router "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" 900 60 "$kind" > /dev/null
	fact "syns_that_nobody_answers_take_nobody_out_$kind" equal "$(downs)" "$before"
done
fact no_connection_is_lost_to_them equal "$(tool_ask held round | jq .broken)" 0
must stop_pid "${tool_pid[held]}"

# All but the balancer's probes.
falls_sick() {
	on "$1" nft -f - <<- END
		table inet sick {
			chain input {
				type filter hook input priority 0
				ip saddr != $LB tcp dport 80 tcp flags & (syn | ack) == syn drop
			}
		}
	END
}
is_out() {
	[[ $(backend_field state "$1") == down && $(backend_field reason "$1") =~ $2 ]]
}
# Nobody but a flood: web1 drops it, web2 answers it, and of web3 nobody can know.
must falls_sick web1
start_on router "$work/storm" "$BUILD/tests/harness/syn_storm" eth0 "$(mac_of lb)" "$VIP:80" 60000 1000
storm=$started
fact who_accepts_none_is_out wait_until 40 is_out web1 \
	"^accepted 0 of [0-9]+,[0-9]{3} connections to $VIP:80 \(does its firewall drop clients\?\)$"
note "$(backend_field reason web1)"
fact its_path_check_says_so equal "$(backend_field 'checks | map(select(.check == "path"))[0].ok' web1)" false
# As long again, with the others alone.
accepts_many() {
	[[ $(backend_field accepted web2) -gt $1 ]]
}
fact half_open_connections_are_accepted_ones wait_until 20 accepts_many "$(($(backend_field accepted web2) + 2000))"
must on web1 nft delete table inet sick
fact it_comes_back wait_until 40 backend_is web1 up
fact a_flood_that_is_answered_takes_nobody_out equal \
	"$(backend_field state web2) $(backend_field state web3)" 'up up'
fact and_took_nobody_out equal \
	"$(jq -n "$(backend_field since_s web2) > 15 and $(backend_field since_s web3) > 15")" true
must stop_pid "$storm"

# Clients at work, and a static server that drops theirs: the others' clients go on after their SYNs.
must falls_sick web3
cat > "$work/clients.py" <<- 'END'
	import itertools, socket, sys, time
	held = []
	for turn in itertools.count():
	    s = socket.socket()
	    s.setblocking(False)
	    s.bind(("203.0.113.%d" % (11 + turn % 4), 0))
	    s.connect_ex((sys.argv[1], 80))
	    held.append(s)
	    if len(held) > 40:
	        held.pop(0).close()
	    time.sleep(0.02)
END
start_on client "$work/clients" python3 "$work/clients.py" "$VIP"
clients=$started
fact a_static_whose_clients_never_go_on_is_out wait_until 40 is_out web3 \
	"^no client went on after [0-9,]+ SYNs to $VIP:80 \(does its firewall drop clients\?\)$"
note "$(backend_field reason web3)"
must on web3 nft delete table inet sick
fact it_comes_back_too wait_until 40 backend_is web3 up
fact clients_at_work_take_nobody_out equal \
	"$(backend_field state web1) $(backend_field state web2)" 'up up'
must stop_pid "$clients"
