# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Passive FTP by a real server and client: the data connections go to other ports of the VIP and have to
# meet the server of the control connection. An any-port virtual server keeps a client's ports together
# under source-hash; under any scheduler, persistence does.
. "$(dirname "$0")/../netns/topology.bash"

command -v vsftpd > /dev/null || skip 'no vsftpd; `make deps` installs it'
topology_up --webs 3 --no-nginx
# configure LINE…
configure() {
	lb_configure <<- END
		[balancer]
		interface = eth0
		key-file = $work/lb/keys

		[virtual-server ftp]
		vip = $VIP, $VIP6
		port = any
		$(printf '%s\n' "$@")
	END
}
configure 'scheduler = source-hash'

# The files that all servers serve; of different sizes, the smallest empty.
mkdir -p "$work/ftp" "$work/nothing"
for idx in {1..100}; do
	head -c "$(((idx - 1) * 997))" /dev/urandom > "$work/ftp/file$idx"
done
chmod 755 "$work/ftp" "$work/nothing"
chmod 644 "$work"/ftp/*
for idx in 1 2 3; do
	cat > "$work/vsftpd$idx.conf" <<- END
		listen_ipv6=YES
		background=NO
		anonymous_enable=YES
		local_enable=NO
		no_anon_password=YES
		anon_root=$work/ftp
		ftp_username=daemon
		nopriv_user=nobody
		secure_chroot_dir=$work/nothing
		ftpd_banner=web$idx
		pasv_enable=YES
		xferlog_enable=NO
		seccomp_sandbox=NO
		session_support=NO
		isolate_network=NO
	END
	chmod 600 "$work/vsftpd$idx.conf"
	start_on "web$idx" "$work/vsftpd$idx.log" vsftpd "$work/vsftpd$idx.conf"
done
serves_ftp() {
	on "$1" curl -s --max-time 2 "ftp://127.0.0.1/" > /dev/null
}
for idx in 1 2 3; do
	must wait_until 10 serves_ftp "web$idx"
done
lb_and_agents_start
must wait_until 30 membership_is_quiet

# Clients of other addresses, so that source-hash has a choice.
sources=("$CLIENT")
for idx in {20..28}; do
	addresses client eth0 "203.0.113.$idx/24"
	sources+=("203.0.113.$idx")
done

# get NAME SOURCE HOST FIRST LAST [CURL ARGUMENTS…] : one control connection, a data connection for each file.
get() {
	local name=$1 source=$2 host=$3 first=$4 range="[$4-$5]"
	shift 5
	mkdir -p "$work/got-$name"
	on client curl -sS -v --max-time 40 --interface "$source" "$@" -o "$work/got-$name/file#1" \
		"ftp://$host/file$range" 2>> "$work/curl-$name-$first.log"
}
arrived() {
	local status=0
	diff -r "$work/ftp" "$work/got-$1" || status=1
	rm -rf "$work/got-$1"
	return "$status"
}
all_end() {
	local pid
	for pid; do
		wait "$pid" || return 1
	done
}
# hundred_files NAME SOURCE HOST [CURL ARGUMENTS…] : over five control connections. curl sleeps for a second when
# a server answers PASV as soon as it is asked (7.88: it polls before there is a socket to poll for).
hundred_files() {
	local first pids=()
	for first in 1 21 41 61 81; do
		get "$1" "$2" "$3" "$first" "$((first + 19))" "${@:4}" &
		pids+=("$!")
	done
	all_end "${pids[@]}" && arrived "$1"
}
# Ten addresses, ten files each.
from_ten_clients() {
	local idx pids=()
	for idx in {0..9}; do
		get ten "${sources[idx]}" "$VIP" "$((idx * 10 + 1))" "$((idx * 10 + 10))" --ftp-pasv &
		pids+=("$!")
	done
	all_end "${pids[@]}" && arrived ten
}

hundred_files_each() {
	local pasv epsv ip6 ten servers
	rm -f "$work"/curl-*.log
	hundred_files pasv "$CLIENT" "$VIP" --ftp-pasv --disable-epsv &
	pasv=$!
	hundred_files epsv "$CLIENT" "$VIP" --ftp-pasv &
	epsv=$!
	hundred_files ip6 "$CLIENT6" "[$VIP6]" --ftp-pasv &
	ip6=$!
	from_ten_clients &
	ten=$!
	fact "a_hundred_files_by_PASV_under_$1" wait "$pasv"
	fact "each_had_a_data_connection_under_$1" at_least \
		"$(grep -c '227 Entering Passive Mode' <(cat "$work"/curl-pasv-*.log))" 100
	fact "a_hundred_files_by_EPSV_under_$1" wait "$epsv"
	fact "a_hundred_files_over_ipv6_under_$1" wait "$ip6"
	fact "a_hundred_files_by_ten_clients_under_$1" wait "$ten"
	servers=$(grep -ohE '220 web[123]' "$work"/curl-*.log | sort | uniq -c | tr '\n' ';')
	note "greeted: $servers"
	fact "not_all_by_one_server_under_$1" at_least "$(grep -o web <<< "$servers" | wc -l)" 2
	# A server that hears a data connection for a passive port of another refuses it.
	fact "no_connection_was_refused_under_$1" equal \
		"$(cat "$work"/curl-*.log | grep -cE '\bConnection refused|425 |426 ')" 0
}

hundred_files_each source_hash
fact no_record_was_needed equal "$(lb flows ftp --json | jq length)" 0
# Turns alone would send a data connection to another server than the control connection.
configure 'scheduler = rr' 'persistence = 60s'
must lb reload
hundred_files_each persistence
fact all_were_recorded at_least "$(lb flows ftp --json | jq length)" 400
