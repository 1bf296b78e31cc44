# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A reload adds a VIP that is somebody's address: it is asked for first, and not announced while somebody has it. Whoever has it
# keeps its clients, all other VIPs serve on, and it is announced when it is free. Who only says so, or says so
# too late, holds nothing.
. "$(dirname "$0")/../netns/topology.bash"

TAKEN=198.51.100.20
TAKEN6=2001:db8:f::20
FREE=198.51.100.30
FREE6=2001:db8:f::30
topology_up --webs 2
add_host stranger
wire stranger eth0 switch stranger 192.0.2.66/24 2001:db8:2::66/64 "$TAKEN/32" "$TAKEN6/128"
default_routes stranger "$ROUTER" 2001:db8:2::1
nginx_start stranger
for idx in 1 2; do
	agent_configure "web$idx" < <(agent_default_config "web$idx" |
		sed "s/^vip = .*/&, $TAKEN, $TAKEN6, $FREE, $FREE6/")
done
lb_and_agents_start
must wait_until 20 fetch / -o /dev/null
must wait_until 10 exits 0 lb status
stranger_mac=$(mac_of stranger)
lb_mac=$(mac_of lb)

# with VIP… : a reload after which these are there, too.
with() {
	local vips="$*"
	{
		lb_default_config
		(($# == 0)) || printf '\n[virtual-server more]\nvip = %s\nport = 80\n' "${vips// /, }"
	} | lb_write_config
	lb reload
}
is_held() {
	says "$1 is not announced: $2 has it" lb status
}
# names VIP… : who answers there, of thirty connections to each.
names() {
	local vip
	for vip; do
		[[ $vip != *:* ]] || vip="[$vip]"
		answer_names "$vip" 30
	done
}
by_webs() {
	local said
	said=$(names "$1")
	[[ $said == "web1 web2 " ]]
}
# within MS COMMAND… : since $since
within() {
	wait_until 5 "${@:2}" && at_most "$(($(now_ms) - since))" "$(($1 * SLOW))"
}
claims() {
	lb_json '[.claims[] | .vip + " " + .mac] | sort | join("\n")'
}
# lost NAME : connections that the tool of that name has not had answered, when it ends.
lost() {
	tool_end "$1" | jq '.refused + .silent'
}
stranger_has() {
	ip_on stranger address "$1" "$TAKEN/32" dev eth0
	ip_on stranger address "$1" "$TAKEN6/128" dev eth0
}
router_asks_anew() {
	ip_on router neigh flush to "$TAKEN" dev eth0
	ip_on router neigh flush to "$TAKEN6" dev eth0
}

was_held() {
	grep -q "$1 is not announced" "$work/lb/log"
}

# Somebody has it.
must equal "$(names "$TAKEN" "$TAKEN6")" "stranger stranger "
tool_start others client new_flows "$VIP:80" 100
tool_start its client new_flows "$TAKEN:80" 100
tool_start its6 client new_flows "[$TAKEN6]:80" 100
fact a_reload_that_adds_it_succeeds exits 0 with "$TAKEN" "$TAKEN6"
fact it_is_held_back wait_until 3 is_held "$TAKEN" "$stranger_mac"
fact the_claims_name_it wait_until 3 equal "$(claims)" "$(printf '%s %s\n%s %s' "$TAKEN" "$stranger_mac" "$TAKEN6" "$stranger_mac")"
fact the_status_is_degraded exits 1 lb status
fact the_first_line_says_why says "^Degraded: $TAKEN is not announced: $stranger_mac has it" lb status
fact its_virtual_server_says_so says "^more .*$TAKEN is not announced" lb virtual-servers
fact explain_says_so says "$TAKEN is one; but it is not announced, as $stranger_mac has it" lb explain "$CLIENT" "$TAKEN"
fact explain_says_so_by_ipv6 says "$TAKEN6 is one; but it is not announced, as $stranger_mac has it" lb explain "$CLIENT6" "$TAKEN6"
fact the_doctor_says_what_mends_it says "more.*$TAKEN is not announced.*; take the address away there" lb doctor
fact this_balancer_could_serve_all_the_same exits 0 lb ready
fact an_event_tells_of_each equal "$(lb events --json | jq -r 'select(.event == "claim" and .new == "not announced") | .vip' | sort | tr '\n' ' ')" \
	"$TAKEN $TAKEN6 "
fact whoever_has_it_keeps_its_clients equal "$(names "$TAKEN" "$TAKEN6")" "stranger stranger "

# A restart must not make two owners of it.
for signal in TERM KILL; do
	daemon_stop lb "$signal"
	lb_start
	fact "it_is_held_back_after_SIG$signal" wait_until 5 is_held "$TAKEN" "$stranger_mac"
	fact "clients_are_its_own_after_SIG$signal" equal "$(names "$TAKEN" "$TAKEN6")" "stranger stranger "
done
fact none_of_its_clients_was_lost equal "$(lost its)" 0
fact none_was_lost_by_ipv6 equal "$(lost its6)" 0
router_asks_anew
fact a_router_that_asks_anew_is_told_of_it_alone equal "$(names "$TAKEN" "$TAKEN6")" "stranger stranger "

# It goes.
must stranger_has del
since=$(now_ms)
fact it_is_announced_within_three_seconds within 3000 by_webs "$TAKEN"
fact so_it_is_by_ipv6 within 3500 by_webs "$TAKEN6"
fact nothing_is_claimed equal "$(claims)" ""
fact all_is_well wait_until 5 exits 0 lb status
fact the_log_says_that_it_is_announced says "$TAKEN is announced: nobody else has it any more" cat "$work/lb/log"

# What is announced is ours, whoever answers.
must stranger_has add
claimed() {
	[[ $(claims) == *"$TAKEN $stranger_mac"* ]]
}
fact who_comes_later_is_named wait_until 10 claimed
fact who_comes_later_holds_nothing equal "$(lb status | grep -c 'not announced')" 0
fact it_serves_on says 'web[12]' names "$TAKEN"

# A reload takes it out, and what it left.
fact a_reload_takes_it_out exits 0 with
fact no_claim_of_it_is_left equal "$(claims)" ""
fact all_is_well_without_it wait_until 5 exits 0 lb status
must with "$TAKEN" "$TAKEN6"
must wait_until 3 is_held "$TAKEN" "$stranger_mac"
fact a_reload_takes_out_what_is_held exits 0 with
fact no_claim_of_what_was_held_is_left equal "$(claims)" ""
fact all_is_well_without_what_was_held wait_until 5 exits 0 lb status
fact no_word_of_it_is_left equal "$(lb status | grep -c 'not announced')" 0

# Nobody has it.
since=$(now_ms)
must with "$FREE" "$FREE6"
fact what_nobody_has_serves_within_a_second_and_a_half within 1500 by_webs "$FREE"
fact what_nobody_has_serves_by_ipv6_too within 2000 by_webs "$FREE6"
must with

# forge VIP TO_MAC TO_ADDRESS : somebody says for three seconds that it has a VIP.
forge() {
	start_on stranger "$work/forge" "$BUILD/tests/harness/forge" eth0 "$1" "$stranger_mac" "$2" "$3" $((300 * SLOW)) 100
	forger=$started
}
# By claims that nobody asked for,
forge "$FREE" ff:ff:ff:ff:ff:ff "$FREE"
must with "$FREE" "$FREE6"
must wait_until 20 gone "$forger"
fact claims_alone_hold_nothing not was_held "$FREE"
fact it_serves_in_spite_of_them wait_until 5 by_webs "$FREE"
# by answers to what was announced,
forge "$FREE" "$lb_mac" 0.0.0.0
fact no_answer_silences_what_is_announced says 'web[12]' names "$FREE"
must wait_until 20 gone "$forger"
fact and_it_was_not_held not was_held "$FREE"
must with
# and by such while it is new, which cannot be told from those of one that has it; as long as they come.
forge "$FREE" "$lb_mac" 0.0.0.0
must with "$FREE" "$FREE6"
fact a_forger_who_answers_all_the_time_is_named wait_until 3 is_held "$FREE" "$stranger_mac"
must wait_until 20 gone "$forger"
since=$(now_ms)
fact when_he_ends_it_is_announced within 3000 by_webs "$FREE"
must with

# A thousand at once, of a whole network that is somebody's.
many=10.20
told() {
	(($(grep -c "$many\..* $1" "$work/lb/log") == 1000))
}
# watched SECONDS COMMAND… : until it is so; the most heartbeats that any server has missed meanwhile are in $worst.
worst=0
watched() {
	local missed deadline=$(($(now_ms) + 1000 * SLOW * $1))
	until "${@:2}"; do
		missed=$(lb_json '[.virtual_servers[].backends[].heartbeats_missed] | max')
		((missed <= worst)) || worst=$missed
		(($(now_ms) < deadline)) || return 1
		sleep_ms 50
	done
}
must ip_on stranger route add local "$many.0.0/22" dev lo
{
	lb_default_config
	for ((idx = 0; idx < 1000; idx++)); do
		((idx % 50)) || printf '\n[virtual-server many%d]\nport = 80\n' $((idx / 50))
		printf 'vip = %s.%d.%d\n' "$many" $((idx / 256)) $((idx % 256))
	done
} | lb_write_config
fact a_reload_of_a_thousand_succeeds exits 0 lb reload
fact a_thousand_are_held_back watched 10 told 'is not announced: '
# By what the kernel's packet sockets of ARP (2054) dropped, that of the leak watch too.
unheard() {
	on lb ss -0anmH | awk '/(\[2054\]|arp)/ { of = 1 } of && sub(/.*,d/, "") { n += $0; of = 0; sockets++ }
		END { print sockets ? n + 0 : "no socket" }'
}
fact no_answer_of_them_was_dropped equal "$(unheard)" 0
must ip_on stranger route del local "$many.0.0/22" dev lo
fact a_thousand_are_announced_when_they_are_free watched 10 told 'is announced: nobody'
fact no_heartbeat_was_missed_for_a_thousand at_most "$worst" "$((SLOW > 1))"
fact no_other_was_lost_to_all_that equal "$(lost others)" 0
