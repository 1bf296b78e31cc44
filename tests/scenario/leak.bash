# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Real servers that answer ARP or ND for a VIP, and so would draw the clients past the balancer: each goes down with
# the reason, until it is mended; whoever only says so in another's name moves nothing.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3
add_host stranger
wire stranger eth0 switch stranger
addresses stranger eth0 192.0.2.66/24 2001:db8:2::66/64

# web1 has no agent, and is as a host is before somebody has read the manual: it answers for
# whatever address it has. web2 has an agent. web3 has none, and is set up well.
for idx in 1 3; do
	ip_on "web$idx" address add "$VIP/32" dev lo
	ip_on "web$idx" address add "$VIP6/128" dev lo nodad
done
on web3 sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80
	check = agent, tcp:80
	real-server = $(web_address web1) name=web1
	real-server = $(web_address web3) name=web3
END
lb_start
agent_start web2
must wait_until 20 backend_is web2 up
must wait_until 20 backend_is web3 up

# is_down_for NAME REASON
is_down_for() {
	backend_is "$1" down && [[ $(backend_field reason "$1") == "$2" ]]
}
# claimed_by MAC BACKEND
claimed_by() {
	[[ $(lb_json "[.claims[] | select(.mac == \"$1\") | .backend] | unique | tojson") == "[$2]" ]]
}
# downs NAME : how often it has left `up`
downs() {
	grep -c "backend $1: up -> " "$work/lb/log"
}
arp="answers ARP for $VIP on eth0 (arp_ignore of that interface is 0?)"
nd="answers ND for $VIP6 on eth0 (is it an address of that interface?)"
fact arp_ignore_0_is_down wait_until 15 is_down_for web1 "$arp"
fact the_claim_has_its_name wait_until 5 claimed_by "$(mac_of web1)" '"web1"'
fact the_log_has_the_reason says "backend web1: .* -> down.*: answers ARP for $VIP" cat "$work/lb/log"
on web1 sysctl -qw net.ipv4.conf.eth0.arp_ignore=1
fact it_comes_back_when_it_is_silent wait_until 20 backend_is web1 up
addresses web1 eth0 "$VIP6/128"
fact a_vip_on_the_interface_is_down_by_nd wait_until 15 is_down_for web1 "$nd"
ip_on web1 address del "$VIP6/128" dev eth0
fact it_comes_back_by_ipv6_too wait_until 20 backend_is web1 up

# An agent mends what it finds, and the server is not down for long.
on web2 sysctl -qw net.ipv4.conf.eth0.arp_ignore=0
ignores() {
	[[ $(on web2 sysctl -n net.ipv4.conf.eth0.arp_ignore) == 1 ]]
}
fact the_agent_mends_its_host wait_until 10 ignores
fact its_server_is_up_again wait_until 15 backend_is web2 up

# A VIP that is on the card before the agent comes.
daemon_stop web2
addresses web2 eth0 "$VIP/32"
agent_start web2
fact the_agent_names_its_place wait_until 15 says "down: VIP $VIP is on eth0, which answers for it; delete it there" \
	agent web2 status
fact it_does_not_register equal "$(lb_json '[.virtual_servers[].backends[] | select(.name == "web2")] | length')" 0
ip_on web2 address del "$VIP/32" dev eth0
fact it_serves_when_that_is_mended wait_until 15 backend_is web2 up

# Who says so in another's name: the frames are the stranger's, and answer nothing.
was=$(downs web3)
must on stranger "$BUILD/tests/harness/forge" eth0 "$VIP" "$(mac_of web3)" "$(mac_of lb)" "$LB" 300 100
must on stranger "$BUILD/tests/harness/forge" eth0 "$VIP6" "$(mac_of web3)" "$(mac_of lb)" "$LB6" 300 100
fact a_claim_in_its_name_takes_nobody_down equal "$(downs web3)" "$was"

# A second card of the same host, which answers whoever asks.
ip_on web3 link add link eth0 name second address 02:00:00:00:33:33 type macvlan mode bridge
ip_on web3 link set second up
fact a_second_card_is_an_alarm wait_until 15 claimed_by 02:00:00:00:33:33 null
fact the_log_names_it says "02:00:00:00:33:33 claims $VIP" cat "$work/lb/log"
is_an_event() {
	dsr_lb lb events --json | jq -se --arg vip "$VIP" \
		'any(.event == "claim" and .vip == $vip and (.reason + .message | contains("02:00:00:00:33:33")))' > /dev/null
}
fact it_is_an_event is_an_event
fact the_status_is_degraded exits 1 lb status
fact the_others_were_never_down equal "$(downs web3)" 0

# A card that an agent is told to leave alone answers, too: its virtual machines' and containers' have no business here.
printf 'arp-exempt = spare*\n' >> "$work/web2/agent.conf"
must agent web2 reload
ip_on web2 link add link eth0 name spare address 02:00:00:00:22:22 type macvlan mode bridge
ip_on web2 link set spare up
fact an_exempt_card_that_answers_is_an_alarm wait_until 15 claimed_by 02:00:00:00:22:22 null
fact the_status_names_it says "$VIP is claimed by 02:00:00:00:22:22" lb status
fact its_agent_says_that_it_is_exempt equal \
	"$(agent web2 status --json | jq -c '[.arp[] | select(.interface == "spare") | .exempt]')" '[true]'
sed -i '/^arp-exempt/d' "$work/web2/agent.conf"
must agent web2 reload
is_silent() {
	[[ $(on web2 sysctl -n net.ipv4.conf.spare.arp_ignore) == 1 ]]
}
fact when_it_is_exempt_no_more_it_is_silenced wait_until 10 is_silent
