# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Passive FTP by a real server and client: the data connections go to other ports of the VIP and have to
# meet the server of the control connection. An any-port virtual server under source-hash keeps a
# client's ports together.
. "$(dirname "$0")/../netns/topology.bash"

command -v vsftpd > /dev/null || skip 'no vsftpd; `make deps` installs it'
topology_up --webs 3 --no-nginx
lb_configure <<- END
	[balancer]
	interface = eth0
	key-file = $work/lb/keys

	[virtual-server ftp]
	vip = $VIP, $VIP6
	port = any
	scheduler = source-hash
END

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
must wait_until 20 membership_is_quiet

# Clients of other addresses, so that source-hash has a choice.
sources=("$CLIENT")
for idx in {20..28}; do
	addresses client eth0 "203.0.113.$idx/24"
	sources+=("203.0.113.$idx")
done

# get SOURCE HOST FIRST LAST [CURL ARGUMENTS…] : one control connection, a data connection for each file.
get() {
	local source=$1 host=$2 range="[$3-$4]"
	shift 4
	mkdir -p "$work/got"
	on client curl -sS -v --max-time 40 --interface "$source" "$@" -o "$work/got/file#1" \
		"ftp://$host/file$range" 2>> "$work/curl.log"
}
arrived() {
	local status=0
	diff -r "$work/ftp" "$work/got" || status=1
	rm -rf "$work/got"
	return "$status"
}
hundred_files() {
	get "$1" "$2" 1 100 "${@:3}" && arrived
}
# Ten addresses, ten files each.
from_ten_clients() {
	local idx
	for idx in {0..9}; do
		get "${sources[idx]}" "$VIP" "$((idx * 10 + 1))" "$((idx * 10 + 10))" --ftp-pasv || return 1
	done
	arrived
}

fact a_hundred_files_by_PASV hundred_files "$CLIENT" "$VIP" --ftp-pasv --disable-epsv
fact each_had_a_data_connection_of_its_own at_least "$(grep -c '227 Entering Passive Mode' "$work/curl.log")" 100
fact a_hundred_files_by_EPSV hundred_files "$CLIENT" "$VIP" --ftp-pasv
fact a_hundred_files_over_ipv6 hundred_files "$CLIENT6" "[$VIP6]" --ftp-pasv
fact a_hundred_files_by_ten_clients from_ten_clients
servers=$(grep -oE '220 web[123]' "$work/curl.log" | sort | uniq -c | tr '\n' ';')
note "greeted: $servers"
fact not_all_by_one_server at_least "$(grep -o web <<< "$servers" | wc -l)" 2
# A server that hears a data connection for a passive port of another refuses it.
fact no_connection_was_refused equal "$(grep -cE '\bConnection refused|425 |426 ' "$work/curl.log")" 0
fact no_record_was_needed equal "$(lb flows ftp --json | jq length)" 0
