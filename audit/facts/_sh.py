"""Pieces of POSIX sh and awk that several probes share.

Every piece runs under dash, busybox and bash, writes no file and forks as little as it can. What may hold a secret is
filtered here, on the worker: only allow-listed names, keys and flags keep their values.
"""

from __future__ import annotations

from audit.model import BUILD_VARIABLES
from audit.posix import HOME

ENV_NAMES = BUILD_VARIABLES
"""Variables whose values may leave a worker and count as settings of a build."""

ENGINE_ENV_NAMES = (
    "DOCKER_DRIVER",
    "DOCKER_MIGRATE_SNAPSHOTTER_THRESHOLD",
    "DOCKER_MIN_API_VERSION",
    "TEST_INTEGRATION_USE_GRAPHDRIVER",
    "TEST_INTEGRATION_USE_SNAPSHOTTER",
)
"""Variables of dockerd's own environment that change what it is."""

DAEMON_KEYS = (
    "bridge builder cgroup-parent containerd containerd-namespace containerd-plugins-namespace data-root "
    "debug default-cgroupns-mode default-runtime default-shm-size exec-opts exec-root experimental features "
    "firewall-backend graph group hosts icc init insecure-registries ip6tables ip-forward ip-masq iptables ipv6 "
    "live-restore log-driver log-level max-concurrent-downloads max-concurrent-uploads max-download-attempts "
    "metrics-addr min-api-version mtu no-new-privileges pidfile registry-mirrors selinux-enabled shutdown-timeout "
    "storage-driver storage-opts tls tlsverify userland-proxy userns-remap"
)
"""Keys of daemon.json whose values may leave a worker; of the others only the names do."""

CLIENT_KEYS = "aliases cliPluginsExtraDirs credHelpers credsStore currentContext"
"""Keys of config.json whose values may leave a worker; of the others only whether they are empty."""

# Prints a JSON file with its shape whole (so that a fault in it is still seen) and its secrets gone: under a top-level
# key that is not in `keep` a string becomes true (an empty one false) and a number 0; whatever stands outside of
# strings and is no JSON word becomes ?; userinfo of URLs becomes ***.
JSON_FILTER = r"""
function shown(s) { sub(/:\/\/.*@/, "://***@", s); return s }
BEGIN { n = split(keep, a, " "); for (i = 1; i <= n; i++) ok[a[i]] = 1 }
{ t = t $0 "\n" }
END {
  n = length(t); d = 0; top = ""
  for (i = 1; i <= n; i++) {
    c = substr(t, i, 1)
    if (c == "\"") {
      for (j = i + 1; j <= n; j++) {
        e = substr(t, j, 1)
        if (e == "\\") { j++; continue }
        if (e == "\"" || e == "\n") break
      }
      s = substr(t, i + 1, j - i - 1)
      if (kind[d] == "{" && want[d] == "key") {
        want[d] = "colon"
        if (d == 1) top = s
        if (s ~ /@/) s = shown("://" s)
      } else if (top in ok) s = shown(s)
      else { printf "%s", (e != "\"") ? "?" : (s == "") ? "false" : "true"; i = j; continue }
      printf "%s", "\"" s
      i = j
      if (j <= n) printf "%s", e
    } else if (c == "{" || c == "[") { d++; kind[d] = c; want[d] = "key"; printf "%s", c }
    else if (c == "}" || c == "]") { if (d > 0) d--; printf "%s", c }
    else if (c == ",") { want[d] = "key"; printf "%s", c }
    else if (c == ":") { want[d] = "value"; printf "%s", c }
    else if (c ~ /[ \t\r\n]/) printf "%s", c
    else {
      w = c
      while (i < n && substr(t, i + 1, 1) ~ /[A-Za-z0-9.+-]/) { i++; w = w substr(t, i, 1) }
      if (w ~ /^-?[0-9][0-9.eE+-]*$/) w = (top in ok) ? w : "0"
      else if (w != "true" && w != "false" && w != "null") w = "?"
      printf "%s", w
    }
  }
}
"""

