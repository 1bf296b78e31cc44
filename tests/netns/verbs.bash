# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Reads tests/verbs.table and asks a verb as it says. Sourced by tests/check-verbs and the scenario verbs, which have a folder
# $work and `fact`, and set verb_directories.

# What runs a program, and of which daemon; of those that ask as somebody else, how.
verb_programs='' verb_directories=() verb_as=()
# What stands for CONFIG, FILE and TOKEN.
verb_config='' verb_file='' verb_token=''

# verb_rows FUNCTION [PROGRAM] : calls it with program, verb, right, wrong, with, without, stranger, member, JSON.
verb_rows() {
	local line columns
	while IFS= read -r line <&4; do
		[[ $line != '#'* ]] || continue
		# Without the blanks around each column.
		IFS='|' read -ra columns <<< "$(sed -E 's/ *\| */|/g; s/ +$//' <<< "$line")"
		((${#columns[@]} == 9)) || fact "nine columns: $line" false
		[[ -n ${2:-} && ${columns[0]} != "$2" ]] || "$1" "${columns[@]}"
	done 4< tests/verbs.table
}

# verb_asked PROGRAM VERB ARGUMENTS [OPTION…] : its status is in $verb_status, what it said in $work/out and $work/err.
verb_asked() {
	local words=() word arguments=()
	[[ $3 == - ]] || read -ra words <<< "$3"
	for word in "${words[@]}"; do
		case $word in
		CONFIG) word=$verb_config ;;
		NOWHERE) word=$work/nowhere.conf ;;
		FILE) word=$verb_file ;;
		TOKEN) word=$verb_token ;;
		NEW)
			word=$(mktemp -d "$work/join.XXXXXX")/agent.conf
			chmod 755 "${word%/*}"
			;;
		esac
		arguments+=("$word")
	done
	verb_status=0
	"${verb_as[@]}" timeout 60 "$verb_programs/$1" "$2" "${arguments[@]}" "${@:4}" "${verb_directories[@]}" \
		> "$work/out" 2> "$work/err" < /dev/null || verb_status=$?
}

# verb_ends STATUS… : one of them (with commas between them) it was; who is refused hears why, in one line, and prints nothing.
verb_ends() {
	[[ ,$1, == *",$verb_status,"* ]] || {
		printf '# ended with %s, not %s: %s\n' "$verb_status" "$1" "$(head -n 3 "$work/err")"
		return 1
	}
	case $verb_status in
	64 | 69 | 77)
		[[ ! -s $work/out && $(wc -l < "$work/err") == 1 ]] || {
			printf '# %s is told by more than one line: %s\n' "$verb_status" "$(cat "$work/out" "$work/err")"
			return 1
		}
		;;
	esac
}

# verb_is_right STATUS PROGRAM VERB ARGUMENTS [OPTION…]
verb_is_right() {
	verb_asked "${@:2}"
	verb_ends "$1"
}

# verb_says_json STATUS PROGRAM VERB ARGUMENTS : objects or lists, and nothing else on standard output.
verb_says_json() {
	verb_is_right "$@" --json &&
		jq -es 'length > 0 and all(.[]; type == "object" or type == "array")' "$work/out" > /dev/null
}
