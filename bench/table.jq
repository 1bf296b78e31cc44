# SPDX-License-Identifier: GPL-2.0-or-later
#
# The results of report.jq as a table for people.

def pad($n): tostring | . + " " * ([$n - length, 0] | max);
def left($n): tostring | " " * ([$n - length, 0] | max) + .;
def fixed: if . == null then "-" else (. * 100 | round) as $n | "\($n / 100 | floor).\($n % 100 | tostring | left(2) | gsub(" "; "0"))" end;
def spread: "\(.median | fixed | left(7)) (\(.least | fixed) to \(.most | fixed))";

.machine as $m
| "\($m.cpu), \($m.cpus) CPUs\(if $m.hypervisor != "" and $m.hypervisor != "none" then " (\($m.hypervisor))" else "" end), Linux \($m.kernel), load \($m.load) at the end; medians of \($m.rounds) alternating rounds of \($m.seconds) s (least to most)",
(if (.rows | length) > 0 then "", ("CPU time" | pad(34)) + "ns a frame" + "  bare XDP_TX = 1" else empty end),
(.rows[] | (.row | pad(34))
	+ (if .invalid then "INVALID: \(.invalid)" else
		(.ns_per_frame.median | round | left(10)) + (.of_bare_xdp | spread)
		+ (if (.refused_rounds | length) > 0 then "  without \(.refused_rounds | length) rounds: \(.refused_rounds[0])" else "" end) end)),
(if (.floors | length) > 0 then "", ("times as fast as" | pad(62)) + "floor  value" else empty end),
(.floors[] | ("\(.row) / \(.reference)" | pad(60)) + (.floor | fixed | left(7)) + spread + "  \(.verdict)"),
(if (.values | length) > 0 then "", ("others" | pad(50)) + "limit" else empty end),
(.values[] | (.name | pad(50)) + (if .skip then "skipped: \(.skip)" else
	((if .limit != null then "≤ \(.limit)" elif .floor != null then "≥ \(.floor)" else "-" end) | left(9))
	+ (.value | fixed | left(9)) + (if .min != null then " (\(.min | fixed) to \(.max | fixed))" else "" end) + " \(.unit // "")\(if .limit != null or .floor != null then "  \(.verdict)" else "" end)" end)),
(if (.skipped | length) > 0 then "", "skipped" else empty end),
(.skipped[] | "  \(.row): \(.why)")
