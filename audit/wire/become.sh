# Who may do what on this machine: shared by the audit's script (body.sh) and by that of a session (session.sh).
# Wants fa_become and fa_unit; `say NAME EXIT STDOUT STDERR` takes what is found out. Gives uid, as_root (empty: as we
# are), root (empty: sudo was asked for and refused), root_env and builder_env (assignments for /bin/sh -c).
quote() { # quote VALUE: sets q to it in single quotes
	q= r=$1
	while case $r in *\'*) ;; *) false ;; esac; do q=$q${r%%\'*}"'\\''" r=${r#*\'}; done
	q="'$q$r'"
}
soon() { # soon COMMAND...: a question of our own, which must not hang
	if have timeout; then timeout 8 "$@"; else "$@"; fi </dev/null
}
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
