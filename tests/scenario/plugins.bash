# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Packaged Nagios plugins as checks, against the servers that Debian packages: six lines of the manual, each of
# them well while its server runs, and named when it does not.
. "$(dirname "$0")/../netns/topology.bash"

plugins=/usr/lib/nagios/plugins
for tool in $plugins/check_ftp $plugins/check_smtp $plugins/check_pop $plugins/check_mysql $plugins/check_ldap \
	$plugins/check_snmp vsftpd smtpd dovecot mariadbd slapd snmpd snmpget; do
	PATH=$PATH:/usr/sbin command -v "$tool" > /dev/null || skip "no $tool; \`make deps-all\` installs it"
done
topology_up --webs 1 --no-nginx
dir=$work/servers
mkdir "$dir" "$dir/nothing" "$dir/ldap" "$dir/mysql" "$dir/dovecot"
chmod 755 "$dir" "$dir/nothing"
echo 'nameserver 127.0.0.1' > "$dir/resolv.conf"
declare -A server_pid=()

# serve NAME COMMAND… : on web1, where what it writes below /run and /var/spool is its own. Names are asked of
# nobody, so that no server waits for an answer about its client.
serve() {
	local name=$1
	shift
	# shellcheck disable=SC2016
	start_on web1 "$dir/$name.log" unshare --mount sh -c '
		conf=$1; shift
		mount --bind "$conf" /etc/resolv.conf && mount -t tmpfs run /run && mount -t tmpfs spool /var/spool &&
			exec "$@"' sh "$dir/resolv.conf" "$@"
	server_pid[$name]=$started
}

cat > "$dir/ftp.conf" <<- END
	listen_ipv6=YES
	background=NO
	anonymous_enable=YES
	local_enable=NO
	no_anon_password=YES
	anon_root=$dir/nothing
	ftp_username=daemon
	nopriv_user=nobody
	secure_chroot_dir=$dir/nothing
	seccomp_sandbox=NO
	session_support=NO
	isolate_network=NO
END
chmod 600 "$dir/ftp.conf"
cat > "$dir/smtp.conf" <<- END
	listen on $VIP port 25
	action "local" mbox
	match for local action "local"
END
cat > "$dir/pop.conf" <<- END
	base_dir = /run/dovecot
	state_dir = /run/dovecot-state
	log_path = $dir/pop.log
	protocols = pop3
	listen = $VIP
	ssl = no
	passdb {
	  driver = static
	  args = nopassword=y
	}
	userdb {
	  driver = static
	  args = uid=nobody gid=nogroup home=$dir/nothing
	}
END
cat > "$dir/ldap.conf" <<- END
	include /etc/ldap/schema/core.schema
	pidfile /run/slapd.pid
END
cat > "$dir/snmp.conf" <<- END
	agentaddress udp:$VIP:161
	rocommunity public
	persistentDir $dir
END

start_ftp() { serve ftp vsftpd "$dir/ftp.conf"; }
start_smtp() { serve smtp smtpd -d -f "$dir/smtp.conf"; }
start_pop() { serve pop dovecot -F -c "$dir/pop.conf"; }
start_mysql() { serve mysql mariadbd --no-defaults --user=mysql --datadir="$dir/mysql" --socket="$dir/mysql/socket" --tmpdir="$dir/mysql" \
	--bind-address="$VIP" --skip-grant-tables --skip-name-resolve --innodb-buffer-pool-size=8M --skip-log-bin; }
start_ldap() { serve ldap slapd -f "$dir/ldap.conf" -h "ldap://$VIP" -d 0; }
start_snmp() { serve snmp snmpd -f -Lo -C -c "$dir/snmp.conf"; }

chown mysql "$dir/mysql"
must mariadb-install-db --no-defaults --user=mysql --datadir="$dir/mysql" --skip-test-db > "$dir/install.log" 2>&1

agent_configure web1 < <(
	agent_default_config web1 "$LB" "check-timeout = $((5 * SLOW))s"
	cat <<- END
		check-interval = 500ms
	END
	grep -oE "check = exec:$plugins/check_(ftp|smtp|pop|mysql|ldap|snmp) .*" man/dsr-agent.conf.5.scd
)

# check_is NAME STATE : what the agent says of it.
check_is() {
	[[ $(agent web1 status --json |
		jq -r --arg name "exec:$plugins/check_$1 " '.checks[] | select(.name | startswith($name)) | .state') == "$2" ]]
}

# With the last words of a server that is not well.
is_well() {
	wait_until 20 check_is "$1" up || {
		note "$(tail -n 5 "$dir/$1.log")"
		return 1
	}
}

lb_configure < <(lb_default_config | sed 's/^port = 80$/port = 21/')
lb_start
agent_start web1
must wait_until 20 agent_answers web1
vip_is_there() {
	[[ -n $(ip_on web1 address show dev lo to "$VIP") ]]
}
must wait_until 20 vip_is_there
for name in ftp smtp pop mysql ldap snmp; do
	"start_$name"
done
for name in ftp smtp pop mysql ldap snmp; do
	fact "${name}_is_well" is_well "$name"
done
fact all_together_are_up wait_until 30 backend_is web1 up
for name in ftp smtp pop mysql ldap snmp; do
	stop_pid "${server_pid[$name]}" TERM
	fact "${name}_is_missed" wait_until 60 check_is "$name" down
done
fact the_balancer_names_the_first says "agent: exec $plugins/check_ftp: .*refused.* and [0-9] more" lb backends
