"""The probes of the machine: its login, clock, packages and build unit; Docker itself is in `_probes_docker`.

What is asked together costs one shell, what may hang stands alone. What a probe prints are lines ``WORD rest``; a JSON
document, where there is one, comes last, after a line ``json``.
`fa_unit` is the build unit's name, exported by the wire to every probe; empty where none is declared.
"""

from __future__ import annotations

from audit.facts import _sh
from audit.model import Probe

HOST = Probe(
    name="host",
    script=_sh.fill(
        r"""
echo "uname $(uname -snrm)"
f=/etc/os-release; [ -r $f ] || f=/usr/lib/os-release
[ ! -r $f ] || while IFS= read -r l; do
  case $l in ID=* | VERSION_ID=* | VERSION_CODENAME=* | PRETTY_NAME=*) echo "os $l" ;; esac
done <$f
read -r l 2>/dev/null </proc/uptime && echo "uptime $l"
read -r l 2>/dev/null </sys/devices/system/cpu/online && echo "cpus $l"
for f in /proc/sys/fs/binfmt_misc/qemu-*; do
  l=; read -r l 2>/dev/null <"$f"; [ "$l" != enabled ] || echo "binfmt ${f##*/qemu-}"
done
if [ -s /etc/machine-id ]; then
  l=; read -r l </etc/machine-id
  [ "$l" = uninitialized ] || echo "machine-id $(sha256sum </etc/machine-id 2>/dev/null)"
fi
echo "id $(id)"
echo "shell ${SHELL:-}"
"""
        + _sh.CLIENT_CONFIG
        + r"""
[ -z "$j" ] || printf 'config %s\njson\n%s\n' "$f" "$j"
"""
    ),
)
"""The machine and the login."""

CLOCK_SYNC = Probe(
    name="clock-sync",
    script=_sh.fill(
        r"""
[ ! -e /run/systemd/timesync/synchronized ] || { echo yes; exit 0; }
[ -d /run/systemd/system ] || exit 0
timedatectl show -p NTPSynchronized --value
"""
    ),
    timeout=5,
)
"""Whether the clock is kept; apart, since it asks over D-Bus."""

PACKAGES = Probe(
    name="packages",
    script=_sh.fill(
        r"""
d=$(command -v docker); e=$(command -v dockerd); b=
for f in /usr/local/lib /usr/local/libexec /usr/lib /usr/libexec; do
  f=$f/docker/cli-plugins/docker-buildx
  [ ! -f "$f" ] || { b=$f; break; }
done
[ -z "$d" ] || echo "docker $d $(readlink -f "$d")"
[ -z "$e" ] || echo "dockerd $e"
[ -z "$b" ] || echo "buildx $b"
[ -n "$d$e$b" ] || exit 0
case $d in /snap/*) exit 0 ;; esac
if [ -d /var/lib/dpkg/info ]; then
  echo manager dpkg
  set --
  for f in docker.io docker-cli docker-ce docker-ce-cli docker-buildx docker-buildx-plugin docker-engine \
    moby-engine moby-cli moby-buildx podman-docker; do
    [ ! -f "/var/lib/dpkg/info/$f.list" ] || set -- "$@" "$f"
  done
  if [ $# -gt 0 ]; then
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' "$@" 2>/dev/null |
      while read -r s f v; do [ "$s" != ii ] || echo "version $f $v"; done
    n=$#
    for f; do set -- "$@" "/var/lib/dpkg/info/$f.list"; done
    shift $n
    grep -xF -e "${d:--}" -e "${e:--}" -e "${b:--}" /dev/null "$@" |
      while IFS=: read -r f p; do f=${f##*/}; echo "owner ${f%.list} $p"; done
  else
    dpkg -S $d $e $b 2>/dev/null | while IFS=: read -r f p; do echo "owner $f $p"; done
  fi
elif command -v rpm >/dev/null 2>&1 && [ -d /var/lib/rpm ]; then
  echo manager rpm
  for f in $d $e $b; do
    p=$(rpm -qf --qf '%{NAME} %{VERSION}-%{RELEASE}\n' "$f" 2>/dev/null) || continue
    echo "owner ${p%% *} $f"; echo "version $p"
  done
elif command -v apk >/dev/null 2>&1; then
  echo manager apk
  apk info -W $d $e $b 2>/dev/null | while read -r f _ _ _ p; do echo "apk $p $f"; done
elif command -v pacman >/dev/null 2>&1; then
  echo manager pacman
  pacman -Qo $d $e $b 2>/dev/null | while read -r f _ _ _ p v; do echo "owner $p $f"; echo "version $p $v"; done
fi
exit 0
"""
    ),
)
"""Which packages own docker, dockerd and buildx."""

