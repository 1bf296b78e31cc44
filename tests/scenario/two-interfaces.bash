# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A balancer between two segments: clients' frames arrive on one interface, the servers are on
# another; their answers go to the router without it.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2 --two-interfaces
lb_configure <<- END
	[balancer]
	interface = eth0
	backend-interface = eth1
	key-file = $work/lb/keys

	[virtual-server web]
	vip = $VIP, $VIP6
	port = 80
END
for idx in 1 2; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" 10.9.0.2)
done
lb_and_agents_start
fact both_serve equal "$(answer_names "$VIP" 60)" "web1 web2 "
fact both_serve_ipv6 equal "$(answer_names "[$VIP6]" 60)" "web1 web2 "
head -c 20000000 /dev/urandom > "$work/upload"
server=$(fetch /upload/one -T "$work/upload" -o /dev/null -w '%header{x-server}')
fact an_upload_arrives_intact cmp "$work/upload" "$work/$server/upload/one"
fact the_interfaces_are_told equal "$(lb_json '.interface + " " + .backend_interface')" "eth0 eth1"
fact the_vip_is_not_announced_to_the_servers not says "$VIP" ip_on web1 neigh show

# The balancer is its servers' gateway, and checks reverse paths: their answers come from the VIP.
[[ $MODE != packet ]] || exit 0
on lb sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.eth1.rp_filter=2
for idx in 1 2; do
	ip_on "web$idx" route replace default via 10.9.0.2
done
on lb nft -f - <<- END
	table inet forwarded {
		counter vip { }
		chain forward {
			type filter hook forward priority 0
			ip daddr $VIP counter name vip
		}
	}
END
fact answers_pass_a_gateway_that_checks_reverse_paths equal "$(answer_names "$VIP" 60)" "web1 web2 "
on client bash -c "echo > /dev/udp/$VIP/9"
fact its_kernel_forwards_nothing_to_the_vip equal \
	"$(on lb nft -j list counter inet forwarded vip | jq '.nftables[] | .counter? // empty | .packets')" 0