# Prints the settings of build variables that unit files and environment files make, as lines of tab-separated words:
#   set KIND PATH NAME=value    reset KIND PATH (an empty Environment=)    unset KIND PATH NAME
#   exec KIND PATH PROGRAM
# `kind` is assigned between the file names.
UNIT_FILTER = r"""
function tell(what, text) {
  sub(/:\/\/.*@/, "://***@", text); gsub(/[[:cntrl:]]/, "?", text)
  print what "\t" kind "\t" FILENAME "\t" text
}
function assign(text,   cut) {
  cut = index(text, "=")
  if (cut > 1 && (substr(text, 1, cut - 1) in ok)) tell("set", text)
}
function words(text, verb,   i, c, n, q, w, on) {
  n = length(text); q = ""; w = ""; on = 0
  for (i = 1; i <= n + 1; i++) {
    c = (i > n) ? " " : substr(text, i, 1)
    if (c == "\\" && i < n) { i++; c = substr(text, i, 1); w = w (c == "s" ? " " : c); on = 1 }
    else if (q != "" && c == q) q = ""
    else if (q != "" && i <= n) w = w c
    else if (c == "\"" || c == "\047") { q = c; on = 1 }
    else if (c == " " || c == "\t") {
      if (on) { gsub(/%%/, "%", w); if (verb == "set") assign(w); else if (w in ok) tell(verb, w) }
      w = ""; on = 0
    } else { w = w c; on = 1 }
  }
}
function file_line(text,   cut, name, value) {
  cut = index(text, "="); if (cut < 2) return
  name = substr(text, 1, cut - 1); value = substr(text, cut + 1)
  if (kind == "etc-environment") sub(/^export[ \t]+/, "", name)
  sub(/[ \t]+$/, "", name); sub(/^[ \t]+/, "", value); sub(/[ \t]+$/, "", value)
  if (value ~ /^".*"$/ || value ~ /^\047.*\047$/) value = substr(value, 2, length(value) - 2)
  else if (kind == "etc-environment") sub(/[ \t]+#.*$/, "", value)
  assign(name "=" value)
}
BEGIN { n = split(names, a, " "); for (i = 1; i <= n; i++) ok[a[i]] = 1 }
FNR == 1 { section = ""; carry = "" }
{
  sub(/\r$/, "")
  if ($0 ~ /^[ \t]*[#;]/) next
  line = carry $0; carry = ""
  if (line ~ /\\$/) {
    carry = substr(line, 1, length(line) - 1)
    if (kind ~ /^(unit|drop-in)$/) carry = carry " "
    next
  }
  sub(/^[ \t]+/, "", line)
  if (kind !~ /^(unit|drop-in)$/) { file_line(line); next }
  if (line ~ /^\[/) { section = line; next }
  if (section !~ /^\[Service\]/ || (cut = index(line, "=")) < 2) next
  key = substr(line, 1, cut - 1); value = substr(line, cut + 1)
  sub(/[ \t]+$/, "", key); sub(/^[ \t]+/, "", value)
  if (key == "Environment" && value == "") tell("reset", "")
  else if (key == "Environment") words(value, "set")
  else if (key == "UnsetEnvironment") words(value, "unset")
  else if (key == "ExecStart" && value != "") {
    sub(/^[-@:+!|]*/, "", value); sub(/[ \t].*$/, "", value); tell("exec", value)
  }
}
"""

# Sets d to the docker command; ends the probe where there is none, or where it is podman's shim: that one is not run.
DOCKER = r"""
d=$(command -v docker) || { echo absent; exit 0; }
shim=
[ ! -L "$d" ] || case $(readlink -f "$d") in */podman*) shim=yes ;; esac
case $(head -c 2 "$d" 2>/dev/null) in '#!')
  while IFS= read -r l; do case $l in *podman*) shim=yes; break ;; esac; done <"$d" ;;
esac
"""

