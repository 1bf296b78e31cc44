# SPDX-License-Identifier: GPL-2.0-or-later
# tags: long
# shellcheck shell=bash
#
# The live page in a real browser, as a running balancer serves it: three servers and two hundred, one that dies, a daemon
# that is restarted, a phone, the dark, the keyboard.
. "$(dirname "$0")/../netns/topology.bash"
. "$(dirname "$0")/../netns/browser.bash"

PAGE=http://127.0.0.1:9377/

ROWS='[...document.querySelectorAll("tr[data-backend]")].filter((row) => row.checkVisibility())'
backends_shown() {
	browser_says "$ROWS.map((row) => row.dataset.backend + ' ' + row.dataset.state).join(', ')"
}
shows() {
	[[ $(backends_shown) == "$1" ]]
}
# How many points each chart has at least; so many that a picture shows something where pictures are kept.
points=6
[[ -z ${SCREENSHOTS:-} ]] || points=30
CHARTS='[...document.querySelectorAll(".card.received svg, .card.forwarded svg, .server .charts svg, tr[data-backend] svg")]'
# Each chart of what has traffic is there, wide, and a line that is not flat.
charts_are_drawn() { # POINTS
	browser_is true "$CHARTS.length >= 7 && $CHARTS.every((svg) => svg.getBoundingClientRect().width > 50 &&
		svg.lastElementChild.points.length >= $1 && svg.lastElementChild.getBBox().height > 1)"
}
charts_have() { # POINTS
	browser_is true "$CHARTS.every((svg) => svg.lastElementChild.points.length >= $1)"
}
flows_are_told() {
	browser_is true "parseFloat(document.querySelector('#flows li').innerText) > 0"
}
# Bar and words of each row: its part of the traffic, and a mark where its weight says.
traffic_is_beside_weight() {
	browser_is true "$ROWS.length === 3 && $ROWS.every((row) => {
		const [bar, mark] = row.querySelector('.bar').children;
		return /^3[34] % \\/ 33 %\$/.test(row.children[4].innerText.trim()) &&
			Math.abs(bar.getBoundingClientRect().right - mark.getBoundingClientRect().right) < 8; })"
}
# What the states are told by, without a colour: a sign and a word of each row.
badges() {
	browser_says "$ROWS.map((row) => row.querySelector('.badge').innerText).join(', ')"
}
has_badges() {
	[[ $(badges) == "$1" ]]
}
# What nobody sees is not read out either: signs are for the eye, words for all.
every_sign_has_its_word() {
	browser_is true '[...document.querySelectorAll(".sign")].every((sign) => sign.textContent !== "" && sign.ariaHidden === "true" &&
		sign.parentElement.innerText.trim().length > 2)'
}
# tab_to WHAT : by the tabulator alone, from where the focus is; what has it is seen to have it.
tab_to() {
	local idx
	for ((idx = 0; idx < 20; idx++)); do
		browser_type $'\uE004'
		! browser_is true "document.activeElement.matches('$1')" || {
			browser_is true 'getComputedStyle(document.activeElement).outlineStyle === "solid"'
			return
		}
	done
	return 1
}
counts_requests() {
	fetch / > /dev/null
	browser_is true "$ROWS.some((row) => parseFloat(row.children[5].textContent) > 0)"
}
row_says() { # BACKEND TEXT
	[[ $(browser_says "document.querySelector('tr[data-backend=$1]').innerText") == *"$2"* ]]
}
nothing_complained_of() {
	local complaints
	# While the daemon is away its stream breaks off, and the status is asked for all the same.
	complaints=$(browser_complaints | grep -vE 'api/v1/events .*ERR_INCOMPLETE_CHUNKED_ENCODING|api/v1/(events|status) .*ERR_CONNECTION_REFUSED')
	equal "$complaints" ""
}
fits() {
	browser_is true 'document.documentElement.scrollWidth <= window.innerWidth'
}
is_dark() {
	local colour
	colour=$(browser_says 'getComputedStyle(document.documentElement).backgroundColor')
	equal "$colour" "rgb(16, 19, 22)"
}

topology_up --webs 3
# Who is denied by the virtual server, and says that a VIP is his.
add_host stranger
wire stranger eth0 switch stranger 192.0.2.40/24
must ip_on stranger route add "$VIP" dev eth0
default_with() { # LINE…
	lb_default_config
	printf '%s\n' 'deny-clients = 192.0.2.40' "$@"
}
lb_configure < <(default_with 'scheduler = rr')
lb_and_agents_start
browser_start lb

browser_screen 1200 900 light
browser_open "$PAGE"
fact it_says_that_all_is_well wait_until 30 browser_text verdict-words "All is well"
fact it_shows_three_servers wait_until 10 shows "web1 up, web2 up, web3 up"
fact it_counts_requests wait_until 20 counts_requests
fact it_says_why_there_are_no_answers browser_text balancer "because they never pass"
tool_start clients client new_flows "$VIP:80" 20
must wait_until 120 charts_have "$((points / 2))"
must tool_end clients > /dev/null
tool_start clients client new_flows "$VIP:80" 60
must wait_until 120 charts_have "$points"
fact its_charts_are_drawn charts_are_drawn "$points"
fact traffic_is_beside_weight wait_until 10 traffic_is_beside_weight
fact it_tells_of_the_flow_table wait_until 10 flows_are_told
fact it_tells_what_is_dropped_by_no_reason browser_text drops nothing
fact it_tells_of_no_claim browser_text claims none
fact it_tells_of_no_refusal browser_text refusals nobody
fact it_looks_like_something browser_screenshot three
browser_screen 1200 900 dark
fact it_looks_like_something_in_the_dark browser_screenshot three-dark
browser_screen 1200 900 light
must tool_end clients > /dev/null
fact nothing_but_its_own_was_loaded equal "$(browser_says 'performance.getEntriesByType("resource").every((each) => each.name.startsWith(location.origin))')" true

