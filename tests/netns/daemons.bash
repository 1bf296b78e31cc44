# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The two programs in a scenario's network, run as their units run them: a user of their own, only
# the unit's capabilities, /proc/sys read-only; each with directories of its own. Sourced by
# topology.bash.

# Numbers without an account are enough; ours alone, so that ownership is tested.
LB_UID=64501
LB_CAPABILITIES=+net_raw,+net_admin,+bpf,+perfmon
AGENT_UID=64502
declare -A daemon_pid=()

# Keys and copies of the programs where the daemons' users can reach them.
daemons_prepare() {
	mkdir "$work/bin"
	install -m 755 "$BUILD/dsr-lb" "$BUILD/dsr-agent" "$work/bin/" || exit 1
	"$work/bin/dsr-lb" keygen > "$work/key" || exit 1
	[[ -s $work/key ]] || exit 1
}

# lb_pins NAME : a bpffs in its runtime directory, as the unit mounts it. Where there can be none, the
# balancer does without. Its source is this run's name: so a leftover is known.
lb_pins() {
	local pins=$work/$1/run/bpf
	[[ ! -e $pins ]] || return
	mkdir "$pins"
	if mount -t bpf -o nosuid,nodev,noexec,mode=0700 "$DSR_TEST_RUN" "$pins" 2> /dev/null; then
		chown "$LB_UID:$LB_UID" "$pins"
	else
		rmdir "$pins"
	fi
}

# lb_forget NAME : what stays goes, as the manual says: the program, then all that is kept.
lb_forget() {
	ip_on "$1" link set dev eth0 xdp off
	on "$1" "$BUILD/tests/harness/tcx" eth0 detach > /dev/null
	on "$1" tc filter del dev eth0 ingress 2> /dev/null
	! mountpoint -q "$work/$1/run/bpf" || umount "$work/$1/run/bpf"
	rm -rf "$work/$1/run"
}

# daemon_directories NAME UID
daemon_directories() {
	local dir
	mkdir -p "$work/$1"
	for dir in run state; do
		[[ -d $work/$1/$dir ]] || install -d -m 755 -o "$2" -g "$2" "$work/$1/$dir"
	done
}

key_file() {
	[[ -e $1 ]] || install -m 600 -o "$2" -g "$2" "$work/key" "$1"
}

# daemon_start NAME HOST UID CAPABILITIES COMMAND… ; capabilities as setpriv takes them
daemon_start() {
	local name=$1 host=$2 uid=$3 capabilities=$4
	shift 4
	printf -- '-- start at %s: %s\n' "$(date +%T.%3N)" "$*" >> "$work/$name/log"
	# LeakSanitizer traces its own process, which one that gained capabilities does not allow.
	start_on "$host" "$work/$name/log" env -u RUNTIME_DIRECTORY -u STATE_DIRECTORY \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" \
		unshare --mount sh -c 'mount --bind /proc/sys /proc/sys &&
			mount -o remount,bind,ro /proc/sys && exec "$@"' sh \
		setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs \
		--inh-caps "-all,$capabilities" --ambient-caps "-all,$capabilities" \
		--bounding-set "-all,$capabilities" "$@"
	daemon_pid[$name]=$started
}

# lb_default_config [NAME] : web servers at the VIPs, port 80.
lb_default_config() {
	cat <<- END
		[balancer]
		interface = eth0
		key-file = $work/${1:-lb}/keys

		[virtual-server web]
		vip = $VIP, $VIP6
		port = 80
	END
}

# lb_write_config [NAME] < CONFIGURATION : with the engine that the run asks for, unless it names one.
lb_write_config() {
	local file=$work/${1:-lb}/lb.conf
	cat > "$file"
	[[ -z $MODE ]] || grep -q '^mode' "$file" || sed -i "/^\[balancer\]/a mode = $MODE" "$file"
	# A host that is this slow does not answer in 900 ms.
	((SLOW == 1)) || grep -q '^heartbeat-interval' "$file" ||
		sed -i "/^\[balancer\]/a heartbeat-interval = $((300 * SLOW))ms" "$file"
}

