# What fleet-audit runs on a worker. It only reads, and leaves no file behind: every answer is held in a shell
# variable and printed as a section between marker lines that carry the run's nonce. The whole body is one block, so
# that a script cut short on its way is never run by half. Before it stand three assignments:
#   fa_nonce   marks the sections      fa_become  yes: what needs root goes through `sudo -n`
#   fa_unit    the systemd unit that runs the builds, or nothing
{
LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin
export LC_ALL PATH fa_unit
unset ENV BASH_ENV CDPATH
set -f
# A reader that is gone must not kill who holds the token: the others would wait for it for ever, on the worker.
trap '' PIPE
cap=@CAP@ err_cap=@ERR_CAP@ mark="FA$fa_nonce" nl='
'
names='@NAMES@'
have() { command -v "$1" >/dev/null 2>&1; }
exec 9>&1 2>/dev/null

everything() {
# A pipe that everybody may read and write holds one token: who has it may print (mkfifo would leave a file).
: | {
exec 6>&5 5>&-
turns=
if [ -r /proc/self/fd/0 ]; then exec 8<>/proc/self/fd/0; turns=yes; else exec 8</dev/null; fi
exec </dev/null
take() { [ -z "$turns" ] || read -r _ <&8; }
give() { [ -z "$turns" ] || echo >&8; }
give

uptime_now() { now=; read -r now _ </proc/uptime || now=-; }
say() { # say NAME EXIT STDOUT STDERR: a section that the script itself answers
	set -- "$1" "$3:$2" "$4"
	take
	printf '\n%s O %s - - %s\n%s\n%s C\n' "$mark" "$1" "${#2}" "$2" "$mark"
	[ -z "$3" ] || printf '\n%s E %s %s\n%s\n%s C\n' "$mark" "$1" "${#3}" "$3" "$mark"
	give
} >&6
# Every process of a probe carries FA_PROBE. When its limit ends, whoever still carries it is killed, wherever it has
# got to: one `sleep` for all probes of a limit, in place of a `timeout` for every one.
slay='set -- "FA_PROBE=$1\.($2)\."
for _ in 1 2 3; do
	found=$(grep -lE -e "$1" /proc/[0-9]*/environ 2>/dev/null)
	[ -n "$found" ] || break
	for f in $found; do f=${f#/proc/}; kill -9 "${f%/*}"; done
done'
overdue() { # overdue SECONDS NAMES [SECONDS NAMES]...: kill them then; seconds count from the last, names are a|b|c
	began= # a signal waits until the shell knows the process that it has just started
	trap '[ -z "$began" ] || kill -9 "$!"; exit' TERM
	while [ $# -gt 0 ]; do
		began=yes
		sleep "$1" >/dev/null 6>&- 7>&- 8>&- 9>&- &
		wait "$!"
		$as_root /bin/sh -c "$slay" sh "$mark" "$2"
		shift 2
	done
}
run() { # run NAME WHO SCRIPT
	case $2 in
	root) as=$as_root c=$root_env$3 ;;
	builder) as=$as_builder c=$builder_env$3 ;;
	both) as=$as_root c=$builder_env$3 ;;
	*) as= c=$3 ;;
	esac
	if [ -z "$as" ]; then FA_PROBE=$mark.$1. /bin/sh -c "$c" </dev/null
	else $as env "FA_PROBE=$mark.$1." /bin/sh -c "$c" </dev/null; fi
}
count=0 stages= watches= as_root=
go() { # go NAME WHO SCRIPT: run a probe and print its section, beside all the others
	count=$((count + 1))
	{
		uptime_now; began=$now
		{ out=$({ run "$1" "$2" "$3" 2>&4 4>&- 6>&- 7>&- 8>&- 9>&-; printf ':%s' "$?"; } | head -c "$cap"); } 4>&2 2>/dev/null
		uptime_now; take
		printf '\n%s O %s %s %s %s\n%s\n%s C\n' "$mark" "$1" "$began" "$now" "${#out}" "$out" "$mark"
		give
	} 2>&1 >&6 | {
		err=
		while IFS= read -r l || [ -n "$l" ]; do
			err=$err$l$nl
			[ "${#err}" -lt "$err_cap" ] || { cat >/dev/null; break; }
		done
		[ -z "$err" ] || { take; printf '\n%s E %s %s\n%s\n%s C\n' "$mark" "$1" "${#err}" "$err" "$mark" >&6; give; }
	} &
	if [ -n "$turns" ]; then stages="$stages $!"; else wait "$!"; fi
}
watch() { [ -z "$turns" ] || { overdue "$@" & watches="$watches $!"; }; }

epoch=$(date +%s.%N)
case $epoch in *[!0-9.]* | *. | '') epoch=$(date +%s) ;; esac
printf '\n%s H %s\n' "$mark" "${epoch:--}" >&6

# ---- probes that run as we are
@PLAIN@

# ---- root, through sudo where the inventory says so
@BECOME@
if [ -n "$root" ]; then
:
@ROOT@
fi

# ---- the environment of the build service
@UNIT@
@BUILDER@

wait $stages
[ -z "$watches" ] || kill $watches
printf '\n%s N %s\n' "$mark" "$count" >&6
}
}

# One checksum over all that was printed, for one more pair of processes instead of one more for every probe.
sum=-
if have tee && have cksum && [ -r /proc/self/fd/9 ]; then
	sum=$({ everything 5>&1 | tee /proc/self/fd/7 >&9; } 7>&1 | cksum)
else everything 5>&9; fi
printf '\n%s Z %s\n' "$mark" "$sum" >&9
exit 0
}
