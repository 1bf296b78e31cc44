# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for dsr-lb and dsr-agent: verbs, options, and names that the daemon knows.

# Verbs with what they do, as --help has them: a verb whose arguments are long has its text in the next line.
function __dsr_verbs
    command $argv[1] --help 2>/dev/null | awk '
        /^Options/ { exit }
        /^  [a-z]/ { if (verb) print verb "\t" text; verb = $1; text = substr($0, 43) }
        /^          / { text = $0; sub(/^ +/, "", text) }
        END { if (verb) print verb "\t" text }'
end

function __dsr_backends
    command $argv[1] backends --json=short 2>/dev/null | tr ',{}' '\n\n\n' |
        sed -n 's/^ *"name": *"\([^"]*\)".*/\1/p' | sort -u
end

function __dsr_virtual_servers
    command $argv[1] virtual-servers --no-header 2>/dev/null | awk '{ print $1 }' | sort -u
end

function __dsr_options
    printf '%s\n' --runtime-dir\t'of the control socket' --state-dir\t'of what is kept over a boot' \
        --json\t'JSON instead of text' -j\t'JSON instead of text' --json=short --json=pretty \
        --no-header\t'tables without their first line' --no-legend\t'tables without their first line' \
        --color=auto --color=always --color=never --help --version
    switch $argv[1]:$argv[2]
        case '*:run' '*:check-config' '*:doctor' '*:keygen' '*:token' '*:join'
            printf '%s\n' --config\t'configuration file'
    end
    switch $argv[1]:$argv[2]
        case dsr-lb:run
            printf '%s\n' --detach-on-exit\t'takes its program from the interface in the end'
        case '*:check-config'
            printf '%s\n' --diff\t'against what is in force' --no-keys\t'without the key file'
        case dsr-lb:top
            printf '%s\n' --once\t'one frame as text'
        case dsr-lb:capture
            printf '%s\n' -w\t'into a file' --count\t'frames' --client\t'address or prefix' --vip\t'address' \
                --backend\t'name or address'
        case dsr-lb:flows
            printf '%s\n' --client\t'address or prefix' --backend\t'name or address' \
                --limit\t'at most so many' --flush\t'forgets them'
        case dsr-lb:backends
            printf '%s\n' --stats\t'counters' --rate\t'counters a second'
        case '*:drain'
            printf '%s\n' --wait\t'until nothing is open' --wait=\t'at most so long'
        case dsr-lb:standby
            printf '%s\n' --linger=\t'forwards so long what still comes'
        case '*:events'
            printf '%s\n' -f\t'as they come'
            test $argv[1] = dsr-lb; and printf '%s\n' --format=text --format=keepalived
    end
end

# The arguments of a verb of dsr-lb; the second word is the verb.
function __dsr_arguments
    set -l program $argv[1]
    switch $argv[2]:(count $argv)
        case drain:2 enable:2 disable:2 weight:2 adopt:2 reject:2
            __dsr_backends $program
        case backends:2 flows:2 ready:2 weight:4
            __dsr_virtual_servers $program
        case weight:3
            echo configured
        case explain:4
            printf '%s\n' tcp udp sctp icmp
        case import:2
            printf '%s\n' netscaler keepalived ipvsadm
        case import:3
            __fish_complete_path (commandline -ct)
    end
end

function __dsr
    set -l words (commandline -opc)
    set -l program (string replace -r '.*/' '' -- $words[1])
    set -l word (commandline -ct)
    if test (count $words) -eq 1
        __dsr_verbs $words[1]
        printf '%s\n' --help --version
        return
    end
    switch $words[-1]
        case --config -w
            __fish_complete_path $word
            return
        case --runtime-dir --state-dir
            __fish_complete_directories $word ''
            return
        case --backend
            __dsr_backends $words[1]
            return
        case --client --vip --count --limit
            return
    end
    if string match -q -- '-*' $word
        __dsr_options $program $words[2]
    else if test $program = dsr-lb
        __dsr_arguments $words[1] $words[2] (string match -v -- '-*' $words[3..])
    end
end

complete -c dsr-lb -f -a '(__dsr)'
complete -c dsr-agent -f -a '(__dsr)'
