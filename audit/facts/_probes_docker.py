"""The probes of Docker: its client, engine and builders, its daemon and disks; the rest is `_probes_machine`.

What is asked together costs one shell, what may hang stands alone. What a probe prints are lines ``WORD rest``; a JSON
document, where there is one, comes last, after a line ``json``.
"""

from __future__ import annotations

from audit.facts import _sh
from audit.model import Probe

DOCKER_CLIENT = Probe(
    name="docker-client",
    script=_sh.fill(
        r"""
d=$(command -v docker) && echo "docker $d"
[ -z "${DOCKER_HOST:-}" ] || case $DOCKER_HOST in
*://*@*) echo "host ${DOCKER_HOST%%://*}://***@${DOCKER_HOST##*@}" ;;
*) echo "host $DOCKER_HOST" ;;
esac
echo "context ${DOCKER_CONTEXT:-}"
case ${DOCKER_HOST:-} in unix://*) s=${DOCKER_HOST#unix://} ;; *) s= ;; esac
for f in ${s:+"$s"} /run/docker.sock /var/run/docker.sock ${XDG_RUNTIME_DIR:+"$XDG_RUNTIME_DIR/docker.sock"}; do
  [ -S "$f" ] || continue
  l=no; [ -r "$f" ] && [ -w "$f" ] && l=yes
  echo "socket $l $f"; echo "ls $(ls -ldL "$f")"
  break
done
"""
        + _sh.CLIENT_CONFIG
        + r"""
echo "folder $c"
b=${BUILDX_CONFIG:-${c:+$c/buildx}}
[ -z "$b" ] || [ ! -e "$b/current" ] || echo "buildx-store $b"
"""
        + _sh.PLUGIN_COPIES
        + r"""
for o; do l=no; [ ! -f "$o" ] || [ ! -x "$o" ] || l=yes; echo "copy $l $o"; done
[ -z "$j" ] || printf 'config %s\njson\n%s\n' "$f" "$j"
"""
    ),
    root=True,
    as_builder=True,
)
"""What the docker command will find, as the builds find it; runs no program of Docker's."""

DOCKER_VERSION = Probe(
    name="docker-version",
    script=_sh.fill(
        _sh.DOCKER
        + r"""
[ -z "$shim" ] || { echo podman; docker --version 2>/dev/null; exit 0; }
if command -v timeout >/dev/null 2>&1; then
  j=$(timeout -s KILL 6 docker version --format '{{json .}}'); r=$?
else
  docker --version 2>/dev/null
  j=$(docker version --format '{{json .}}'); r=$?
fi
case $j in
'{'*) ;;
*) echo "exit $r"; docker --version ;;
esac
printf 'json\n%s\n' "$j"
exit $r
"""
    ),
    timeout=12,
    root=True,
    as_builder=True,
)
"""Client, engine and their parts; where the engine hangs, at least the client."""

DOCKER_INFO = Probe(
    name="docker-info",
    script=_sh.fill(
        _sh.DOCKER
        + r"""
[ -z "$shim" ] || { echo podman; exit 0; }
j=$(docker info --format '{{json .}}'); r=$?
printf '%s\n' "$j" | sed -E \
  -e 's/"org.opencontainers.runtime-spec.features":"([^"\\]|\\.)*"/"features":""/g' \
  -e 's/"Plugins":\{"Volume":[^}]*\}/"Plugins":{}/' \
  -e 's/"(HttpProxy|HttpsProxy|NoProxy)":"([^"\\]|\\.)+"/"\1":"x"/g' \
  -e 's/"Labels":\[("([^"\\]|\\.)*",?)+\]/"Labels":["x"]/' \
  -e 's#://[^"[:space:]]*@#://***@#g'
exit $r
"""
    ),
    timeout=12,
    root=True,
    as_builder=True,
)
"""All that the engine tells of itself, without proxies, labels and the runtimes' long lists of features."""

BUILDX_LS = Probe(
    name="buildx-ls",
    script=_sh.fill(
        _sh.CLIENT_CONFIG
        + _sh.PLUGIN_COPIES
        + r"""
[ $# -gt 0 ] || { echo none; exit 0; }
set +f
if [ $# -gt 1 ]; then
  for o; do
    m=$("$o" docker-cli-plugin-metadata 2>&1) || m=
    v=; case $m in *'"Version"'*) v=${m#*'"Version"'}; v=${v#*\"}; v=${v%%\"*} ;; esac
    echo "meta ${v:--} $o"
  done
fi
b=${BUILDX_CONFIG:-$c/buildx}
for o in .lock current instances defaults activity; do [ -e "$b/$o" ] || { echo no-store; exit 0; }; done
l=; read -r l <"$b/current"
case $l in *'"Name":"'*) l=${l#*'"Name":"'}; l=${l%%\"*} ;; *) l= ;; esac
set -- "$b"/instances/*
[ -n "$l" ] || [ -e "$1" ] || { echo no-store; exit 0; }  # buildx would write, and has nothing to tell
"""
        + _sh.DOCKER
        + r"""
[ -z "$shim" ] || exit 0
echo "current $l"
echo ls
docker buildx ls --format json 2>/dev/null || docker buildx ls
"""
    ),
    timeout=12,
    root=True,
    as_builder=True,
)
"""The builders. `docker buildx ls` makes its store where there is none: there it is not run, and nothing is missed."""

