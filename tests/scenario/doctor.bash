# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# The doctors of both programs: a healthy farm is all ok; each thing that is then broken is found under its
# id, and the very command that the doctor prints makes it well again.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/doctors.bash"

topology_up --webs 2

doctor_of_nobody() {
	inside "$1" setpriv --reuid 65534 --regid 65534 --clear-groups "$work/bin/$(program_of "$1")" doctor \
		--runtime-dir "$work/$1/run" --config "$(configuration_of "$1")"
}
configuration_of() {
	if [[ $1 == lb* ]]; then printf %s "$work/$1/lb.conf"; else printf %s "$work/$1/agent.conf"; fi
}
# finding HOST ID STATE SUBJECT MEMBER
finding() {
	doctor "$1" --json | jq -r --arg id "$2" --arg state "$3" --arg subject "$4" \
		"[.checks[] | select(.id == \$id and .state == \$state and .subject == \$subject)][0].$5 // empty"
}
finds() {
	[[ -n $(finding "$@" what) ]]
}
# heals NAME HOST ID STATE SUBJECT : something was broken before.
heals() {
	local name=$1 host=$2 mend
	shift
	fact "${name}_is_found" wait_until 5 finds "$@"
	mend=$(finding "$@" mend)
	note "$mend"
	fact "${name}_has_a_mend" test -n "$mend"
	inside "$host" sh -c "$mend" > "$work/mend" 2>&1 || note "it failed: $(< "$work/mend")"
	fact "${name}_is_mended" becomes_well "$host"
}

lb_configure < <(
	lb_default_config
	printf 'check = agent, path\ncheck-interval = 300ms\n'
)
for host in web1 web2; do
	agent_configure "$host" < <(agent_default_config "$host" "$LB" "drain-on-stop = 0")
done
lb_and_agents_start
for host in lb web1; do
	host_files "$host"
done
set_in() {
	must on "$1" sysctl -qw "$2"
}

# A healthy farm.
for host in lb web1; do
	fact "the_doctor_of_${host}_says_ok_alone" becomes_well "$host"
	fact "${host}_has_a_line_for_each_check" at_least "$(doctor "$host" | grep -c '^ok ')" 20
	begin=$(now_ms)
	doctor "$host" > /dev/null
	fact "it_takes_less_than_ten_seconds_on_$host" at_most "$(($(now_ms) - begin))" 9999
	fact "an_ordinary_user_of_${host}_is_told_what_he_cannot_see" says \
		"^WARN key .*; mend: sudo $(program_of "$host") doctor" \
		doctor_of_nobody "$host"
	fact "which_is_a_warning_on_$host" exits 1 doctor_of_nobody "$host"
done

# The balancer.
must becomes_well lb
must ip_on router neigh flush to "$VIP"
must fetch /
fact whoever_asked_for_a_vip_is_named says "^ok +router .*[(][1-9][0-9]* forwarded[)]; $ROUTER asked for $VIP [0-9] s ago" doctor lb
must lb standby
heals a_standby lb state warn balancer
must lb disable web1
heals a_server_under_maintenance lb backend warn web1
chmod 640 "$work/lb/keys"
heals an_open_key_of_the_balancer lb key fail "$work/lb/keys"
sed -i '/^port/a scheduler = rr' "$work/lb/lb.conf"
heals a_configuration_that_is_not_in_force lb config warn "$work/lb/lb.conf"
must ip_on lb address add "$VIP/32" dev lo
heals a_vip_of_the_balancers_own lb vip warn "$VIP"
if lb_mode_is tc && on lb "$BUILD/tests/harness/xdp_pass" eth0; then
	heals a_program_of_others lb mode warn eth0
else
	skip_fact a_program_of_others_is_found "the balancer has native XDP itself, or the interface has none"
fi
# Others' programs at tc's ingress, where those that came first may have the frames for themselves.
if lb_mode_is tc && on lb "$BUILD/tests/harness/tcx" eth0 first > "$work/tcx" 2>&1; then
	fact a_program_before_ours_is_found wait_until 5 finds lb mode warn eth0
	fact its_number_is_told says "id $(head -n 1 "$work/tcx")\b" finding lb mode warn eth0 what
	must on lb "$BUILD/tests/harness/tcx" eth0 detach
	fact without_it_all_is_well becomes_well lb
else
	skip_fact a_program_before_ours_is_found "the balancer is not at tc's ingress, or this kernel has no tcx"
