# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for dsr-lb and dsr-agent: verbs, options, and names that the daemon knows.

_dsr_verbs() {
	"$1" --help 2> /dev/null | awk '/^  [a-z]/ { print $1 }' | sort -u
}

_dsr_backends() {
	"$1" backends --json=short 2> /dev/null | tr ',{}' '\n\n\n' |
		sed -n 's/^ *"name": *"\([^"]*\)".*/\1/p' | sort -u
}

_dsr_virtual_servers() {
	"$1" virtual-servers --no-header 2> /dev/null | awk '{ print $1 }' | sort -u
}

_dsr() {
	local program=$1 word=$2 verb=${COMP_WORDS[1]} words
	if ((COMP_CWORD == 1)); then
		words="$(_dsr_verbs "$program") --help --version"
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --config ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --@(runtime|state)-dir ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
	elif [[ $verb == capture && ${COMP_WORDS[COMP_CWORD - 1]} == -w ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	elif [[ $verb == @(capture|flows) && ${COMP_WORDS[COMP_CWORD - 1]} == --backend ]]; then
		words=$(_dsr_backends "$program")
	elif [[ $word == -* ]]; then
		words='--runtime-dir --state-dir --json --json=short --json=pretty -j --no-header --no-legend
			--color=auto --color=always --color=never --help --version'
		case $verb in
		run)
			words+=' --config'
			[[ ${program##*/} != dsr-lb ]] || words+=' --detach-on-exit'
			;;
		check-config) words+=' --config --diff --no-keys' ;;
		doctor | keygen | token | join) words+=' --config' ;;
		top) words+=' --once' ;;
		capture) words+=' -w --count --client --vip --backend' ;;
		backends) words+=' --stats --rate' ;;
		flows) words+=' --client --backend --limit --flush' ;;
		drain) words+=' --wait --wait=' ;;
		standby) words+=' --linger=' ;;
		events)
			words+=' -f'
			[[ ${program##*/} != dsr-lb ]] || words+=' --format=text --format=keepalived'
			;;
		esac
	elif [[ $verb == import ]] && ((COMP_CWORD == 3)); then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	elif [[ $verb == explain ]] && ((COMP_CWORD == 4)); then
		words='tcp udp sctp icmp'
	elif [[ ${program##*/}:$verb == dsr-lb:weight ]] && ((COMP_CWORD == 3)); then
		words=configured
	elif [[ ${program##*/}:$verb == dsr-lb:weight ]] && ((COMP_CWORD == 4)); then
		words=$(_dsr_virtual_servers "$program")
	elif ((COMP_CWORD == 2)); then
		case ${program##*/}:$verb in
		dsr-lb:drain | dsr-lb:enable | dsr-lb:disable | dsr-lb:weight | dsr-lb:adopt | dsr-lb:reject)
			words=$(_dsr_backends "$program")
			;;
		dsr-lb:import)
			words='netscaler keepalived ipvsadm'
			;;
		dsr-lb:backends | dsr-lb:flows | dsr-lb:ready)
			words=$(_dsr_virtual_servers "$program")
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "${words:-}" -- "$word")
}

complete -F _dsr dsr-lb dsr-agent