# A server dies: its state, its reason, the event, and the verdict.
daemon_stop web2 KILL
on web2 ip link set eth0 down
fact a_dead_server_comes_first wait_until 30 shows "web2 down, web1 up, web3 up"
fact with_its_reason row_says web2 "$(backend_field reason web2)"
fact the_verdict_names_it browser_text problems web2
fact and_is_not_well browser_text verdict-words Degraded
fact it_is_an_event browser_text events "web2: up → down"
# A stranger asks, and is dropped; and he says that the VIP is his.
asked_in_vain() {
	not on stranger curl -s --max-time 1 "http://$VIP/"
}
must asked_in_vain
fact a_drop_is_told_by_its_reason wait_until 10 browser_text drops client-denied
must on stranger "$BUILD/tests/harness/forge" eth0 "$VIP" 02:00:00:00:00:66 ff:ff:ff:ff:ff:ff "$VIP"
fact a_claim_is_told_with_the_mac wait_until 10 browser_text claims "$VIP by 02:00:00:00:00:66 (unknown)"
fact and_the_verdict_tells_of_it wait_until 10 browser_text problems "$VIP is claimed by an unknown host (02:00:00:00:00:66)"

must lb drain web1
fact each_state_has_a_sign_and_a_word wait_until 10 has_badges "✕ down, ◐ drain, ● up"
fact so_have_the_verdict_and_the_buttons every_sign_has_its_word
browser_screen 390 1200 dark
fact a_phone_has_room_for_it fits
fact the_dark_is_dark is_dark
fact it_looks_like_something_on_a_phone browser_screenshot phone-dead-dark
must lb enable web1

# The daemon goes, and comes again.
daemon_stop lb
fact it_says_that_nobody_answers wait_until 30 browser_text verdict-words "No answer"
fact it_says_that_what_it_shows_is_old equal "$(browser_says 'document.body.className')" stale
on web2 ip link set eth0 up
lb_start
fact it_comes_back_by_itself wait_until 30 browser_is "" 'document.body.className'

# Two hundred.
two_hundred() {
	local idx
	default_with 'check = none'
	for ((idx = 1; idx <= 200; idx++)); do
		printf 'real-server = 192.0.2.%d name=host%d mac=02:00:00:00:01:%02x\n' "$((idx + 50))" "$idx" "$idx"
	done
}
lb_write_config < <(two_hundred)
must lb reload
browser_screen 1200 900 light
folded_line() {
	browser_says '[...document.querySelectorAll(".fold button")].filter((each) => each.checkVisibility()).map((each) => each.innerText).join()'
}
folds_many() {
	[[ $(folded_line) =~ ^▸\ 20[0-9]\ up$ ]] && browser_is true "$ROWS.length < 5"
}
fact two_hundred_are_one_line wait_until 30 folds_many
fact the_newest_events_alone_are_listed browser_is true 'document.getElementById("event-list").children.length === 30'
# One that registers anew, which it has no use for any more.
daemon_stop web3
agent_start web3
fact whom_it_does_not_take_is_told wait_until 20 browser_text refusals "agent web3: no virtual server that takes agents has any of its VIPs"
fact and_look_like_something browser_screenshot two-hundred
browser_screen 1200 900 dark
fact and_in_the_dark browser_screenshot two-hundred-dark
browser_screen 1200 900 light

# By keyboard alone.
browser_says 'document.activeElement.blur()' > /dev/null
fact tab_reaches_the_filter tab_to "#filter"
fact tab_reaches_what_is_folded tab_to ".fold button"
fact which_is_read_out_as_closed browser_is false 'document.activeElement.ariaExpanded'
browser_type $'\uE007'
fact which_opens wait_until 10 browser_is true "$ROWS.length >= 200"
fact and_keeps_the_focus browser_is true 'document.activeElement.matches(".fold button") && document.activeElement.ariaExpanded === "true"'
browser_says 'document.activeElement.blur()' > /dev/null
browser_type /
fact a_slash_goes_to_the_filter equal "$(browser_says 'document.activeElement.id')" filter
browser_type host137
fact which_finds_one wait_until 10 shows "host137 up"
browser_type $'\uE00C'
fact escape_takes_the_filter_back wait_until 10 browser_is true "document.getElementById('filter').value === '' && $ROWS.length >= 200"
fact and_keeps_it_at_hand equal "$(browser_says 'document.activeElement.id')" filter
browser_screen 390 1200 light
fact a_phone_has_room_for_two_hundred fits
fact they_look_like_something_on_a_phone browser_screenshot two-hundred-phone
browser_screen 390 1200 dark
fact and_on_one_in_the_dark browser_screenshot two-hundred-phone-dark
fact nothing_was_complained_of nothing_complained_of
browser_end
