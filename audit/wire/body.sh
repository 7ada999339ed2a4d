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
quote() { # quote VALUE: sets q to it in single quotes
	q= r=$1
	while case $r in *\'*) ;; *) false ;; esac; do q=$q${r%%\'*}"'\\''" r=${r#*\'}; done
	q="'$q$r'"
}

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
soon() { # soon COMMAND...: a question of our own, which must not hang
	if have timeout; then timeout 8 "$@"; else "$@"; fi </dev/null
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
uid=; while read -r k v _; do case $k in Uid:) uid=$v; break ;; esac; done </proc/self/status
[ -n "$uid" ] || uid=$(id -u)
quote "$PATH"; root_env="export LC_ALL=C PATH=$q; unset ENV; "
quote "$fa_unit"; root_env="${root_env}export fa_unit=$q; "
builder_env=$root_env
as_builder= root=yes
if [ "$fa_become" = yes ]; then
	state=ok said=
	if [ "$uid" != 0 ]; then
		if have sudo; then
			said=$(soon sudo -n true 2>&1) || state=denied
			case $state,$said in denied,*assword*) state=password ;; esac
			as_root='sudo -n'
		else state=absent; fi
	fi
	[ "$state" = ok ] && said= || { root=; as_root=; }
	say sudo 0 "$state" "$said"
fi
if [ -n "$root" ]; then
:
@ROOT@
fi

# ---- the environment of the build service: only the names above are kept, so no secret leaves this machine
allowed() { case $1 in *=*) ;; *) return 1 ;; esac; case " $names " in *" ${1%%=*} "*) ;; *) return 1 ;; esac; }
kept=
keep() { # keep NAME=VALUE: the last one wins
	allowed "$1" || return 0
	case $1 in *[[:cntrl:]]*) return 0 ;; esac
	old=$kept kept=
	while [ -n "$old" ]; do
		case $old in "${1%%=*}="*) ;; *) kept=$kept${old%%"$nl"*}$nl ;; esac
		old=${old#*"$nl"}
	done
	kept=$kept$1$nl
}
each_line() { # each_line TEXT FUNCTION: call it with every line (a here-document would be a file under some shells)
	set -- "$1$nl" "$2"
	while [ -n "$1" ]; do "$2" "${1%%"$nl"*}"; set -- "${1#*"$nl"}" "$2"; done
}
keep_assignment() { # keep_assignment LINE: as an EnvironmentFile has it
	l=${1#"${1%%[! ]*}"}
	case $l in [\#\;]* | *\\) return 0 ;; esac
	v=${l#*=}
	case $v in \"*\" | \'*\') v=${v#?}; v=${v%?} ;; esac
	keep "${l%%=*}=$v"
}
keep_file() { case $1 in /*) each_line "$(look "$1")" keep_assignment ;; esac; }
keep_words() { # keep_words TEXT: what `systemctl show -p Environment` prints
	w=$1
	while [ -n "$w" ]; do
		case $w in
		\"*) w=${w#\"}; x=${w%%\"*}; w=${w#"$x"}; w=${w#\"} ;;
		*) x=${w%% *}; w=${w#"$x"} ;;
		esac
		w=${w# }
		case $x in *\\*) ;; *) keep "$x" ;; esac
	done
}
look() { # look FILE: print it, as root if need be
	if [ -r "$1" ]; then cat "$1"; elif [ -n "$as_root" ]; then $as_root cat "$1"; else return 1; fi
}
property() { # property LINE: of `systemctl show`
	case $1 in
	LoadState=*) load=${1#*=} ;;
	MainPID=*) pid=${1#*=} ;;
	User=*) user=${1#*=} ;;
	Environment=*) words=${1#*=} ;;
	EnvironmentFiles=*) l=${1#*=}; files=$files${l%% (*}$nl ;;
	esac
}
if [ -n "$fa_unit" ]; then
	shown=$(soon systemctl show -p LoadState -p MainPID -p User -p Environment -p EnvironmentFiles -- "$fa_unit" 2>&1) ||
		shown="failed=$shown"
	load= pid= user= words= files=
	each_line "$shown" property
	source=absent
	me=$(id -un)
	[ "$load" != loaded ] || {
		source=unit
		: "${user:=root}"
		case $pid in '' | 0) ;; *)
			# Newlines inside a value become ^A, which keep() refuses; the NULs become the newlines.
			vars=$(look "/proc/$pid/environ" | tr '\n\000' '\001\n') && [ -n "$vars" ] && source=process ;;
		esac
		if [ "$source" = unit ]; then
			vars=$(soon systemctl show-environment)
			home=$(getent passwd "$user"); home=${home%:*}; home=${home##*:}
			[ "$user" = root ] || [ -z "$home" ] || vars="$vars${nl}HOME=$home"
		fi
		each_line "$vars" keep
		[ "$source" = process ] || {
			keep_words "$words"
			each_line "$files" keep_file
		}
		case $user in '' | *[!A-Za-z0-9._-]*) ;; "$me") ;; *)
			if [ "$uid" = 0 ]; then
				if have setpriv && gid=$(id -g "$user"); then
					as_builder="setpriv --reuid=$user --regid=$gid --init-groups --"
				elif have runuser; then as_builder="runuser -u $user --"; fi
			elif [ -n "$as_root" ]; then
				if [ "$user" = root ]; then as_builder=$as_root; else as_builder="$as_root -u $user --"; fi
			fi ;;
		esac
		builder_env="${root_env}unset $names; "
		old=$kept
		while [ -n "$old" ]; do
			v=${old%%"$nl"*} old=${old#*"$nl"}
			quote "${v#*=}"; builder_env="${builder_env}export ${v%%=*}=$q; "
		done
	}
	ran=$me; [ -z "$as_builder" ] || ran=$user
	[ "$source" = absent ] && s=1 || { s=0; shown=; }
	say unit-env "$s" "source $source${nl}unit $fa_unit${nl}pid ${pid:-0}${nl}user ${user:--}${nl}as ${ran:--}${nl}$kept" "$shown"
fi
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
