# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The queries of packaging/grafana and packaging/prometheus, asked of what the programs really say: a scrape of each becomes
# the input of a test of promtool's, in which every query must have samples. Sourced by the scenario http.

# Each query of the dashboard. What compares answers 0 or 1 then, instead of leaving out what is as it should be, and Grafana's
# variables choose everything.
queries_of_dashboard() {
	jq '[.panels[].targets[]?.expr | gsub("\\$__rate_interval"; "1m") | gsub("\\$[a-z_]+"; ".*")
		| gsub(" (?<with>==|>|<) "; " \(.with) bool ")]' packaging/grafana/dsr.json
}

# Each series that a rule asks for, with its labels; the rules as they are would have nothing to say of a farm that is well.
queries_of_rules() {
	grep -vE '^ *(#|summary:|description:)' packaging/prometheus/dsr.rules.yml |
		grep -oE '\bdsr(_[a-z_]+|:[a-z_]+:[a-z_]+)(\{[^}]*\})?' | sort -u | jq -R . | jq -s .
}

# series_of SCRAPE JOB INSTANCE : its samples, for a quarter of an hour, in which nothing changes but that clients come: shares are of those.
series_of() {
	jq -R --arg target "job=\"$2\",instance=\"$3\"" 'capture("^(?<name>dsr_[a-z_]+)(\\{(?<labels>.*)\\})? (?<value>[^ ]+)$")
		| { series: "\(.name){\($target)\(if .labels then "," + .labels else "" end)}", values: "\(.value)\(if .name | endswith("_syns_total") then "+15" else "" end)x60" }' "$1" | jq -s .
}

# queries_have_samples SERIES QUERIES : files; and no alert comes.
queries_have_samples() {
	jq -n --slurpfile series "$1" --slurpfile queries "$2" --arg rules "$PWD/packaging/prometheus/dsr.rules.yml" '{
		rule_files: [$rules], evaluation_interval: "15s", tests: [{ interval: "15s", input_series: ($series | add),
			promql_expr_test: ([{ expr: "ALERTS", eval_time: "15m", exp_samples: [] }]
				+ ($queries | add | map({ expr: "count(\(.)) > bool 0", eval_time: "15m",
					exp_samples: [{ labels: "{}", value: 1 }] }))) }] }' > "$work/queries.test.yml"
	promtool test rules "$work/queries.test.yml" > "$work/queries.said" 2>&1 || {
		grep -A 3 -E 'expr:|error' "$work/queries.said" | head -n 40 | sed 's/^/# /'
		return 1
	}
}
