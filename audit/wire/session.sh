# One script on a worker that may change something there, and what takes the change back. Before it stand:
#   fa_nonce   marks our lines          fa_become, fa_unit   as in body.sh
#   fa_limit   seconds until it is ended by the worker itself
#   fa_do      the script; its stdin is what the controller sends, its stdout and stderr go there
#   fa_undo    takes back what fa_do did, however far that came; its $1 is yes where fa_do was ended from outside
# On stdout stand, each on a line of its own: M H PID USER (begun), M X WHY (refused), M Z EXIT UNDO (the end, with both
# exit statuses; EXIT is - where it was ended from outside). On stderr, anywhere: M . (a sign of life).
# fa_undo runs in every case: the end of fa_do, a signal, a connection that is lost, a limit.
{
LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin
export LC_ALL PATH fa_unit
unset ENV BASH_ENV CDPATH
set -f
umask 077
# A controller that is gone shows as a write that fails, and must not kill who cleans up.
trap '' PIPE
mark="FS$fa_nonce" nl='
'
names='@NAMES@'
have() { command -v "$1" >/dev/null 2>&1; }
exec 7>&2 8<&0 9>&1 </dev/null >/dev/null 2>&1
tell() { printf '\n%s %s\n' "$mark" "$*" >&9; }
refuse() { tell X "$@"; exit 1; }
sudo_said=
say() { [ "$1" != sudo ] || sudo_said="$3: $4"; }
@BECOME@
[ -n "$root" ] || refuse "sudo -n was refused here ($sudo_said)"
as_builder=$as_root me=$(id -un) user= source= ran=
[ -z "$as_root" ] || ran=root
if [ -n "$fa_unit" ]; then
as_builder=
@UNIT@
[ "$source" != absent ] || refuse "systemd knows no unit $fa_unit"
[ "$ran" = "$user" ] || refuse "the builds run as $user, and $me may not become $user"
fi

part() { # part NAME SCRIPT ARGUMENT
	if [ -z "$as_builder" ]; then FA_SESSION=$mark.$1. /bin/sh -c "$builder_env$2" sh "$3"
	else $as_builder env "FA_SESSION=$mark.$1." /bin/sh -c "$builder_env$2" sh "$3"; fi
}
# Every process of a part carries FA_SESSION, wherever it has got to. First it is asked, so that a client can tell its
# engine to stop.
hunt='found=$(grep -lE -e "$1" /proc/[0-9]*/environ 2>/dev/null)
[ -n "$found" ] || exit 1
for f in $found; do f=${f#/proc/}; kill -s "$2" "${f%/*}"; done
exit 0'
slaying= # who is told twice to end must not begin anew with asking
slay() { # slay NAME
	[ -z "$slaying" ] || return 0
	slaying=yes
	for signal in TERM TERM TERM TERM TERM TERM KILL KILL KILL; do
		$as_root /bin/sh -c "$hunt" sh "FA_SESSION=$mark\.$1\." "$signal" || break
		sleep 0.5 || sleep 1
	done
	slaying=
}
guard() { # guard SECONDS: end the undoing then
	exec 7>&- 9>&-
	left=$1
	while [ "$left" -gt 0 ]; do sleep 1; left=$((left - 1)); done
	slay undo
}
# Whoever watches or guards is killed: a subshell that has just begun may lose any other signal.
undo() { # undo WHETHER-ENDED-FROM-OUTSIDE
	guard 40 &
	guarding=$!
	part undo "$fa_undo" "$1" >&9 2>&7 7>&- 9>&-
	undone=$?
	kill -9 "$guarding"
}
watch() { # say every second that we live; end it all where nobody listens, or the time is up, or the shell was killed
	trap '' TERM HUP INT
	left=$fa_limit
	while sleep 1 7>&- 9>&-; do
		left=$((left - 1))
		kill -0 "$$" || { slay do; undo yes; exit; }
		[ "$left" -gt -120 ] || { kill -9 "$$"; exit; } # whatever it waits for, it had its time
		if [ "$left" -le 0 ] || ! printf '%s .\n' "$mark" >&7; then kill -TERM "$$"; fi
	done
}
told=
trap 'told=yes; slay do' TERM HUP INT
tell H "$$" "${ran:-$me}"
[ -n "$told" ] || {
	part do "$fa_do" '' <&8 >&9 2>&7 7>&- 8<&- 9>&- &
	job=$!
}
exec 8<&-
watch &
watching=$!
status=-
[ -z "${job:-}" ] || { wait "$job"; status=$?; }
trap '' TERM HUP INT
[ -z "$told" ] || { status=-; slay do; }
undo "$told"
kill -9 "$watching"
wait "$watching"
tell Z "$status" "$undone"
exit 0
}
