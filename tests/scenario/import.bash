# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Three other balancers' configurations of one farm, translated into conf.d, serve traffic together.
. "$(dirname "$0")/../netns/topology.bash"

VIP3=198.51.100.12
topology_up --webs 3
for idx in 1 2 3; do
	on "web$idx" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	for vip in "$VIP" "$VIP2" "$VIP3"; do
		ip_on "web$idx" address add "$vip/32" dev lo
	done
done

cat > "$work/ns.conf" <<- END
	enable ns mode mbf
	enable ns feature lb
	add server web1 $(web_address web1)
	add server web2 $(web_address web2)
	add service ANY_web1 web1 ANY 80 -usip Yes
	add service ANY_web2 web2 ANY 80 -usip Yes
	add lb vserver vserver_DSR ANY $VIP 80 -lbmethod SRCIPSRCPORTHASH -m MAC -sessionless ENABLED -connfailover STATELESS
	bind lb vserver vserver_DSR ANY_web1
	bind lb vserver vserver_DSR ANY_web2
END
mkdir "$work/keepalived"
cat > "$work/keepalived/keepalived.conf" <<- END
	! two of three
	\$SERVER= \\
	    real_server 192.0.2.\${N} 80 { \\
	        TCP_CHECK { \\
	            connect_timeout 1 \\
	        } \\
	    }
	virtual_server $VIP2 80 {
	    delay_loop 0.3
	    lvs_sched wrr
	    lvs_method DR
	    include servers.inc
	}
END
echo '~SEQ(N, 12, 13) $SERVER' > "$work/keepalived/servers.inc"
cat > "$work/ipvsadm.rules" <<- END
	-A -t $VIP3:80 -s wlc
	-a -t $VIP3:80 -r $(web_address web1):80 -g -w 1
	-a -t $VIP3:80 -r $(web_address web2):80 -g -w 1
	-a -t $VIP3:80 -r $(web_address web3):80 -g -w 1
	-a -t $VIP3:80 -r 203.0.113.9:80 -m -w 1
END

lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys
END
mkdir "$work/lb/conf.d"
# translated STATUS KIND FILE
translated() {
	local status=0
	lb import "$2" "$3" > "$work/lb/conf.d/$2.conf" || status=$?
	equal "$status" "$1"
}
fact netscaler_is_translated translated 0 netscaler "$work/ns.conf"
fact keepalived_is_translated translated 0 keepalived "$work/keepalived/keepalived.conf"
fact ipvsadm_is_translated_but_for_nat translated 1 ipvsadm - < "$work/ipvsadm.rules"
fact what_is_left_has_its_line grep -q '^# not translated: 5: .*NAT' "$work/lb/conf.d/ipvsadm.conf"
fact what_is_none_of_them_is_refused exits 78 lb import ipvsadm "$work/ns.conf"
fact all_of_it_is_valid exits 0 on lb "$work/bin/dsr-lb" check-config --config "$work/lb/lb.conf"

lb_start
must wait_until 30 backends_serve 3
fact the_netscalers_serves equal "$(answer_names "$VIP" 40)" "web1 web2 "
fact keepaliveds_serves equal "$(answer_names "$VIP2" 40)" "web2 web3 "
fact ipvsadms_serves equal "$(answer_names "$VIP3" 40)" "web1 web2 web3 "
