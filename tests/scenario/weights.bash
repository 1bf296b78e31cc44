# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a host is to each virtual server alone: its weight, in the file and by the verb; a backup that serves while
# others are fewer than minimum; a ceiling. All of it outlives a kill and a reload, and no connection breaks.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 4 --no-nginx
for idx in 1 2 4; do
	# What the administrator of a host without an agent does by hand.
	on "web$idx" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
	ip_on "web$idx" address add "$VIP/32" dev lo
	ip_on "web$idx" address add "$VIP6/128" dev lo nodad
done
weights_config() {
	cat <<- END
		[balancer]
		interface = eth0
		key-file = $work/lb/keys

		[virtual-server web]
		vip = $VIP
		port = 80
		scheduler = rr
		minimum = ${1:-2}
		check = path
		check-interval = 300ms
		real-server = $(web_address web1) name=web1 weight=3
		real-server = $(web_address web2) name=web2
		real-server = $(web_address web4) name=web4 backup

		[virtual-server mail]
		vip = $VIP
		port = 81
		scheduler = rr
		check = path
		check-interval = 300ms
		real-server = $(web_address web1)
		real-server = $(web_address web2) weight=4
		real-server = $(web_address web4) max-connections=10
	END
}
servers_start 80 81
lb_configure < <(weights_config)
lb_start
must wait_until 20 backends_up 3

# in_server VIRTUAL-SERVER BACKEND FIELD
in_server() {
	lb_json ".virtual_servers[] | select(.name == \"$1\").backends[] | select(.name == \"$2\").$3"
}
# server VIRTUAL-SERVER FIELD…
server() {
	lb_json ".virtual_servers[] | select(.name == \"$1\") | [$2] | map(tostring) | join(\" \")"
}
is_server() {
	[[ $(server "$1" "$2") == "$3" ]]
}
# turns NAME COUNT PORT EXPECTED : so many connections at once, and who has them, by tables that say what the status says.
turns() {
	local servers=([80]=web [81]=mail)
	wait_until 10 tables_share "${servers[$3]}" "$2" "$4" || return 1
	tool_start "$1" client connections "$VIP:$3" "$2" 500
	wait_until 20 connections_are "$1" ".open == $2" || return 1
	equal "$(tool_ask "$1" | jq -cS .servers)" "$4"
}
full_in_mail() {
	[[ $(in_server mail web4 effective_weight) == 0 && $(in_server mail web4 state) == up &&
		$(in_server mail web4 reason) == "full in virtual server mail: takes no new connections while it has 10" ]]
}
fact a_host_has_a_weight_in_each_virtual_server equal \
	"$(in_server web web1 weight) $(in_server mail web1 weight) $(in_server web web2 weight) $(
		in_server mail web2 weight)" "3 1 1 4"
fact a_backup_waits equal "$(in_server web web4 backup) $(in_server web web4 weight) $(
	in_server web web4 effective_weight)" "true 1 0"
fact it_is_none_in_the_other equal "$(in_server mail web4 backup) $(in_server mail web4 effective_weight)" "false 1"
fact shares_of_the_first_are_3_1 turns first 80 80 '{"web1":60,"web2":20}'
fact shares_of_the_other_are_1_4_1 turns second 60 81 '{"web1":10,"web2":40,"web4":10}'
fact a_ceiling_is_of_one_virtual_server wait_until 10 full_in_mail
fact who_is_full_gets_no_turn turns third 50 81 '{"web1":10,"web2":40}'

# By the verb.
fact an_unknown_virtual_server_is_refused exits 64 lb weight web2 1 nobody
fact one_that_it_is_not_in_is_refused exits 64 lb weight web3 1 mail
must lb weight web2 25% mail
fact a_word_of_one_virtual_server_is_for_it_alone turns fourth 20 81 '{"web1":10,"web2":10}'
fact the_other_has_its_own_still turns fifth 40 80 '{"web1":30,"web2":10}'
for held in first second third fourth fifth; do
	fact "none_of_the_${held}_is_broken" equal "$(tool_ask "$held" round | jq -c .broken)" 0
	stop_pid "${tool_pid[$held]}"
done

# Others die: below the minimum the backup serves, and the virtual server is not ready.
fact it_is_ready_before equal "$(server web '.ready, .minimum, .backups_in_use')" "true 2 0"
stop_pid "${tool_pid[server-web1]}" KILL
must wait_until 20 backend_is web1 down
fact a_backup_comes_in wait_until 5 is_server web '.ready, .minimum, .backups_in_use' "false 2 1"
fact its_reason_counts_them equal "$(server web .ready_reason)" \
	"virtual server web has 1 usable backends of the 2 that are its minimum, and 1 backups in use"
fact ready_is_1_below_the_minimum exits 1 lb ready web
fact ready_is_0_for_the_other exits 0 lb ready mail
fact status_is_1_below_the_minimum exits 1 lb status
fact status_says_it says 'Degraded: virtual server web is not ready' lb status
fact the_table_shows_the_minimum says '2/3, minimum 2' lb virtual-servers
fact the_table_shows_the_backup says '1 backup' lb backends web
fact new_ones_go_to_the_backup_too turns sixth 20 80 '{"web2":10,"web4":10}'
turns seventh 30 81 '{"web2":15,"web4":15}'
must wait_until 10 full_in_mail

# All of it outlives the daemon.
known() {
	lb_json '[.virtual_servers[] | {name, ready, minimum, backups_in_use, backends: [.backends[] |
		{name, state, backup, weight, effective_weight, max_connections}]}] | tojson'
}
is_known() {
	[[ $(known) == "$1" ]]
}
both_are_whole() {
	[[ $(tool_ask sixth round | jq -c '[.open, .broken]')$(tool_ask seventh round | jq -c '[.open, .broken]') == \
		'[20,0][30,0]' ]]
}
before=$(known)
daemon_stop lb KILL
lb_start
fact a_kill_changes_nothing_of_it wait_until 10 is_known "$before"
fact and_breaks_no_connection both_are_whole
weights_config 67% | lb_write_config
must lb reload
fact a_share_of_two_is_rounded_up wait_until 5 is_server web '.ready, .minimum, .backups_in_use' "false 2 1"
weights_config | lb_write_config
must lb reload
fact a_reload_changes_nothing_of_it wait_until 5 is_known "$before"
fact and_breaks_none_either both_are_whole

# They return: new ones go to them alone, and what the backup has it keeps.
tool_start server-web1 web1 named_server web1 "$VIP:80" "[$VIP6]:80" "$VIP:81" "[$VIP6]:81"
must wait_until 20 backend_is web1 up
fact the_backup_leaves_when_others_return wait_until 5 is_server web '.ready, .minimum, .backups_in_use' "true 2 0"
fact new_ones_go_to_the_others_alone turns eighth 40 80 '{"web1":30,"web2":10}'
fact what_the_backup_has_it_keeps both_are_whole
fact a_word_stands_until_configured equal "$(in_server mail web2 weight)" 1
must lb weight web2 configured
fact then_the_file_holds equal "$(in_server web web2 weight) $(in_server mail web2 weight)" "1 4"
