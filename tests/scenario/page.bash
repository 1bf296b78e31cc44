# SPDX-License-Identifier: GPL-2.0-or-later
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
lb_and_agents_start
browser_start lb

browser_screen 1200 900 light
browser_open "$PAGE"
fact it_says_that_all_is_well wait_until 30 browser_text verdict-words "All is well"
fact it_shows_three_servers wait_until 10 shows "web1 up, web2 up, web3 up"
fact it_counts_requests wait_until 20 counts_requests
fact it_says_why_there_are_no_answers browser_text balancer "because they never pass"
fact it_looks_like_something browser_screenshot three
fact nothing_but_its_own_was_loaded equal "$(browser_says 'performance.getEntriesByType("resource").every((each) => each.name.startsWith(location.origin))')" true

# A server dies: its state, its reason, the event, and the verdict.
daemon_stop web2 KILL
on web2 ip link set eth0 down
fact a_dead_server_comes_first wait_until 30 shows "web2 down, web1 up, web3 up"
fact with_its_reason row_says web2 "$(backend_field reason web2)"
fact the_verdict_names_it browser_text problems web2
fact and_is_not_well browser_text verdict-words Degraded
fact it_is_an_event browser_text events "web2: up → down"
browser_screen 390 1200 dark
fact a_phone_has_room_for_it fits
fact the_dark_is_dark is_dark
fact it_looks_like_something_on_a_phone browser_screenshot phone-dead-dark

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
	lb_default_config | sed 's/^port = 80$/&\ncheck = none/'
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
fact and_look_like_something browser_screenshot two-hundred
browser_says 'document.querySelector(".fold button").click()' > /dev/null
fact which_opens wait_until 10 browser_is true "$ROWS.length >= 200"
browser_says 'document.activeElement.blur()' > /dev/null
browser_type /
fact a_slash_goes_to_the_filter equal "$(browser_says 'document.activeElement.id')" filter
browser_type host137
fact which_finds_one wait_until 10 shows "host137 up"
browser_screen 390 1200 light
fact a_phone_has_room_for_two_hundred fits
fact nothing_was_complained_of nothing_complained_of
browser_end
