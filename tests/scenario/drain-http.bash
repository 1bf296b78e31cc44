# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A real server goes away for maintenance under HTTP load on nginx: `drain --wait` ends when its kernel has no connection left, its nginx
# is stopped and started, it is enabled; no request fails.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/requests.bash"

topology_up --webs 3
truncate -s 100k "$work/files/100k"
lb_and_agents_start
must wait_until 20 membership_is_quiet
kernel_watch web2
# 60 at a time, of two seconds each.
requests_start 60 "http://$VIP/paced/100k?rate=50k&[1-5000]"
has_its_share() {
	(($(open_on web2) >= 10))
}
must wait_until 10 has_its_share

begin_us=$(now_us)
fact a_drain_that_waits_ends_well lb drain web2 --wait=30s
ended_us=$(now_us)
fact no_connection_is_left_then equal "$(open_on web2)" 0
note "it took $(((ended_us - begin_us) / 1000)) ms"
had_us=$(kernel_had_us web2)
fact it_had_some_when_it_began at_least "$(((had_us - begin_us) / 1000))" 200
# It asks once a second; and what its agent counted comes with the next heartbeat.
fact it_ends_soon_after_the_last at_most "$(((ended_us - had_us) / 1000))" $((2000 * SLOW))
read -r _ begun <<< "$(kernel_at web2 $((begin_us + 200000 * SLOW)))"
read -r _ begun_then <<< "$(kernel_at web2 "$ended_us")"
fact nothing_new_came_meanwhile equal "$begun_then" "$begun"

must stop_pid "$nginx_pid_web2"
answered=$(wc -l < "$work/requests")
others_answer() {
	(($(wc -l < "$work/requests") >= answered + 30))
}
fact without_its_nginx_the_others_serve wait_until 10 others_answer
nginx_start web2
must lb enable web2
fact enabled_it_is_up wait_until 10 backend_is web2 up
fact and_has_its_share_again wait_until 20 has_its_share
requests_stop
note "$(wc -l < "$work/requests") requests"
fact no_request_fails requests_are_well
