#compdef dsr-lb dsr-agent
# SPDX-License-Identifier: GPL-2.0-or-later
# zsh completion for dsr-lb and dsr-agent: verbs, options, and names that the daemon knows.

# Verbs with what they do, as --help has them: a verb whose arguments are long has its text in the next line.
_dsr_verbs() {
	local -a verbs
	verbs=(${(f)"$(_call_program verbs ${(q)program} --help 2> /dev/null | awk '
		/^Options/ { exit }
		/^  [a-z]/ { if (verb) print verb ":" text; verb = $1; text = substr($0, 43) }
		/^          / { text = $0; sub(/^ +/, "", text) }
		END { if (verb) print verb ":" text }')"})
	_describe -t verbs verb verbs
}

_dsr_backends() {
	local -a names
	names=(${(f)"$(_call_program backends ${(q)program} backends --json=short 2> /dev/null | tr ',{}' '\n\n\n' |
		sed -n 's/^ *"name": *"\([^"]*\)".*/\1/p' | sort -u)"})
	_describe -t backends backend names
}

_dsr_virtual_servers() {
	local -a names
	names=(${(f)"$(_call_program virtual-servers ${(q)program} virtual-servers --no-header 2> /dev/null |
		awk '{ print $1 }' | sort -u)"})
	_describe -t virtual-servers 'virtual server' names
}

_dsr() {
	local program=$words[1] verb=$words[2] curcontext=$curcontext ret=1
	local -a options
	if ((CURRENT == 2)); then
		[[ $PREFIX == -* ]] || _dsr_verbs && ret=0
		compadd -- --help --version && ret=0
		return ret
	fi
	options=(
		'--runtime-dir=[of the control socket]:directory:_files -/'
		'--state-dir=[of what is kept over a boot]:directory:_files -/'
		'(-j)--json=-[JSON instead of text]::form:(short pretty)'
		'(--json)-j[JSON instead of text]'
		'(--no-legend)--no-header[tables without their first line]'
		'(--no-header)--no-legend[tables without their first line]'
		'--color=-[colours]:when:(auto always never)'
		'--help[help]'
		'--version[version]'
	)
	case $verb in
	run | check-config | doctor | keygen | token | join) options+=('--config=[configuration file]:file:_files') ;;
	esac
	case ${program:t}:$verb in
	dsr-lb:run) options+=('--detach-on-exit[takes its program from the interface in the end]') ;;
	*:check-config) options+=('--diff[against what is in force]' '--no-keys[without the key file]') ;;
	dsr-lb:top) options+=('--once[one frame as text]') ;;
	dsr-lb:backends) options+=('(--rate)--stats[counters]' '(--stats)--rate[counters a second]') ;;
	*:drain) options+=('--wait=-[until nothing is open]::time:') ;;
	dsr-lb:standby) options+=('--linger=-[forwards so long what still comes]:time:') ;;
	dsr-lb:events) options+=('-f[as they come]' '--format=[form of a line]:format:(text keepalived)') ;;
	*:events) options+=('-f[as they come]') ;;
	dsr-lb:capture)
		options+=('-w[into a file]:file:_files' '--count=[frames]:number:' '--vip=[address]:address:')
		;;
	dsr-lb:flows) options+=('--limit=[at most so many]:number:' '--flush[forgets them]') ;;
	esac
	case ${program:t}:$verb in
	dsr-lb:(capture|flows))
		options+=('--client=[address or prefix]:prefix:' '--backend=[name or address]:backend:_dsr_backends')
		;;
	esac
	case ${program:t}:$verb in
	dsr-lb:(drain|enable|disable|adopt|reject)) options+=(':backend:_dsr_backends') ;;
	dsr-lb:weight)
		options+=(':backend:_dsr_backends' ':weight:(configured)' '::virtual server:_dsr_virtual_servers')
		;;
	dsr-lb:(backends|flows|ready)) options+=('::virtual server:_dsr_virtual_servers') ;;
	dsr-lb:explain) options+=(':client:' ':VIP:' '::protocol:(tcp udp sctp icmp)') ;;
	dsr-lb:import) options+=(':configuration of:(netscaler keepalived ipvsadm)' ':file:_files') ;;
	esac
	shift words
	((CURRENT--))
	_arguments -S : $options
}

_dsr "$@"
