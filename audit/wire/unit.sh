# The environment of the build service, and how to run as its user. Comes after become.sh; wants names, the variables that
# may be told: only those are kept, so no secret leaves this machine. Gives source (process, unit or absent), user,
# ran, as_builder (empty: as we are) and builder_env.
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
		login=$user # systemd sets HOME only where the unit names a user, root too
		: "${user:=root}"
		case $pid in '' | 0) ;; *)
			# Newlines inside a value become ^A, which keep() refuses; the NULs become the newlines.
			vars=$(look "/proc/$pid/environ" | tr '\n\000' '\001\n') && [ -n "$vars" ] && source=process ;;
		esac
		if [ "$source" = unit ]; then
			vars=$(soon systemctl show-environment)
			home=$(getent passwd "$user"); home=${home%:*}; home=${home##*:}
			[ -z "$login" ] || [ -z "$home" ] || vars="$vars${nl}HOME=$home"
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
