# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Configurations that are wrong are refused with file, line and a hint, every error at once; a
# reload applies whole or not at all.
. "$(dirname "$0")/../netns/topology.bash"

topology_up --webs 1 --no-nginx
servers_start 80
lb_configure < <(lb_default_config)
agent_configure web1 < <(agent_default_config web1)

# check PROGRAM, with the configuration on stdin, as the program's user, whose key files these are
check() {
	local uid=$LB_UID
	[[ $1 == dsr-lb ]] || uid=$AGENT_UID
	cat > "$work/$1.conf"
	setpriv --reuid "$uid" --regid "$uid" --clear-groups "$work/bin/$1" check-config \
		--config "$work/$1.conf"
}
lb_refuses() {
	local pattern=$1 text=$2
	lb_default_config | sed "$text" > "$work/input"
	exits 78 check dsr-lb < "$work/input" && says "$pattern" check dsr-lb < "$work/input"
}
agent_refuses() {
	local pattern=$1 text=$2
	agent_default_config web1 | sed "$text" > "$work/input"
	exits 78 check dsr-agent < "$work/input" && says "$pattern" check dsr-agent < "$work/input"
}

announced() {
	on router ip neigh flush dev eth0
	on client curl -s --max-time 1 -o /dev/null "http://$1:8080/"
	ip_on router neigh show "$1" | grep -q "$(mac_of lb)"
}
equal_vips() {
	equal "$(agent web1 status --json | jq '.vips | length')" "$1"
}

fact a_good_configuration_passes check dsr-lb < <(lb_default_config)
fact an_agents_good_configuration_passes check dsr-agent < <(agent_default_config web1)
fact an_unknown_key_gets_a_suggestion lb_refuses 'conf:7: .*port' 's/^port/prot/'
fact a_missing_key_is_named lb_refuses 'interface' '/^interface/d'
fact a_value_out_of_range_is_named lb_refuses 'conf:7: ' 's/^port.*/port = 70000/'
fact a_repeated_key_is_refused lb_refuses 'conf:3: ' 's/^interface.*/&\n&/'
fact a_repeated_section_is_refused lb_refuses 'conf:8: ' '$a [virtual-server web]'
fact an_indented_key_is_refused lb_refuses 'conf:7: ' 's/^port/ port/'
fact an_overlong_line_is_refused lb_refuses 'conf:7: ' "s/^port.*/port = $(printf '%01100d' 1)/"
fact the_same_vip_and_port_twice_is_refused lb_refuses 'conf:7: .*other' \
	"\$a [virtual-server other]\\nvip = $VIP\\nport = 80"
fact a_real_server_with_a_port_is_refused lb_refuses 'port' '$a real-server = 192.0.2.11:80'
fact the_agents_unknown_key_is_refused agent_refuses 'conf:2: .*balancer' 's/^balancer/balancr/'
fact the_agents_missing_vip_is_named agent_refuses 'vip' '/^vip/d'
# An unknown key, one that is refused, what two virtual servers say together, and the key file.
every_error() {
	lb_default_config | sed 's|^key-file.*|key-file = /nonexistent/key|; s/^interface.*/&\nshedule = x\nworkers = 65/'
	printf '[virtual-server other]\nvip = %s\nport = 80\n' "$VIP"
}
all_at_once() {
	local error
	"$@" > "$work/errors" 2>&1
	for error in '3: shedule: ' '4: workers: ' '9: port: .*is served by virtual server other' '5: key-file: .*/nonexistent/key'; do
		says "\.conf:$error" cat "$work/errors" || return 1
	done
	equal "$(grep -c '\.conf:[0-9]*: ' "$work/errors")" 4
}
fact every_error_is_told_at_once all_at_once check dsr-lb < <(every_error)
fact a_missing_file_is_78 exits 78 "$work/bin/dsr-lb" check-config --config "$work/absent.conf"
fact and_its_mend_is_told says "absent.conf: cannot open: .*; write it, or name another" "$work/bin/dsr-lb" check-config --config "$work/absent.conf"

# Keys
with_mode() {
	chmod "$1" "$work/lb/keys"
	on lb setpriv --reuid "$LB_UID" --regid "$LB_UID" --clear-groups "$work/bin/dsr-lb" check-config \
		--config "$work/lb/lb.conf"
}
fact a_key_file_that_others_may_read_is_refused says 'keys' with_mode 644
chmod 600 "$work/lb/keys"
# without_keys PROGRAM [OPTION] : what it says of a configuration whose key file is not there.
without_keys() {
	local uid=$LB_UID
	lb_default_config > "$work/$1.conf"
	[[ $1 == dsr-lb ]] || agent_default_config web1 > "$work/$1.conf"
	[[ $1 == dsr-lb ]] || uid=$AGENT_UID
	sed -i 's|^key-file = .*|key-file = /nonexistent/key|' "$work/$1.conf"
	setpriv --reuid "$uid" --regid "$uid" --clear-groups "$work/bin/$1" check-config --config "$work/$1.conf" "${@:2}"
}
for program in dsr-lb dsr-agent; do
	fact "${program}_without_its_key_file_is_78" exits 78 without_keys "$program"
	fact "${program}_names_the_line_of_the_key" says "$program.conf:[34]: key-file: .*/nonexistent/key" \
		without_keys "$program"
	fact "${program}_may_leave_keys_out" exits 0 without_keys "$program" --no-keys
