# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# Container images of both programs, built from the recipe and the packages, run as the page says: a balancer and two real
# servers, of which one is stopped and comes back, and a balancer that is replaced by another container of its image.
# DEBS= are packages that are there already.
. "$(dirname "$0")/../netns/topology.bash"

for tool in buildah debootstrap dh dpkg-buildpackage; do
	command -v "$tool" > /dev/null || skip "no $tool; \`make deps-all\` installs it"
done
topology_up --webs 2

# ---- the images ----

if [[ -n ${DEBS:-} ]]; then
	cp -r "$DEBS" "$work/deb" || exit 1
else
	must env -u MAKEFLAGS make -s deb "BUILD=$work" > "$work/make.log" 2>&1
fi
# Neither a registry nor namespaces of the builder's own are needed here: Debian comes by its packages.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
builder() {
	buildah --root "$work/images" --runroot "$work/images.run" "$@"
}
debian_possible() {
	debootstrap --variant=minbase bookworm "$work/debian" > "$work/debootstrap.log" 2>&1
}
debian_possible || skip "debootstrap brings no Debian here: $(tail -n 1 "$work/debootstrap.log")"
container=$(builder from scratch) || exit 1
must builder add -q "$container" "$work/debian" / > "$work/add.log"
must builder commit -q --rm "$container" localhost/debian > "$work/commit.log"
rm -rf "$work/debian"
mkdir "$work/context"
cp packaging/container/* "$work/deb"/dsr-{lb,agent}_*.deb "$work/context/"
build_image() {
	builder build --build-arg BASE=localhost/debian --build-arg "PROGRAM=$1" --tag "localhost/$1" "$work/context" > "$work/build.$1" 2>&1
}
fact an_image_of_dsr_lb_is_built build_image dsr-lb
fact an_image_of_dsr_agent_is_built build_image dsr-agent
fact without_a_program_none_is not build_image dsr-router

# ---- containers of them ----

# image_run HOST PROGRAM CAPABILITIES : as the page says, in the host's network.
image_run() {
	local host=$1 program=$2
	mkdir -p "$work/$host/etc" "$work/$host/run"
	start_on "$host" "$work/$host/log" buildah --root "$work/images" --runroot "$work/images.run" run \
		--cap-add "$3" --env "DSR_TEST_RUN=$DSR_TEST_RUN" --volume "$work/$host/etc:/etc/$program:ro" \
		--volume "$work/$host/run:/run/$program" "$(builder from --security-opt seccomp=unconfined "localhost/$program")" -- /usr/local/sbin/dsr-start
}
# image_pid HOST PROGRAM : of the daemon in the container.
image_pid() {
	local pid
	for pid in $(ip netns pids "$DSR_TEST_RUN-$1"); do
		[[ $(< "/proc/$pid/comm") != "$2" ]] || printf '%s' "$pid"
	done
}
image_stop() {
	local pid
	pid=$(image_pid "$1" "$2")
	stop_pid "$pid"
}
mkdir -p "$work"/{lb,web1,web2}/etc
install -m 600 "$work/key" "$work/lb/etc/keys"
lb_default_config | sed "/^key-file/d; /^\[balancer\]/a mode = $MODE" > "$work/lb/etc/dsr-lb.conf"
for host in web1 web2; do
	install -m 600 "$work/key" "$work/$host/etc/key"
	agent_default_config "$host" | sed '/^key-file/d' > "$work/$host/etc/dsr-agent.conf"
done
balancer_run() {
	image_run lb dsr-lb CAP_NET_ADMIN,CAP_NET_RAW,CAP_BPF,CAP_PERFMON
}
balancer_run
must wait_until 30 lb_answers lb
image_run web1 dsr-agent CAP_NET_ADMIN
image_run web2 dsr-agent CAP_NET_ADMIN
fact real_servers_join_from_containers wait_until 30 backends_up 2
fact the_engine_is_the_one_that_was_asked_for lb_mode_is "$MODE"
fact they_serve says '^web[12]$' fetch /
of_a_user_of_its_own() {
	[[ $(awk '/^Uid/ { print $2 }' "/proc/$(image_pid "$1" "$2")/status") != 0 &&
		$(awk '/^CapBnd/ { print $2 }' "/proc/$(image_pid "$1" "$2")/status") == "$3" ]]
}
fact the_balancer_has_its_units_capabilities_alone of_a_user_of_its_own lb dsr-lb 000000c000003000
fact so_has_an_agent of_a_user_of_its_own web1 dsr-agent 0000000000001000

image_stop web1 dsr-agent
fact a_stopped_container_takes_its_server_out wait_until 10 backends_up 1
fact its_vip_is_gone equal "$(ip_on web1 -o address show to "$VIP")" ""
fact the_other_serves says '^web2$' fetch /
image_run web1 dsr-agent CAP_NET_ADMIN
fact it_comes_back wait_until 30 backends_up 2

image_stop lb dsr-lb
balancer_run
fact the_next_balancer_knows_its_servers wait_until 10 backends_up 2
fact it_serves_too says '^web[12]$' fetch /
for host in web1 web2; do
	image_stop "$host" dsr-agent
done
image_stop lb dsr-lb
builder rm -a > "$work/rm.log" 2>&1
