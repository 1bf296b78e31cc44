# SPDX-License-Identifier: GPL-2.0-or-later
#
# Judges the raw lines of a run ($raw) on $machine: medians and their spread, ratios within a round,
# floors. Ratios are never made of two rounds.

def median: sort | if length == 0 then null else .[length / 2 | floor] end;
def spread: {median: median, least: min, most: max};

def valid: map(select(.invalid == null));

# The reference's time a frame over the row's own, round by round.
def ratios($reference):
	[.[] | . as $own | $reference[] | select(.round == $own.round) | .ns_per_frame / $own.ns_per_frame] | spread;

def judge($value; $least; $most):
	if $value == null then "not measured"
	elif $least != null and $value < $least then "below"
	elif $most != null and $value > $most then "above"
	else "ok" end;

($raw | map(select(.round))) as $measured
| ($raw | map(.skip // empty)) as $skipped
| def rounds_of($group; $row): $measured | map(select(.group == $group and .row == $row)) | valid;
{
	schema: 1,
	machine: $machine,
	rows: [
		# In the order in which they were first measured.
		reduce $measured[] as $one ([]; if any(.[]; .group == $one.group and .row == $one.row) then .
			else . + [{group: $one.group, row: $one.row}] end)
		| .[]
		| . as $key
		| ($measured | map(select(.group == $key.group and .row == $key.row))) as $all
		| ($all | valid) as $good
		| $key + {
			ns_per_frame: ($good | map(.ns_per_frame) | spread),
			of_bare_xdp: ($good | ratios(rounds_of($key.group; "bare XDP_TX"))),
			rounds: ($good | length),
			refused_rounds: ($all | map(.invalid // empty)),
			invalid: (if ($good | length) * 2 <= ($all | length) then ($all | map(.invalid // empty) | first) else null end),
		}
	],
	floors: [
		$raw[] | .floor // empty | . as $floor
		| (rounds_of(.group; .row) | ratios(rounds_of($floor.group; $floor.reference))) as $value
		| . + $value + {verdict: judge($value.median; .floor; null)}
	],
	values: [$raw[] | .value // empty | . + {verdict: (if .skip then "skipped" else judge(.value; .floor; .limit) end)}],
	skipped: $skipped,
	raw: $measured,
}
| . + {ok: ((any(.rows[]; .invalid != null) or any(.values[]; .invalid)) | not)}