done
run_refused() {
	local status=0
	lb_launch
	wait_until 10 gone "${daemon_pid[lb]}" || return 1
	says "$1" tail -n 3 "$work/lb/log"
}
lb_default_config | sed 's/^port.*/port = none/' > "$work/lb/lb.conf"
fact run_refuses_a_broken_configuration run_refused 'lb\.conf:7: '
every_error > "$work/lb/lb.conf"
fact run_tells_every_error run_refused 'lb\.conf:9: port: .*is served by virtual server other'
fact the_key_file_with_them says 'lb\.conf:5: key-file: .*/nonexistent/key' tail -n 3 "$work/lb/log"
lb_default_config > "$work/lb/lb.conf"

lb_default_config | sed "s/^vip = .*/&, $ROUTER/" > "$work/lb/lb.conf"
fact run_refuses_a_vip_that_is_the_gateways run_refused "lb.conf:6: vip: $ROUTER is a gateway's address"
lb_default_config > "$work/lb/lb.conf"

# conf.d: later files extend and override.
mkdir -p "$work/conf.d"
printf '[virtual-server web]\nport = 81\n' > "$work/conf.d/10-more.conf"
printf '[virtual-server web]\nshceduler = x\n' > "$work/conf.d/20-broken.conf"
fact an_error_in_conf_d_names_its_file says '20-broken.conf:2: ' check dsr-lb < <(lb_default_config)
rm "$work/conf.d/20-broken.conf"
fact a_later_file_extends_a_section check dsr-lb < <(lb_default_config)
rm -r "$work/conf.d"

# A reload adds a virtual server, changes it, and takes it away.
lb_start
agent_start web1
must wait_until 20 backends_up 1
{
	lb_default_config
	printf '[virtual-server more]\nvip = %s\nport = 8080\n' "$VIP2"
} > "$work/lb/lb.conf"
generation=$(lb_json .config_generation)
fact a_reload_succeeds exits 0 lb reload
fact a_reload_adds_a_virtual_server equal "$(lb_json '[.virtual_servers[].name] | sort | join(" ")')" "more web"
fact the_generation_rises at_least "$(lb_json .config_generation)" "$((generation + 1))"
fact the_new_vip_is_announced wait_until 10 announced "$VIP2"
# A VIP is nobody else's address: it would cut them off.
for address in "$LB" "$(web_address web1)" "$ROUTER" "$(web_address web9)"; do
	lb_default_config | sed "s/^vip = .*/&, $address/" > "$work/lb/lb.conf"
	printf '[virtual-server more]\nvip = %s\nport = 8080\nreal-server = %s\n' "$VIP2" \
		"$(web_address web9)" >> "$work/lb/lb.conf"
	fact "a_vip_that_is_${address##*.}_is_refused" exits 78 lb reload
	fact "the_place_of_${address##*.}_is_told" says "lb.conf:6: vip: $address is " lb reload
done
lb_default_config > "$work/lb/lb.conf"
must lb reload
lb_default_config | sed 's/^interface.*/&\nworkers = 7/' > "$work/lb/lb.conf"
fact a_key_that_wants_a_restart_is_told_with_its_line says "^dsr-lb: $work/lb/lb.conf:3: workers: cannot change while running; restart dsr-lb" lb reload
install -m 600 -o "$LB_UID" -g "$LB_UID" /dev/stdin "$work/lb/bad" <<< 'k1 hex:00'
for bad in "$work/lb/bad" /nonexistent/keys; do
	lb_default_config | sed "s|^key-file = .*|key-file = $bad|" > "$work/lb/lb.conf"
	fact "a_reload_with_a_bad_${bad##*/}_is_refused" exits 78 lb reload
	fact "the_line_of_a_bad_${bad##*/}_is_told" says "^dsr-lb: $work/lb/lb.conf:3: key-file: .*$bad" lb reload
done
every_error > "$work/lb/lb.conf"
fact a_reload_tells_every_error all_at_once lb reload
lb_default_config > "$work/lb/lb.conf"
must lb reload
fact a_reload_removes_it equal "$(lb_json '[.virtual_servers[].name] | join(" ")')" web
agent_default_config web1 | sed "s/^vip = .*/vip = $VIP/" > "$work/web1/agent.conf"
fact the_agent_reloads exits 0 agent web1 reload
fact it_serves_fewer_vips wait_until 5 equal_vips 1
agent_default_config web1 | sed "s/^vip = .*/vip = nonsense/" > "$work/web1/agent.conf"
fact the_agent_refuses_a_broken_reload exits 78 agent web1 reload
fact and_stays_as_it_was equal_vips 1