BUILD_UNIT = Probe(
    name="build-unit",
    script=_sh.fill(
        r"""
n='
' u=${fa_unit:-} frag= drops= files= pid=0
set --
if [ -n "$u" ]; then
  command -v systemctl >/dev/null 2>&1 || { echo "no systemctl" >&2; exit 127; }
  s=$(systemctl show -p Id -p LoadState -p ActiveState -p User -p MainPID -p FragmentPath -p DropInPaths \
    -p EnvironmentFiles -p RequiresMountsFor -p NeedDaemonReload -- "$u") || exit 1
  set -f; IFS=$n
  for l in $s; do
    echo "show $l"
    case $l in
    FragmentPath=?*) frag=${l#*=} ;;
    DropInPaths=?*) drops=${l#*=} ;;
    EnvironmentFiles=?*) l=${l#*=}; files=$files${l%% (*}$n ;;
    MainPID=?*) pid=${l#*=} ;;
    esac
  done
  [ "$pid" = 0 ] || { l=; read -r l 2>/dev/null <"/proc/$pid/comm"; echo "comm $l"; }
  unset IFS
  systemctl show-environment 2>/dev/null | while IFS= read -r l; do
    case $l in @CASES@)
      case $l in *://*@*) l=${l%%://*}://***@${l##*@} ;; esac
      printf 'set\tmanager\t-\t%s\n' "$l" ;;
    esac
  done
  if [ -n "$frag" ]; then
    if [ -r "$frag" ]; then set -- kind=unit "$frag"; else echo "unreadable $frag"; fi
  fi
  for f in $drops; do if [ -r "$f" ]; then set -- "$@" kind=drop-in "$f"; else echo "unreadable $f"; fi; done
  set +f; IFS=$n
  for f in $files; do
    if [ -r "$f" ]; then set -- "$@" kind=environment-file "$f"; elif [ -e "$f" ]; then echo "unreadable $f"; fi
  done
  unset IFS
fi
[ ! -s /etc/environment ] || [ ! -r /etc/environment ] || set -- "$@" kind=etc-environment /etc/environment
[ $# -eq 0 ] || awk -v names='@ENV_NAMES@' '@UNIT_FILTER@' "$@"
""".replace("@CASES@", _sh.cases(_sh.ENV_NAMES))
    ),
    root=True,
)
"""The build unit's state, and every setting that its files, the manager and /etc/environment make."""

LOGIN_SHELL = Probe(
    name="login-shell",
    script=_sh.fill(
        r"""
s=${SHELL:-/bin/sh}
case $s in */nologin | */false) exit 0 ;; esac
case $s in *csh) set -- -c env ;; *) set -- -l -c env ;; esac
"$s" "$@" 2>/dev/null | while IFS= read -r l; do
  case $l in @CASES@)
    case $l in *://*@*) l=${l%%://*}://***@${l##*@} ;; esac
    printf '%s\n' "$l" ;;
  esac
done
""".replace("@CASES@", _sh.cases(_sh.ENV_NAMES))
    ),
    timeout=6,
)
"""The same variables as a person who logs in has them; apart, since a profile may hang."""