DAEMON = Probe(
    name="daemon",
    script=_sh.fill(
        _sh.DOCKERD
        + r"""
if [ -n "$p" ]; then
  echo "pid $p"; [ -z "$pidfile" ] || echo "pidfile $pidfile"
  [ -n "$a" ] || echo "hidden $p"
elif [ -n "$lost" ] && [ ! -d "/proc/$lost" ] && [ ! -r /proc/1/comm ]; then echo "hidden $lost"
fi
set -f; IFS=$n; o=
flag() { case $1 in *://*@*) echo "flag ${1%%://*}://***@${1##*@}" ;; *) echo "flag $1" ;; esac; }
for w in $a; do
  case $w in
  -H=* | --host=* | --tls*=* | --data-root=* | --graph=* | -g=* | --storage-driver=* | -s=* | --containerd=* | \
    --userns-remap=* | --feature=* | --config-file=* | --exec-root=* | --pidfile=* | --insecure-registry=* | \
    --registry-mirror=* | --live-restore=* | --group=* | -G=*) flag "$w" ;;
  -H | --host | --data-root | --graph | -g | --storage-driver | -s | --containerd | --userns-remap | --feature | \
    --config-file | --exec-root | --pidfile | --insecure-registry | --registry-mirror) o=$w; continue ;;
  -H?*) flag "-H=${w#-H}" ;;
  -*) echo "flag ${w%%=*}" ;;
  *) [ -z "$o" ] || flag "$o=$w" ;;
  esac
  o=
done
unset IFS; set +f
[ -z "$p" ] || [ ! -r "/proc/$p/environ" ] || tr '\n\000' ' \n' 2>/dev/null <"/proc/$p/environ" |
  while IFS= read -r l; do case $l in @ENGINE_ENV@) echo "env $l" ;; esac; done
case $n$a$n in *"$n"-H?fd:*|*"$n"fd:*|*host=fd:*|*"$n"-Hfd:*)
  for f in /usr/lib/systemd/system/docker.socket /lib/systemd/system/docker.socket \
    /etc/systemd/system/docker.socket /etc/systemd/system/docker.socket.d/*.conf; do
    [ ! -r "$f" ] || while read -r l; do case $l in ListenStream=*) echo "listen ${l#*=} $f" ;; esac; done <"$f"
  done ;;
esac
w=absent
if [ -r "$cfg" ]; then w=present; elif [ -e "$cfg" ]; then w=denied; fi
echo "config $w $cfg"
if [ $w = present ]; then
  [ -z "$pidfile" ] || { l=no; [ "$cfg" -nt "$pidfile" ] && l=yes; echo "newer $l"; }
  echo json
  awk -v keep='@DAEMON_KEYS@' '@JSON_FILTER@' "$cfg" || exit 3
fi
exit 0
""".replace("@ENGINE_ENV@", _sh.cases(_sh.ENGINE_ENV_NAMES))
    ),
    root=True,
)
"""daemon.json, dockerd's flags and environment, docker.socket."""

ROOTS = Probe(
    name="roots",
    script=_sh.fill(
        _sh.DOCKERD
        + r"""
[ ! -r /etc/fstab ] || while read -r d m _; do
  case $d in /dev/sd* | /dev/vd* | /dev/xvd* | /dev/hd* | /dev/nvme* | /dev/dasd* | /dev/mmcblk*)
    echo "fstab $d $m" ;;
  esac
done </etc/fstab
if [ -z "$root" ] && [ -r "$cfg" ]; then
  while IFS= read -r l || [ -n "$l" ]; do
    case $l in *'"data-root"'*) w=${l#*'"data-root"'} ;; *'"graph"'*) w=${l#*'"graph"'} ;; *) continue ;; esac
    w=${w#*\"}; root=${w%%\"*}
  done <"$cfg"
fi
: "${root:=/var/lib/docker}"
echo "data-root $root"
look() {
  [ -e "$1" ] || return 0
  q=$1; [ ! -L "$q" ] || q=$(readlink -f "$q")
  case "$n$roots" in *"$n$q$n"*) return 0 ;; esac
  roots=$roots$q$n
  echo "root $1"; echo "real $q"
  [ -x "$q" ] || { echo "denied $q"; return 0; }
  for w in overlay2 fuse-overlayfs btrfs zfs aufs devicemapper overlay vfs; do
    [ -d "$q/$w" ] || continue
    if [ -e "$q/$w/l" ] || [ ! -r "$q/$w" ]; then echo "prior $w $q"; continue; fi
    for f in "$q/$w"/* "$q/$w"/.[!.]*; do [ ! -e "$f" ] && [ ! -L "$f" ] || { echo "prior $w $q"; break; }; done
  done
}
roots=
look "$root"; look /var/lib/docker
[ -z "${HOME:-}" ] || look "$HOME/.local/share/docker"
root=${roots%%"$n"*}
r= s=
case $n$a in *--containerd*) ;; *)
  [ ! -S /run/docker/containerd/containerd.sock ] || r=$root/containerd/daemon s="dockerd's own containerd" ;;
esac
f=/etc/containerd/config.toml
[ -n "$r" ] || [ ! -r $f ] || while IFS= read -r l; do
  l=${l#"${l%%[! 	]*}"}
  case $l in
  \[*) break ;;
  root[\ =]*) w=${l#*=}; w=${w#*[\"\']}; r=${w%%[\"\']*} s=config.toml ;;
  esac
done <$f
[ -n "$r" ] || r=/var/lib/containerd s=default
echo "containerd-root $r"; echo "containerd-source $s"
set -f; IFS=$n
set -- $roots
unset IFS; set +f
[ ! -e "$r" ] || set -- "$@" "$r"
for f; do echo "df $f"; done
[ $# -gt 0 ] || exit 0
echo bytes; df -PTk "$@" 2>/dev/null || { echo plain; df -Pk "$@"; }
echo inodes; df -Pi "$@" 2>/dev/null
exit 0
"""
    ),
    root=True,
)
"""What lies under the engine's two roots, and the disks below; apart, since a dead disk hangs it."""