fi
# A kernel without tcx has ours among the filters of a qdisc, where that of the smallest number is first; and so has a
# balancer that has nowhere to pin its program. (Its engine is what it chooses: tc.)
daemon_stop lb
lb_forget lb
lb_without_pins=1
daemon_directories lb "$LB_UID"
lb_start
must wait_until 20 backends_up 2
must becomes_well lb
if grep -q ' pref 3418 bpf ' <<< "$(on lb tc filter show dev eth0 ingress)"; then
	must on lb tc filter add dev eth0 ingress pref 1 u32 match u32 0 0 flowid 1:1
	fact a_filter_before_ours_is_named says '(u32, pref 1)' finding lb mode warn eth0 what
	heals a_filter_before_ours lb mode warn eth0
	must on lb tc filter add dev eth0 ingress pref 49152 u32 match u32 0 0 flowid 1:1
	fact one_behind_ours_is_no_fault becomes_well lb
	fact it_is_named_all_the_same says 'behind ours: u32' finding lb mode ok eth0 what
	must on lb tc filter del dev eth0 ingress pref 49152
else
	fact ours_is_among_them not lb_mode_is tc
fi
must ip_on lb link set dev eth0 down
heals an_interface_that_is_down lb interface fail eth0

# The real server's host. The balancer may hear it claim a VIP meanwhile, and says so for three minutes.
set_in web1 net.ipv4.conf.all.arp_ignore=8
heals a_setting_of_all_interfaces web1 arp fail all
set_in web1 net.ipv4.conf.default.arp_ignore=8
heals a_strange_setting_of_new_interfaces web1 arp-default warn default
set_in web1 net.ipv4.conf.eth0.proxy_arp=1
heals proxy_arp web1 proxy-arp warn eth0
must ip_on web1 neigh add proxy "$VIP6" dev eth0
heals a_proxy_of_a_vip web1 proxy-ndp fail eth0
must ip_on web1 address add "$VIP/24" dev lo
heals a_vip_with_its_subnet web1 vip-prefix fail "$VIP"
must ip_on web1 address add "$VIP6/64" dev eth0 nodad
heals a_vip_on_the_segment web1 vip-place fail "$VIP6"
set_in web1 net.ipv4.tcp_syncookies=2
heals cookies_for_all web1 tcp warn tcp_syncookies

# No fault, but said with the command that ends it.
redirects() {
	finding web1 redirects ok eth0 "$1"
}
set_in web1 net.ipv4.conf.all.accept_redirects=1
set_in web1 net.ipv6.conf.eth0.accept_redirects=1
fact redirects_that_are_taken_are_told says '^takes ICMP redirects, ' redirects what
inside web1 sh -c "$(redirects mend)" > /dev/null
fact the_command_ends_it says '^takes no ICMP redirects$' redirects what

# A service that was told its address, before there was a VIP.
tool_start wrong web1 named_server wrong "$(web_address web1):8080"
fact a_service_at_the_real_ip_alone_is_a_warning wait_until 5 finds web1 listener warn "$(web_address web1)"
must stop_pid "${tool_pid[wrong]}"

# Answers leave by another interface.
wire web1 eth1 switch web1b
must ip_on web1 address add 192.0.2.99/32 dev eth1
must ip_on web1 route replace default via "$ROUTER" dev eth1 onlink
set_in web1 net.ipv4.conf.eth0.rp_filter=1
heals a_strict_reverse_path web1 rp-filter fail eth0
must ip_on web1 link set dev eth1 mtu 1400
heals another_mtu web1 mtu warn eth0
must ip_on web1 link del eth1
must ip_on web1 link set dev eth0 mtu 1500
fact no_way_to_clients_is_a_failure wait_until 5 finds web1 route fail IPv4
must ip_on web1 route add default via "$LB"
fact a_way_through_the_balancer_is_a_warning wait_until 5 finds web1 route warn IPv4
must ip_on web1 route replace default via "$ROUTER"

# A packet filter, which lets through what comes from the host itself.
must on web1 nft -f - <<- END
	table inet wall { chain input { type filter hook input priority 0; iif lo accept; ip daddr $VIP tcp dport 80 drop; }; }
END
fact a_packet_filter_of_its_own_is_found wait_until 10 finds web1 filter fail "$VIP:80"
fact of_the_other_vip_it_says_nothing not finds web1 filter fail "[$VIP6]:80"
must on web1 nft delete table inet wall
fact without_it_it_is_well becomes_well web1

