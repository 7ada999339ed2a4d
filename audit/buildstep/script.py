"""What one build runs on its worker, and what takes it back; POSIX sh, run as the build service's user.

Stdin is framed: first the files of the private folder, each as long as the script says, then the context to the end.
So no secret stands on a command line, in an environment or in the script, and no file of the context is made there.
The private folder (mode 700) lies in memory where the worker has a place for that.

Where the build or the push fails, or is ended, the tag names again what it named before. What was pushed stays on the
worker as after any `docker build`: it is the cache of the next one.

Our lines stand on stdout, ``FB`` and the nonce before them; docker's own output stands between them:

    X WHY      it cannot begin
    D FOLDER   the private folder is on a disk, since there is no memory file system
    B          the build begins
    E EXIT     it has ended
    P          the push begins
    Q EXIT     it has ended
    G DIGEST   of what the build pushed by itself, from its metadata
    N WHAT     something of ours is left
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping

from audit.engines.build import Command, Read
from audit.model import Model
from audit.posix import HOME

LOGIN = "docker/config.json"
"""The private docker configuration, below the folder."""
_MARK = "\x00"
_PLACES = '/dev/shm "${XDG_RUNTIME_DIR:-}" /run /tmp'  # noqa: S108 - the folder's name cannot be guessed, nor taken over

_BOTH = r"""
exec 3>&1
set -f
rec() { printf '\nFB%s %s\n' "$n" "$*" >&3; }
soon() { if command -v timeout >/dev/null; then timeout -k 2 10 "$@"; else "$@"; fi; }
named() { soon docker image inspect --format '{{.Id}}' "$t" 2>/dev/null; }
back() { # the tag names what it named before; says whether there was something to do
  now=$(named)
  [ "$now" != "$was" ] || return 1
  if [ -n "$was" ] && soon docker tag "$was" "$t"; then [ -z "$now" ] || soon docker image rm "$now"
  else soon docker image rm "$t"; fi
}
"""

_BEGIN = r"""
umask 077
refuse() { rec "X $*"; exit 3; }
command -v docker >/dev/null || refuse 'there is no docker command'
in_memory() {
  while read -r _ at kind _; do
    case $kind in tmpfs | ramfs) case $1/ in "$at"/*) return 0 ;; esac ;; esac
  done </proc/mounts
  return 1
} 2>/dev/null
d=
for p in @PLACES@; do
  [ -n "$p" ] && [ -d "$p" ] && mkdir "$p/$name" 2>/dev/null || continue
  d=$p/$name
  break
done
[ -n "$d" ] || refuse 'no private folder can be made in /dev/shm, /run or /tmp'
in_memory "$d" || rec "D $d"
take() { # take FILE BYTES: the next bytes of stdin
  : >"$d/$1"
  [ "$2" = 0 ] || dd bs=1 count="$2" of="$d/$1" 2>/dev/null
  [ "$(wc -c <"$d/$1")" -eq "$2" ] || refuse "there is no room in $d, or the connection ended before the context"
}
was=$(named)
printf '%s\n' "$was" >"$d/was" || refuse "there is no room in $d"
"""

_LOGIN = r"""
mkdir "$d/docker"
@HOME@c=${DOCKER_CONFIG:-${h:-/}/.docker}
for f in contexts cli-plugins buildx; do [ ! -e "$c/$f" ] || ln -s "$c/$f" "$d/docker/$f"; done
context=$(soon docker context inspect --format '{{.Name}}' 2>/dev/null)
login() { env DOCKER_CONFIG="$d/docker" ${context:+"DOCKER_CONTEXT=$context"} "$@"; }
""".replace("@HOME@", HOME)

_UNDO = r"""
left=0
d=
for p in @PLACES@; do [ -z "$p" ] || [ ! -d "$p/$name" ] || d=$p/$name; done
[ -n "$d" ] || exit 0
# An engine may come to the end of a build after its client has gone.
if [ "$1" = yes ] && read -r was <"$d/was"; then
  for i in 1 2 3; do ! back || break; sleep 1; done
fi >/dev/null 2>&1
rm -rf "$d" 2>/dev/null
[ ! -e "$d" ] || { left=1; rec "N the private folder $d; remove it"; }
exit "$left"
"""


class Job(Model):
    """What one worker is to do; no secret is in it.

    Attributes:
        nonce: 16 hex digits or more; unique for the attempt.
        reference: what is built and pushed, as ``docker push`` names it.
        build: the command.
        push: what follows it; None: the build pushes by itself.
        read: where the digest comes from.
        files: of the private folder: name and number of bytes, in the order of stdin.
    """

    nonce: str
    reference: str
    build: Command
    push: Command | None = None
    read: Read
    files: tuple[tuple[str, int], ...] = ()

    @property
    def folder(self) -> str:
        """The private folder's name, wherever it is made."""
        return f"fleet-audit-build-{self.nonce}"

    @property
    def login(self) -> bool:
        """The push uses credentials that were sent for it."""
        return any(name == LOGIN for name, _ in self.files)


def do_script(job: Job) -> str:
    """What builds and pushes; exit status 0: both went well, 3: it could not begin, else the failing command's."""
    own = "login " if job.login else ""
    lines = [_assignments(job), _BOTH, _BEGIN.replace("@PLACES@", _PLACES), *([_LOGIN] if job.login else [])]
    lines += [f"take {shlex.quote(name)} {size}" for name, size in job.files]
    lines.append("rec B")
    lines.append(f"{'' if job.push else own}{_words(job.build)}{_stdin(job.build)}")
    lines.append('s=$?; rec "E $s"; [ "$s" = 0 ] || { back >/dev/null 2>&1; exit "$s"; }')
    if job.push is not None:
        lines.append("rec P")
        lines.append(f"{own}{_words(job.push)}{_stdin(job.push)}")
        lines.append('s=$?; rec "Q $s"; [ "$s" = 0 ] || { back >/dev/null 2>&1; exit "$s"; }')
    if job.read.file is not None:
        find = rf's/.*"{re.escape(job.read.key or "")}": *"\(sha256:[0-9a-f]\{{64\}}\)".*/\1/p'
        file = _word(job.read.file.replace("{scratch}", _MARK))
        lines.append(f'rec "G $(sed -n {shlex.quote(find)} {file} 2>/dev/null)"')
    return "\n".join([*lines, "exit 0"]) + "\n"