# Sets c to docker's configuration folder, j to its config.json without secrets, x to the folders that it adds for
# plugins; tells where it may not be read.
CLIENT_CONFIG = r"""
@HOME@c=${DOCKER_CONFIG:-${h:+$h/.docker}}
f=$c/config.json j= denied=
if [ -z "$c" ]; then :
elif [ -r "$f" ]; then j=$(awk -v keep='@CLIENT_KEYS@' '@JSON_FILTER@' "$f") || j='no awk'
else for o in "${h:-/}" "$c"; do [ ! -d "$o" ] || [ -x "$o" ] || denied=yes; done; [ ! -e "$f" ] || denied=yes
fi
[ -z "$denied" ] || echo "config-denied $f"
x=
case $j in *'"cliPluginsExtraDirs"'*) x=${j#*'"cliPluginsExtraDirs"'}; x=${x#*\[}; x=${x%%\]*} ;; esac
""".replace("@HOME@", HOME)

# Sets the positional parameters to every docker-buildx, in docker's order; one file under two names counts once.
PLUGIN_COPIES = r"""
add() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  for o in $copies; do [ "$1" -ef "$o" ] && return 0; done
  copies="$copies$1
"
}
n='
' copies=
set -f; IFS="$n"
[ -z "$x" ] || for o in $(IFS=' ,	'"$n"; for w in $x; do w=${w#\"}; echo "${w%\"}"; done); do
  add "$o/docker-buildx"
done
[ -z "$c" ] || add "$c/cli-plugins/docker-buildx"
for o in /usr/local/lib /usr/local/libexec /usr/lib /usr/libexec; do add "$o/docker/cli-plugins/docker-buildx"; done
set -- $copies
unset IFS
"""

# Sets p to dockerd's pid (empty: not found), a to its arguments, cfg to daemon.json's path, root to the data-root.
DOCKERD = r"""
n='
' p= a= root= cfg=/etc/docker/daemon.json
for f in /run/docker.pid /var/run/docker.pid; do [ -r "$f" ] && { read -r p <"$f"; pidfile=$f; break; }; done
w=; [ -z "$p" ] || read -r w 2>/dev/null <"/proc/$p/comm"
if [ "$w" != dockerd ]; then
  lost=$p p= pidfile=
  if command -v dockerd >/dev/null 2>&1 || [ -d /snap/docker ]; then
    for f in /proc/[0-9]*/comm; do
      w=; read -r w 2>/dev/null <"$f"
      [ "$w" != dockerd ] || { p=${f#/proc/}; p=${p%/comm}; break; }
    done
  fi
fi
[ -z "$p" ] || a=$(tr '\000' '\n' <"/proc/$p/cmdline" 2>/dev/null)
set -f; IFS=$n; o=
for w in $a; do
  case $w in
  --config-file=*) cfg=${w#*=} ;;
  --data-root=* | --graph=* | -g=*) root=${w#*=} ;;
  *) case $o in --config-file) cfg=$w ;; --data-root | --graph | -g) root=$w ;; esac ;;
  esac
  o=$w
done
unset IFS; set +f
[ -e "$cfg" ] || [ ! -e /var/snap/docker/current/config/daemon.json ] || cfg=/var/snap/docker/current/config/daemon.json
"""


def fill(script: str) -> str:
    """A script with its ``@NAME@`` slots filled from this module."""
    for name in ("JSON_FILTER", "UNIT_FILTER", "CLIENT_KEYS", "DAEMON_KEYS"):
        script = script.replace(f"@{name}@", globals()[name].strip())
    return script.replace("@ENV_NAMES@", " ".join(ENV_NAMES)).strip() + "\n"


def cases(names: tuple[str, ...]) -> str:
    """A shell pattern that matches an assignment of one of the names."""
    return " | ".join(f"{name}=*" for name in names)