# The agent.
must agent web1 drain
heals a_drain web1 state warn web1
chmod 644 "$work/web1/key"
heals an_open_key web1 key fail "$work/web1/key"
echo 'weight = 2' >> "$work/web1/agent.conf"
heals a_file_that_is_not_in_force web1 config warn "$work/web1/agent.conf"
rm "$work"/web1/host/etc/systemd/system/multi-user.target.wants/*
heals a_unit_that_is_not_enabled web1 boot warn dsr-agent
daemon_stop web1
must ip_on web1 address add "$VIP/32" dev lo label lo:0
agent_start web1
must wait_until 20 agent_is web1 up
heals an_alias_of_others web1 vip-alias warn "$VIP"
daemon_stop web1
doctor_options=(--config "$work/web1/agent.conf")
fact an_agent_that_does_not_run_is_found finds web1 daemon fail dsr-agent
fact so_is_the_vip_that_it_took_away finds web1 vip fail "$VIP"
fact both_have_one_mend equal "$(finding web1 daemon fail dsr-agent mend)" "$(finding web1 vip fail "$VIP" mend)"
fact that_is_the_status exits 2 doctor web1
inside web1 sh -c "$(finding web1 daemon fail dsr-agent mend)"
fact it_asks_systemd equal "$(tail -n 1 "$work/web1/host/asked")" "systemctl start dsr-agent"
agent_start web1
doctor_options=()
fact then_it_is_well becomes_well web1

# Files of its host.
printf '# ours\nnet.ipv4.conf.all.arp_ignore = 8\n' > "$work/web1/host/etc/sysctl.d/90-site.conf"
heals a_file_that_will_spoil_all_interfaces web1 sysctl fail /etc/sysctl.d/90-site.conf:2
printf 'net.ipv4.conf.*.arp_announce = 0\n' > "$work/web1/host/etc/sysctl.d/91-site.conf"
heals a_file_that_will_spoil_one web1 sysctl warn /etc/sysctl.d/91-site.conf:1
printf '#!/bin/sh\n/usr/local/sbin/lvs_real start\n' > "$work/web1/host/etc/rc.local"
chmod 755 "$work/web1/host/etc/rc.local"
heals a_script_of_former_days web1 leftover warn /etc/rc.local:2
printf '#!/bin/sh\n' > "$work/web1/host/etc/init.d/realserver"
chmod 755 "$work/web1/host/etc/init.d/realserver"
heals an_init_script_of_former_days web1 leftover warn /etc/init.d/realserver
printf 'NETWORK_FILE=/etc/systemd/network/lo.network\n' > "$work/web1/host/run/systemd/netif/links/1"
heals networkd web1 managed warn lo
mkdir -p "$work/web1/host/run/NetworkManager/devices"
printf '[device]\nmanaged=true\n' > "$work/web1/host/run/NetworkManager/devices/1"
heals networkmanager web1 managed warn lo
must wait_until 20 backends_up 2

# A server whose frames must be smaller: neither side need know the other's MTU.
must ip_on web2 link set dev eth0 mtu 1400
fact a_smaller_server_is_a_warning_of_the_balancers wait_until 5 finds lb mtu warn "$(web_address web2)"
must ip_on web2 link set dev eth0 mtu 1500
must ip_on lb link set dev eth0 mtu 1400
fact a_smaller_balancer_is_one_of_the_servers wait_until 5 finds web1 mtu warn "$LB"
must ip_on lb link set dev eth0 mtu 1500

# A packet filter on a server is seen by the balancer's probes of the path.
must on web2 nft -f - <<- END
	table ip filter { chain input { type filter hook input priority 0; ip daddr $VIP drop; }; }
END
fact a_packet_filter_of_a_server_is_found wait_until 20 finds lb check fail web2
must on web2 nft delete table ip filter
must wait_until 20 backends_up 2

# A server with another key: each side says its part.
daemon_stop web2
"$work/bin/dsr-lb" keygen "$(cut -d ' ' -f 1 "$work/key")" > "$work/web2/key"
host_files web2
agent_start web2
fact an_agent_that_nobody_answers_is_told_why wait_until 10 finds web2 balancer fail "$LB"
fact it_says_that_the_balancer_is_there wait_until 10 says 'its host answers echo requests' finding web2 balancer fail "$LB" what
fact the_balancer_says_whom_it_refused wait_until 10 finds lb refused warn "$(web_address web2)"

# The daemon is away.
daemon_stop lb
doctor_options=(--config "$work/lb/lb.conf")
fact a_balancer_that_does_not_run_is_found finds lb daemon fail dsr-lb
fact it_is_not_the_end_of_the_doctor at_least "$(doctor lb | grep -c '^ok ')" 5
