# SPDX-License-Identifier: GPL-2.0-or-later
#
# The results of report.jq as a table for people.

def pad($n): tostring | . + " " * ([$n - length, 0] | max);
def left($n): tostring | " " * ([$n - length, 0] | max) + .;

# Two digits behind the point; four where the first two would be 0.
def fixed:
	if . == null then "-"
	else (if . < 0.095 then 4 else 2 end) as $digits
		| (. * pow(10; $digits) | round | tostring) as $all
		| ("0" * ([$digits + 1 - ($all | length), 0] | max) // "") + $all
		| .[:-$digits] + "." + .[-$digits:]
	end;
def spread: "\(.median | fixed | left(7)) (\(.least | fixed) to \(.most | fixed))";

def machine_line:
	"\(.cpu), \(.cpus) CPUs\(if .hypervisor != "" and .hypervisor != "none" then " (\(.hypervisor))" else "" end), Linux \(.kernel), load \(.load) at the end",
	"medians of \(.rounds) alternating rounds of \(.seconds) s (least to most)",
	(if .irq_time_accounting == true then "this kernel accounts interrupts apart: the sink's part is in no row" else empty end);

def row_line:
	"  " + (.row | pad(34)) + (if .invalid then "INVALID: \(.invalid)" else
		(.ns_per_frame.median | round | left(10)) + (.of_bare_xdp | spread)
		+ (if (.refused_rounds | length) > 0 then "  without \(.refused_rounds | length) rounds: \(.refused_rounds[0])" else "" end)
	end);

def floor_line:
	"  " + ("\(.row) / \(.reference)" | pad(60)) + (.floor | fixed | left(7)) + spread + "  \(.verdict)";

def value_line:
	(if .limit != null then "≤ \(.limit)" elif .floor != null then "≥ \(.floor)" else null end) as $bound
	| "  " + (.name | pad(52)) + ($bound // "" | pad(8)) + (.value | fixed | left(9))
	+ (if .min != null then " (\(.min | fixed) to \(.max | fixed))" else "" end)
	+ " \(.unit // "")" + (if $bound then "  \(.verdict)" else "" end);

# Where a file of this run is named, its folder says nothing.
def plain: gsub("/tmp/dsrbench[^/ ]*/[^ ]*/"; "");

(.machine | machine_line),
(if (.rows | length) > 0 then "", ("CPU time" | pad(36)) + "ns a frame" + "  bare XDP_TX = 1" else empty end),
(.rows | group_by(.group) as $groups | [.[].group] | reduce .[] as $name ([]; if index($name) then . else . + [$name] end)
	| .[] as $name | $name, ($groups[] | select(.[0].group == $name) | .[] | row_line)),
([.floors[] | select(.median != null)] | if length > 0 then "", ("times as fast as" | pad(64)) + "floor  value", (.[] | floor_line) else empty end),
([.values[] | select(.skip | not)] | if length > 0 then "", "others", (.[] | value_line) else empty end),
([(.skipped[] | {row, why: (.why | plain)}), (.values[] | select(.skip) | {row: .name, why: (.skip | plain)})]
	| if length > 0 then "", "skipped", (group_by(.why)[] | "  \(.[0].why):", "      \([.[].row] | unique | join(", "))") else empty end)