def undo_script(job: Job) -> str:
    """What takes everything back that was not pushed, however far `do_script` came; says what it could not."""
    return "\n".join([_assignments(job), _BOTH, _UNDO.replace("@PLACES@", _PLACES)])


def stdin_of(job: Job, contents: Mapping[str, bytes], context: Iterable[bytes]) -> Iterator[bytes]:
    """What the script reads: the private files as `Job.files` has them, then the context.

    Raises:
        ValueError: a file has another length than the script waits for.
    """
    for name, size in job.files:
        if len(contents[name]) != size:
            raise ValueError(f"{name} has {len(contents[name])} bytes, not {size}")
    if job.files:
        yield b"".join(contents[name] for name, _ in job.files)
    yield from context


def login_text(key: str, *, username: str = "", password: str = "", identity: str = "", registry: str = "") -> bytes:
    """A docker config.json with one registry's credentials (docker/cli cli/config/types/authconfig.go).

    Args:
        key: what docker keeps the registry under.
        username: with `password`.
        password: of it.
        identity: an identity token.
        registry: a registry token.
    """
    import base64

    entry: dict[str, str] = {}
    if identity:
        entry["identitytoken"] = identity
    if registry:
        entry["registrytoken"] = registry
    name = username if password else "<token>" if identity else ""
    if name:
        entry["auth"] = base64.b64encode(f"{name}:{password}".encode()).decode()
    return json.dumps({"auths": {key: entry}}).encode()


def _assignments(job: Job) -> str:
    if not re.fullmatch(r"[0-9a-f]{16,64}", job.nonce):
        raise ValueError(f"{job.nonce!r} is no nonce")
    return f"n={job.nonce} name={job.folder} t={shlex.quote(job.reference)}"


def _words(command: Command) -> str:
    """A command for a shell, every word quoted; the mark of the private folder becomes its path there."""
    environment = [shlex.quote(f"{name}={value}") for name, value in command.environment]
    return " ".join([*(["env", *environment] if environment else []), *map(_word, command.argv_in(_MARK))])


def _word(word: str) -> str:
    return '"$d"'.join(shlex.quote(part) if part else "" for part in word.split(_MARK)) or "''"


def _stdin(command: Command) -> str:
    return "" if command.stdin == "context" else " </dev/null"
