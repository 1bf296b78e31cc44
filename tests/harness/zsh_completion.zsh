# SPDX-License-Identifier: GPL-2.0-or-later
# What zsh offers for command lines: `zsh -f zsh_completion.zsh DIRECTORY < LINES`, where DIRECTORY has the functions. For
# each line what it offers at its end, one a line, and then an empty line. It is asked as a person asks: on a terminal.
zmodload zsh/zpty
offered=$(mktemp) || exit 1
zpty shell "TERM=dumb FPATH=$1:$FPATH OFFERED=$offered zsh -f -i"
zpty -w shell '
PS1= PS2=
autoload -Uz compinit && compinit -D -u
# Those that would be added: builtin compadd puts them into an array instead.
compadd() {
	local -a hits
	[[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]] || { builtin compadd "$@"; return }
	builtin compadd -O hits "$@"
	(($#hits == 0)) || print -rl -- $hits >> $OFFERED
	builtin compadd "$@"
}
_offer_end() { print -r -- "<end>" >> $OFFERED }
_offer() { comppostfuncs=(_offer_end); compstate[insert]= compstate[list]=; _main_complete }
zle -C offer complete-word _offer
bindkey "^I" offer
print -r -- "<end>" >> $OFFERED
'
# At most ten seconds: a shell that has ended says nothing any more.
wait_for_end() {
	local begin=$EPOCHREALTIME
	while ! grep -qx '<end>' $offered; do
		((EPOCHREALTIME - begin < 10)) || { print -u2 'zsh does not answer'; exit 1 }
		zpty -r -t shell noise
		zselect -t 2
	done
}
zmodload zsh/datetime zsh/zselect
wait_for_end
while IFS= read -r line; do
	: > $offered
	zpty -w -n shell $'\C-u'"$line"$'\t'
	wait_for_end
	grep -vx '<end>' $offered | sort -u
	print
done
zpty -d shell
rm -f $offered
