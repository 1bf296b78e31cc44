# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Who may serve is an administrator's word: with `adopt = approve` everybody waits for it, and what was said holds
# over a kill and a stop of the balancer, while the backend is there and while it is away. A name alone is not whom
# it was said of.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 3 --no-nginx
servers_start 80
lb_configure < <(lb_default_config | sed '/^\[balancer\]/a adopt = approve')
lb_start

# is_so BACKEND STATE REASON
is_so() {
	[[ $(backend_field state "$1") == "$2" && $(backend_field reason "$1") == "$3"* ]]
}
waits() {
	is_so "$1" pending "waits for approval: dsr-lb adopt $1"
}
is_listed() {
	[[ $(lb_json "[.virtual_servers[].backends[].name] | index(\"$1\") != null") == "$2" ]]
}
# is_refused NAME REASON : by what the balancer tells.
is_refused() {
	[[ $(lb_json "[.refusals[] | select(.address == \"$(web_address "$1")\") | .reason] | join(\" \")") == "$2" ]]
}
# who : serve four connections, whoever the clients are.
who() {
	local idx
	for idx in 1 2 3 4; do
		on client curl -sS --http0.9 --max-time 2 "telnet://$VIP:80" < /dev/null 2> /dev/null
	done | sort -u | paste -sd ' '
}
# leaves NAME : its agent, which says so where it is registered.
leaves() {
	[[ $(backend_field state "$1") != up ]] || must wait_until 20 agent_is "$1" up
	daemon_stop "$1"
	must wait_until 20 is_listed "$1" false
}
again() {
	daemon_stop lb "$1"
	lb_start
}

agent_start web1
agent_start web2
fact whom_nobody_has_approved_waits wait_until 20 waits web1
must wait_until 20 waits web2
fact and_serves_nobody exits 2 lb status
must lb adopt web1
fact who_is_adopted_serves wait_until 20 backend_is web1 up
must lb reject web2
fact who_is_rejected_does_not wait_until 5 is_so web2 maint "rejected by an administrator"
fact clients_get_the_adopted_one_alone equal "$(who)" web1

# Over a restart, while both are away.
for signal in KILL TERM; do
	leaves web1
	leaves web2
	again "$signal"
	agent_start web1
	agent_start web2
	fact "the_adopted_one_that_was_away_serves_after_$signal" wait_until 20 backend_is web1 up
	fact "the_rejected_one_that_was_away_is_refused_after_$signal" wait_until 20 is_refused web2 policy:admin
	fact "it_is_told_so_after_$signal" wait_until 5 says 'rejected by an administrator' agent web2 status
	fact "clients_get_the_other_alone_after_$signal" equal "$(who)" web1
done
must lb adopt web2
fact adopted_it_is_let_in wait_until 30 backend_is web2 up
must lb reject web2

# And while both are there.
for signal in KILL TERM; do
	again "$signal"
	fact "the_adopted_one_serves_after_$signal" wait_until 20 backend_is web1 up
	fact "the_rejected_one_does_not_after_$signal" wait_until 5 is_so web2 maint "rejected by an administrator"
	fact "clients_get_the_adopted_one_alone_after_$signal" equal "$(who)" web1
done

must lb adopt web2
must wait_until 30 backend_is web2 up

# The name of one that left, with the same key, at another address.
leaves web1
again KILL
agent_prepare web3
sed -i 's/^name = .*/name = web1/' "$work/web3/agent.conf"
agent_start web3
fact a_stranger_with_its_name_waits wait_until 20 waits web1
fact clients_do_not_get_it equal "$(who)" web2
fact it_is_the_stranger equal "$(backend_field address web1)" "$(web_address web3)"
must wait_until 20 agent_is web3 up
daemon_stop web3
must wait_until 20 is_listed web1 false
agent_start web1
fact whom_it_was_said_of_serves_without_a_word wait_until 20 backend_is web1 up