# lb_configure [NAME] < CONFIGURATION
lb_configure() {
	daemon_directories "${1:-lb}" "$LB_UID"
	[[ -n ${lb_without_pins:-} ]] || lb_pins "${1:-lb}"
	key_file "$work/${1:-lb}/keys" "$LB_UID"
	lb_write_config "${1:-lb}"
}

# lb_launch [NAME [OPTION…]] : starts it and does not wait.
lb_launch() {
	local name=${1:-lb}
	[[ -e $work/$name/lb.conf ]] || lb_configure "$name" < <(lb_default_config "$name")
	daemon_start "$name" "$name" "$LB_UID" "$LB_CAPABILITIES" "$work/bin/dsr-lb" run \
		--config "$work/$name/lb.conf" \
		--runtime-dir "$work/$name/run" --state-dir "$work/$name/state" "${@:2}"
}

lb_start() {
	lb_launch "$@"
	must wait_until 20 lb_answers "${1:-lb}"
	must wait_until 5 lb_engine_is_as_asked "${1:-lb}"
}

# lb_mode_is MODE [NAME] : the engine that forwards.
lb_mode_is() {
	[[ $(lb_json .mode "${2:-lb}") == "$1" ]]
}

lb_engine_is_as_asked() {
	local asked
	asked=$(sed -n 's/^mode = //p' "$work/$1/lb.conf")
	[[ -z $asked || $asked == auto ]] || lb_mode_is "$asked" "$1"
}

lb_answers() {
	local status=0
	dsr_lb "$1" status > /dev/null 2>&1 || status=$?
	((status <= 2))
}

# dsr_lb NAME VERB [ARGUMENT…] ; lb is short for `dsr_lb lb`.
dsr_lb() {
	local there=()
	# The others ask the daemon, by its socket.
	[[ $2 != doctor && $2 != check-config ]] || there=(on "$1")
	"${there[@]}" "$work/bin/dsr-lb" "$2" --runtime-dir "$work/$1/run" --state-dir "$work/$1/state" "${@:3}"
}

lb() {
	dsr_lb lb "$@"
}

lb_json() {
	dsr_lb "${2:-lb}" status --json | jq -r "$1"
}

# agent_configure NAME < CONFIGURATION
agent_configure() {
	daemon_directories "$1" "$AGENT_UID"
	key_file "$work/$1/key" "$AGENT_UID"
	cat > "$work/$1/agent.conf"
}

# agent_default_config NAME [BALANCERS] [EXTRA LINES]
agent_default_config() {
	cat <<- END
		[agent]
		balancer = ${2:-$LB}
		vip = $VIP, $VIP6
		key-file = $work/$1/key
		name = $1
		${3:-}
	END
}

# agent_prepare NAME : what it needs to start.
agent_prepare() {
	[[ -e $work/$1/agent.conf ]] || agent_configure "$1" < <(agent_default_config "$1")
}

# agent_start NAME : starts it and does not wait. A drop-in of its unit may give it other capabilities, $agent_capabilities.
agent_start() {
	agent_prepare "$1"
	daemon_start "$1" "$1" "$AGENT_UID" "${agent_capabilities:-+net_admin}" "$work/bin/dsr-agent" run \
		--config "$work/$1/agent.conf" \
		--runtime-dir "$work/$1/run" --state-dir "$work/$1/state"
}

agent() {
	local name=$1 verb=$2
	shift 2
	"$work/bin/dsr-agent" "$verb" --runtime-dir "$work/$name/run" --state-dir "$work/$name/state" "$@"
}

agent_answers() {
	local status=0
	agent "$1" status > /dev/null 2>&1 || status=$?
	((status <= 2))
}

