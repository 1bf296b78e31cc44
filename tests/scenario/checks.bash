# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The agent knows whether its service works: for each kind of check the server goes bad, gets no new
# connection, the balancer says why, and it comes back.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 2 --no-nginx
nginx_files
mkdir "$work/signs"
chmod 755 "$work/signs"
printf '0\n' > "$work/signs/status"
: > "$work/signs/serve"
echo all is well > "$work/files/health"

# A plugin as those of Nagios: its status and its text are in files.
cat > "$work/signs/plugin" <<- END
	#!/bin/sh
	read -r status < $work/signs/status
	echo "DISK \$status | /=5"
	exit \$status
	END
chmod 755 "$work/signs/plugin"

# web1_checks LINES…
web1_checks() {
	agent_configure web1 < <(agent_default_config web1 "$LB" "check-interval = 200ms" && printf '%s\n' "$@")
}

nginx_stop() {
	local pid=nginx_pid_web1
	stop_pid "${!pid}" QUIT
}

# Every new connection is web2's.
web1_gets_nothing() {
	equal "$(on client curl -sS --no-progress-meter --max-time $((20 * SLOW)) -Z -H 'Connection: close' "http://$VIP/?[1-40]" | sort -u)" web2
}

serves_again() {
	wait_until 10 backend_is web1 up && wait_until 5 says '^web1$' fetch /
}

# goes_bad NAME STATE REASON
goes_bad() {
	fact "$1_is_$2" wait_until 10 backend_is web1 "$2"
	fact "$1_names_its_reason" wait_until 5 says "web1 .*$2 .*agent: $3" lb backends
	fact "$1_gets_no_new_connection" web1_gets_nothing
}

web1_checks 'check = tcp:80' 'check = tcp:80x'
fact a_bad_check_is_refused_with_its_place says 'agent.conf:8: check: "tcp:80x" has no port' \
	"$work/bin/dsr-agent" check-config --config "$work/web1/agent.conf"
web1_checks 'check = tcp:80' "check = exec:$work/signs/plugin -w 20%" "check = file:$work/signs/serve"
nginx_start web2
# Who fails again and again is asked for many good answers: they shall not take long.
lb_configure < <(lb_default_config | sed "s/^interface.*/&\nheartbeat-interval = $((100 * SLOW))ms/")
lb_start
agents_start
must wait_until 20 backend_is web2 up
fact a_server_that_never_worked_registers wait_until 10 backend_is web1 down
fact and_names_what_is_missing says "agent: nothing accepts on $VIP:80 \(connection refused\) and 1 more" lb backends
fact the_agent_says_so_too says "web1: (pending|down): nothing accepts on $VIP:80" agent web1 status
nginx_start web1
fact it_serves_when_each_check_has_succeeded serves_again
fact every_check_is_shown equal \
	"$(agent web1 status --json | jq -r '[.checks[] | .name | sub(" .*"; "")] | join(" ")')" \
	"tcp:80 tcp:80 exec:$work/signs/plugin file:$work/signs/serve"
fact each_is_up_and_took_its_time equal \
	"$(agent web1 status --json | jq '[.checks[] | .state == "up" and .took_ms > 0 and .since_s >= 0] | all')" true

nginx_stop
goes_bad tcp down "nothing accepts on $VIP:80 \(connection refused\) and 1 more"
nginx_start web1
fact tcp_serves_again serves_again

# Well for the host, but not for clients.
nginx_stop
sed -i 's/listen 80 /listen 127.0.0.1:80 /; s/listen \[::\]:80 /listen [::1]:80 /' "$work/web1/nginx.conf"
start_on web1 "$work/web1/nginx.out" nginx -p "$work/web1" -e "$work/web1/nginx.log" -c "$work/web1/nginx.conf"
nginx_pid_web1=$started
must wait_until 10 on web1 curl -sf -o /dev/null http://127.0.0.1/
goes_bad the_wrong_address down "nothing accepts on $VIP:80"
nginx_stop
nginx_start web1
fact the_right_address_serves_again serves_again

printf '1\n' > "$work/signs/status"
fact a_warning_is_shown wait_until 5 says "warning: exec $work/signs/plugin: DISK 1$" agent web1 status
fact a_warning_is_up backend_is web1 up
printf '2\n' > "$work/signs/status"
goes_bad exec down "exec $work/signs/plugin: DISK 2"
printf '0\n' > "$work/signs/status"
fact exec_serves_again serves_again

# By name, of which no name server knows; the answer is the server's own.
url=http://www.example/files/health
web1_checks "check = $url body='all is well'"
must agent web1 reload
fact http_is_proven wait_until 5 says "^http://www.example.* +$VIP +up " agent web1 status
echo all is lost > "$work/files/health"
goes_bad body down "$url on $VIP answers without \"all is well\" and 1 more"
rm "$work/files/health"
fact a_status_is_named wait_until 5 says "agent: $url on $VIP answers 404 and 1 more" lb backends
echo all is well > "$work/files/health"
fact http_serves_again serves_again

web1_checks "check = file:$work/signs/serve"
must agent web1 reload
rm "$work/signs/serve"
goes_bad file drain "file $work/signs/serve is not there"
: > "$work/signs/serve"
fact file_serves_again serves_again

web1_checks 'check = tcp:80' "check = exec:/bin/sh -c 'sleep 60'"
must agent web1 reload
fact a_reload_keeps_a_server_that_serves backend_is web1 up
fact what_hangs_is_down wait_until 20 backend_is web1 down
fact what_hangs_is_named says 'agent: exec /bin/sh: no answer within 1000 ms' lb backends
fact its_heartbeats_were_answered not grep -q 'web1: .*no answer to' "$work/lb/log"
web1_checks 'check = tcp:80'
must agent web1 reload
fact without_the_check_it_serves_again serves_again
