# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The main job: servers register themselves, clients fetch through the VIP, answers bypass the
# balancer, large uploads survive offloads, the balancer's own kernel keeps silent.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3
for idx in 1 2 3; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" "$LB" "weight = $idx")
done
# With forwarding on, a kernel that knows the VIP's route would forward or answer by itself.
on lb sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
lb_and_agents_start

requests() {
	on client curl -sS --no-progress-meter --max-time $((100 * SLOW)) -Z --parallel-max 30 -H 'Connection: close' \
		"http://$1/?[1-$2]" | sort | uniq -c | awk '{ print $2, $1 }'
}

# share_is_within SERVER TOTAL WEIGHTS TOLERANCE_PERCENT, on the output of requests
share_is_within() {
	awk -v server="$1" -v total="$2" -v parts="$3" -v tolerance="$4" '
		$1 == server { count = $2 }
		END {
			wanted = total * substr(server, 4) / parts
			exit !(count > wanted * (100 - tolerance) / 100 && count < wanted * (100 + tolerance) / 100)
		}' <<< "$served" || {
		note "served: $(tr '\n' ';' <<< "$served")"
		return 1
	}
}

served=$(requests "$VIP" 3000)
fact every_request_is_answered equal "$(awk '{ n += $2 } END { print n }' <<< "$served")" 3000
for idx in 1 2 3; do
	fact "web${idx}_serves_its_share" share_is_within "web$idx" 3000 6 12
done
served=$(requests "[$VIP6]" 300)
fact every_request_over_ipv6_is_answered equal "$(awk '{ n += $2 } END { print n }' <<< "$served")" 300
fact all_three_serve_ipv6 equal "$(wc -l <<< "$served")" 3

# What crosses the balancer's port with the VIP as its source are answers: there are none but to its own probes.
answers="ip saddr $VIP ip daddr != $LB tcp sport 80 counter name frames; ip6 saddr $VIP6 ip6 daddr != $LB6 tcp sport 80"
count_frames switch lb egress answers "$answers"
count_frames switch lb ingress returned "$answers"
downloads() {
	local size
	size=$(on client curl -sS --max-time $((60 * SLOW)) -o /dev/null -w '%{size_download}' "http://$1/files/100M")
	equal "$size" 104857600
}
fact a_100_MB_download_arrives downloads "$VIP"
fact a_100_MB_download_over_ipv6_arrives downloads "[$VIP6]"
fact no_byte_of_it_crosses_the_balancer equal "$(counted switch answers) $(counted switch returned)" "0 0"

# Incompressible and not repeating: a lost, doubled or damaged segment shows.
head -c 52428800 /dev/urandom > "$work/upload"
uploads() {
	local server
	server=$(on client curl -sS --max-time $((60 * SLOW)) -T "$work/upload" -o /dev/null -w '%header{x-server}' \
		"http://$1/upload/$2") || return 1
	cmp "$work/upload" "$work/$server/upload/$2"
}
fact offloads_are_as_they_come says 'tcp-segmentation-offload: on' on client ethtool -k eth0
fact a_50_MB_upload_arrives_intact uploads "$VIP" one
fact a_50_MB_upload_over_ipv6_arrives_intact uploads "[$VIP6]" two
# checksum_errors HOST : segments and datagrams, of both families, that the kernel found damaged.
checksum_errors() {
	{
		on "$1" awk '
			!/^(Tcp|Udp):/ { next }
			!($1 in column) { for (i = 2; i <= NF; i++) if ($i == "InCsumErrors") column[$1] = i; next }
			{ print $column[$1] }' /proc/net/snmp
		on "$1" awk '$1 ~ /InCsumErrors$/ { print $2 }' /proc/net/snmp6
	} | awk '{ n += $1 } END { print n + 0 }'
}
for idx in 1 2 3; do
	fact "web${idx}_met_no_wrong_checksum" equal "$(checksum_errors "web$idx")" 0
done

# A port that nobody serves: neither RST nor ICMP from the balancer's kernel.
is_silent() {
	local status=0
	on client curl -s --max-time 1.5 -o /dev/null "http://$1/" || status=$?
	equal "$status" 28
}
fact an_unserved_port_meets_silence is_silent "$VIP:81"
fact an_unserved_port_meets_silence_over_ipv6 is_silent "[$VIP6]:81"

# The TTL shows that nobody routed: one router between client and server, the balancer none.
on web1 nft -f - <<- END
	table netdev ttl {
		counter routed { }
		chain in { type filter hook ingress device eth0 priority 0; ip saddr != $LB ip daddr $VIP ip ttl != 63 counter name routed; }
	}
END
requests "$VIP" 60 > "$work/out"
fact the_TTL_is_untouched equal \
	"$(on web1 nft -j list counter netdev ttl routed | jq '.nftables[] | .counter? // empty | .packets')" 0

fact received_is_forwarded_passed_and_dropped equal \
	"$(lb_json '.packets | .received - .forwarded - .passed - .dropped')" 0
fact dropped_is_the_sum_of_its_reasons equal \
	"$(lb_json '.packets.dropped - ([.drops[]] | add // 0)')" 0
fact status_is_0_when_all_is_well exits 0 lb status
fact shares_follow_the_weights equal "$(lb_json '[.virtual_servers[0].backends[] | .share * 6 | round] | sort | join(",")')" 1,2,3