# agent_is NAME STATE : what it says of itself.
agent_is() {
	[[ $(agent "$1" status --json | jq -r .state) == "$2" ]]
}

# One right after the other, on a busy machine too: who comes when membership has been quiet for seven
# seconds gets rows that move.
agents_start() {
	local idx
	for ((idx = 1; idx <= topology_webs; idx++)); do
		agent_prepare "web$idx"
	done
	for ((idx = 1; idx <= topology_webs; idx++)); do
		agent_start "web$idx"
	done
}

# daemon_stop NAME [SIGNAL] : and waits until it is gone.
daemon_stop() {
	stop_pid "${daemon_pid[$1]}" "${2:-TERM}"
}

# backend_field FIELD BACKEND [BALANCER] : in the first virtual server that has it.
backend_field() {
	dsr_lb "${3:-lb}" status --json | jq -r --arg name "$2" \
		"[.virtual_servers[].backends[] | select(.name == \$name)][0].$1"
}

backend_is() {
	[[ $(backend_field state "$1" "${3:-lb}") == "$2" ]]
}

# backends_up N [BALANCER] : exactly so many, counted once each.
backends_up() {
	[[ $(dsr_lb "${2:-lb}" status --json | jq '[.virtual_servers[].backends[] |
		select(.state == "up") | .name] | unique | length') == "$1" ]]
}

# What the status says is in the tables a moment later: nothing was published for so long.
is_in_force() {
	local before
	before=$(lb_json .publications.count)
	sleep_ms 300
	[[ $(lb_json .publications.count) == "$before" ]]
}

# backends_serve N : exactly so many are up, and in the tables that packets go by, which follow what the status knows.
backends_serve() {
	[[ $(lb_json '[.virtual_servers[].backends[] | select(.state == "up" and .share > 0) | .name] |
		unique | length') == "$1" ]]
}

# tables_share VIRTUAL-SERVER COUNT EXPECTED : so many connections would be shared like that, in jq's words, by the tables that
# packets go by now.
tables_share() {
	[[ $(lb_json "[.virtual_servers[] | select(.name == \"$1\").backends[] | select(.share > 0) |
		{(.name): (.share * $2 | round)}] | add == $3") == true ]]
}

# A balancer that started with nothing lets flows follow every change until membership has been
# quiet for seven seconds: whoever registers now may have served them before.
membership_is_quiet() {
	[[ $(dsr_lb "${1:-lb}" status --json |
		jq '[.virtual_servers[].backends[].since_s] | min > 8.5') == true ]]
}

# lb_and_agents_start : all of it, until every server is up.
lb_and_agents_start() {
	lb_start
	agents_start
	must wait_until 20 backends_up "$topology_webs"
}

# After a failure: what the daemons said and think.
daemons_tell() {
	local name
	for name in "${!daemon_pid[@]}"; do
		printf '# --- %s (process %s%s)\n' "$name" "${daemon_pid[$name]}" \
			"$(gone "${daemon_pid[$name]}" && printf ', ended')"
		tail -n 40 "$work/$name/log" | sed 's/^/#   /'
		if [[ $name == lb* ]]; then
			timeout 5 "$work/bin/dsr-lb" backends --runtime-dir "$work/$name/run" 2>&1 | sed 's/^/#   /'
		fi
	done
}

daemons_sanitizer_reports() {
	local name found=0
	for name in "${!daemon_pid[@]}"; do
		! grep -qE 'ERROR: [A-Za-z]+Sanitizer|runtime error:|WARNING: ThreadSanitizer' \
			"$work/$name/log" || {
			printf '# sanitizer report of %s:\n' "$name"
			grep -EA 25 'ERROR: [A-Za-z]+Sanitizer|runtime error:|WARNING: ThreadSanitizer' \
				"$work/$name/log" | head -n 60 | sed 's/^/#   /'
			found=1
		}
	done
	return "$found"
}
