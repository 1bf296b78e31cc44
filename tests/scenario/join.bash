# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# `dsr-lb token NAME` on the balancer, `dsr-agent join TOKEN` on a host that has nothing: it becomes a real server. Here
# no systemd starts it, so the join ends with 69 and all is written; with systemd it is the scenario systemd.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2 --no-nginx
servers_start 80
lb_configure < <(lb_default_config)

token() {
	on lb "$work/bin/dsr-lb" token --config "$work/lb/lb.conf" --runtime-dir "$work/lb/run" "$@"
}
# join HOST TOKEN
join() {
	on "$1" "$work/bin/dsr-agent" join --config "$work/$1/agent.conf" --runtime-dir "$work/$1/run" "$2"
}
for idx in 1 2; do
	daemon_directories "web$idx" "$AGENT_UID"
done

fact without_a_master_there_is_no_token exits 78 token web1
fact and_the_mend_is_said says 'dsr-lb keygen main master >> ' token web1
"$work/bin/dsr-lb" keygen main master >> "$work/lb/keys"
fact a_name_that_is_an_address_is_refused exits 64 token 192.0.2.11
fact a_token_needs_no_daemon exits 0 token web1
lb_start
token=$(token web1)
fact a_token_is_one_word says '^dsr1-[A-Za-z0-9_-]+$' printf '%s' "$token"
fact the_same_name_has_the_same_token equal "$(token web1)" "$token"
fact who_may_not_read_the_keys_gets_none exits 77 setpriv --reuid "$AGENT_UID" --clear-groups \
	"$work/bin/dsr-lb" token web1 --config "$work/lb/lb.conf"

has_nothing() {
	equal "$(ls "$work/web1")" "$(printf 'run\nstate')"
}
fact a_damaged_token_is_78 exits 78 join web1 "${token%?????}AAAAA"
fact a_part_of_one_is_78 exits 78 join web1 "${token:0:40}"
fact something_else_is_78 exits 78 join web1 "$(cat "$work/key")"
fact a_bad_token_leaves_nothing has_nothing

fact a_join_without_systemd_is_69 exits 69 join web1 "$token"
fact the_key_is_for_its_owner_alone equal "$(stat -c %a "$work/web1/key")" 600
fact the_key_is_that_of_the_name says '^main/web1 hex:[0-9a-f]{64}$' cat "$work/web1/key"
fact nothing_else_is_left equal "$(cd "$work/web1" && echo *)" "agent.conf key run state"
fact the_configuration_is_good on web1 "$work/bin/dsr-agent" check-config --config "$work/web1/agent.conf"
before=$(sha256sum "$work/web1/key" "$work/web1/agent.conf")
fact a_configuration_that_stands_is_78 exits 78 join web1 "$token"
mv "$work/web1/agent.conf" "$work/aside"
fact a_key_that_stands_is_78 exits 78 join web1 "$token"
mv "$work/aside" "$work/web1/agent.conf"
fact they_stay_as_they_were equal "$(sha256sum "$work/web1/key" "$work/web1/agent.conf")" "$before"

# Of the second host the token goes through a pipe, where no list of processes shows it.
fact a_token_may_come_from_stdin exits 69 join web2 - < <(token web2)
for idx in 1 2; do
	# What the unit does by a credential.
	chown "$AGENT_UID" "$work/web$idx/key"
	agent_start "web$idx"
done
for idx in 1 2; do
	fact "web${idx}_serves" wait_until 20 backend_is "web$idx" up
done
served() {
	local n
	for n in {1..30}; do
		on client timeout 5 bash -c "exec 3<> /dev/tcp/$1/80 && read -r name <&3 && echo \$name"
	done | sort -u | tr '\n' ' '
}
fact clients_reach_both equal "$(served "$VIP")" "web1 web2 "
fact over_ipv6_too equal "$(served "$VIP6")" "web1 web2 "

# A token is for one name: its key is no other's.
must daemon_stop web1
sed -i 's/^name = .*/name = web3/' "$work/web1/agent.conf"
fact the_key_is_good_for_its_name_alone says 'good for agent web1 alone' \
	on web1 "$work/bin/dsr-agent" check-config --config "$work/web1/agent.conf"
