# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A browser on a host of the scenario's network: headless Chromium, by way of chromedriver (W3C WebDriver). Sourced by
# the scenarios that look at pages.

# browser_start HOST : or the scenario is skipped. Everything of it ends with its first process.
browser_start() {
	local command
	for command in chromium chromedriver; do
		command -v "$command" > /dev/null || skip "no $command here; tests/deps all brings it"
	done
	browser_host=$1
	mkdir -p "$work/browser"
	start_on "$1" "$work/browser/log" unshare --pid --fork --kill-child --mount-proc env HOME="$work/browser" \
		TMPDIR="$work/browser" XDG_RUNTIME_DIR="$work/browser" chromedriver --port=9515
	must wait_until 30 browser_driver_answers
	browser_session=$(browser_post session '{"capabilities": {"alwaysMatch": {"goog:loggingPrefs": {"browser": "ALL"},
		"goog:chromeOptions": {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--disable-crash-reporter", "--window-size=1200,900"]}}}}' | jq -r .value.sessionId)
	must test "$browser_session" != null
}

browser_driver_answers() {
	on "$browser_host" curl -sf --max-time 5 http://127.0.0.1:9515/status | jq -e .value.ready
}

# browser_post PATH BODY
browser_post() {
	on "$browser_host" curl -sS --max-time $((60 * SLOW)) "http://127.0.0.1:9515/$1" -d "$2"
}

browser_open() {
	browser_post "session/$browser_session/url" "$(jq -n --arg url "$1" '{$url}')" > /dev/null
}

# browser_says EXPRESSION : of JavaScript, as text.
browser_says() {
	browser_post "session/$browser_session/execute/sync" \
		"$(jq -n --arg script "return String($1)" '{$script, args: []}')" | jq -r .value
}

# browser_is TEXT EXPRESSION
browser_is() {
	[[ $(browser_says "$2") == "$1" ]]
}

# browser_text ELEMENT-ID TEXT : it contains the text.
browser_text() {
	[[ $(browser_says "document.getElementById('$1').innerText") == *"$2"* ]]
}

# browser_type KEYS : as a keyboard does, to whatever has the focus.
browser_type() {
	browser_post "session/$browser_session/actions" "$(jq -n --arg keys "$1" '{actions: [{type: "key", id: "keys",
		actions: [$keys | split("")[] | {type: "keyDown", value: .}, {type: "keyUp", value: .}]}]}')" > /dev/null
}

# browser_devtools COMMAND PARAMETERS
browser_devtools() {
	browser_post "session/$browser_session/goog/cdp/execute" \
		"$(jq -n --arg cmd "$1" --argjson params "$2" '{$cmd, $params}')" > /dev/null
}

# browser_screen WIDTH HEIGHT light|dark
browser_screen() {
	browser_devtools Emulation.setDeviceMetricsOverride \
		"{\"width\": $1, \"height\": $2, \"deviceScaleFactor\": 1, \"mobile\": false}"
	browser_devtools Emulation.setEmulatedMedia \
		"{\"features\": [{\"name\": \"prefers-color-scheme\", \"value\": \"$3\"}]}"
}

# browser_screenshot NAME : kept where SCREENSHOTS says, to be looked at. A page that was drawn has more than one colour.
browser_screenshot() {
	local file=${SCREENSHOTS:-$work}/$1.png
	on "$browser_host" curl -sS --max-time $((60 * SLOW)) "http://127.0.0.1:9515/session/$browser_session/screenshot" |
		jq -r .value | base64 -d > "$file"
	(($(stat -c %s "$file") > 10000))
}

# What the page complained of, one line each.
browser_complaints() {
	browser_post "session/$browser_session/se/log" '{"type": "browser"}' | jq -r '.value[].message'
}

browser_end() {
	on "$browser_host" curl -sS --max-time 30 -X DELETE "http://127.0.0.1:9515/session/$browser_session" > /dev/null
}
