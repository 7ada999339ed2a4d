# What fleet-audit runs on a worker. It only reads, and leaves no file behind: every answer is held in a shell
# variable and printed as a section between marker lines that carry the run's nonce. The whole body is one block, so
# that a script cut short on its way is never run by half. Before it stand three assignments:
#   fa_nonce   marks the sections      fa_become  yes: what needs root goes through `sudo -n`
#   fa_unit    the systemd unit that runs the builds, or nothing
{
LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin
export LC_ALL PATH
unset ENV BASH_ENV CDPATH
set -f
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

# The limit: coreutils' timeout kills the whole group; busybox's does not, so there (or with none) we watch ourselves.
limit=$(command -v timeout)
if [ -L "$limit" ]; then case $("$limit" --version) in *coreutils*) ;; *) limit= ;; esac; fi
session=; have setsid && session=setsid
watch='
'"$session"' /bin/sh -c "$2" </dev/null & p=$!
( trap "kill \$s" TERM; sleep "$1" & s=$!; wait $s && kill -9 '"${session:+-}"'$p ) >/dev/null 2>&1 &
w=$!; wait $p; r=$?; kill $w 2>/dev/null; exit $r'
limited() { # limited SECONDS SCRIPT [PREFIX...]: run it, nothing on stdin
	s=$1 c=$2; shift 2
	if [ -n "$limit" ]; then "$@" timeout -s KILL "$s" /bin/sh -c "$c" </dev/null
	else "$@" /bin/sh -c "$watch" sh "$s" "$c" </dev/null; fi
}
run() { # run SECONDS WHO SCRIPT
	case $2 in
	root) limited "$1" "$root_env$3" $as_root ;;
	builder) limited "$1" "$builder_env$3" $as_builder ;;
	both) limited "$1" "$builder_env$3" $as_root ;;
	*) limited "$1" "$3" ;;
	esac
}
probe() { # probe NAME SECONDS WHO SCRIPT: run it and print its section
	{
		uptime_now; began=$now
		{ out=$({ run "$2" "$3" "$4" 2>&4 4>&- 6>&- 7>&- 8>&- 9>&-; printf ':%s' "$?"; } | head -c "$cap"); } 4>&2 2>/dev/null
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
	}
}
count=0
go() { count=$((count + 1)); if [ -n "$turns" ]; then probe "$@" & else probe "$@"; fi; }

epoch=$(date +%s.%N)
case $epoch in *[!0-9.]* | *. | '') epoch=$(date +%s) ;; esac
printf '\n%s H %s\n' "$mark" "${epoch:--}" >&6

# ---- probes that run as we are
@PLAIN@

# ---- root, through sudo where the inventory says so
uid=; while read -r k v _; do case $k in Uid:) uid=$v; break ;; esac; done </proc/self/status
[ -n "$uid" ] || uid=$(id -u)
quote "$PATH"; root_env="export LC_ALL=C PATH=$q; unset ENV; " builder_env=
as_root= as_builder= root=yes
if [ "$fa_become" = yes ]; then
	state=ok said=
	if [ "$uid" != 0 ]; then
		if have sudo; then
			said=$(limited 10 'sudo -n true' 2>&1) || state=denied
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
	if [ -r "$1" ]; then cat "$1" 2>/dev/null; elif [ -n "$as_root" ]; then $as_root cat "$1" 2>/dev/null; else return 1; fi
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
	quote "$fa_unit"
	shown=$(limited 8 "systemctl show -p LoadState -p MainPID -p User -p Environment -p EnvironmentFiles -- $q" 2>&1) || shown="failed=$shown"
	load= pid= user= words= files=
	each_line "$shown" property
	source=absent
	me=$(id -un 2>/dev/null)
	[ "$load" != loaded ] || {
		source=unit
		: "${user:=root}"
		case $pid in '' | 0) ;; *)
			# Newlines inside a value become ^A, which keep() refuses; the NULs become the newlines.
			vars=$(look "/proc/$pid/environ" | tr '\n\000' '\001\n') && [ -n "$vars" ] && source=process ;;
		esac
		if [ "$source" = unit ]; then
			vars=$(limited 8 'systemctl show-environment' 2>/dev/null)
			home=$(getent passwd "$user" 2>/dev/null); home=${home%:*}; home=${home##*:}
			[ "$user" = root ] || [ -z "$home" ] || vars="$vars${nl}HOME=$home"
		fi
		each_line "$vars" keep
		[ "$source" = process ] || {
			keep_words "$words"
			each_line "$files" keep_file
		}
		case $user in '' | *[!A-Za-z0-9._-]*) ;; "$me") ;; *)
			if [ "$uid" = 0 ]; then
				if have setpriv && gid=$(id -g "$user" 2>/dev/null); then
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

wait
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
