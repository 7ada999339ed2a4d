"""What a probe runs on a worker, and what takes it back; POSIX sh, run as the build service's user.

Everything that it makes carries the run's nonce: one folder, ``/tmp/fleet-audit-NONCE``; tags, and a label on every
image, half-built ones too; a Dockerfile of that name, by which buildx's notes of the builds are found; and the nonce in
the instructions, by which the records of the build cache are.

The answers stand on stdout, one a line, ``FP`` and the nonce before them:

    X WHY                       it cannot begin
    S STORE                     containerd or graphdriver, as the engine says
    B WAY                       a way begins
    E WAY EXIT                  its build has ended
    I WAY IID yes|no|-          what --iidfile holds (- nothing), and whether the engine knows it
    P WAY EXIT DIGEST           the push has ended (EXIT is - where the build pushed), and the digest it printed
    L WAY TEXT                  a line of the log of what failed
    F WAY NAME HEX              a file of the image as exported, where there is no registry
    C EXIT                      the build with COPY --link --chown=NAME has ended
    D TEXT                      a line of its log
    N WHAT                      something of ours is left
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from audit.model import Model
from audit.posix import HOME
from audit.probe import tar
from audit.probe.ways import Way

LABEL = "org.fleet-audit.probe"
LOCAL = "fleet-audit-probe"
"""What stands before the tag where nothing is pushed."""
MOST_HEX = 30_000
"""Bytes of one exported file: manifests are far smaller."""

_BEGIN = r"""
exec 3>&1 1>&2
umask 077
rec() { printf 'FP%s %s\n' "$n" "$*" >&3; }
tail_of() { # tail_of PREFIX: the last lines of the log
  tail -n 20 "$d/log" | tr -c '[:print:]\n' ' ' | cut -c 1-600 | while IFS= read -r l; do rec "$1 $l"; done
}
command -v docker >/dev/null || { rec 'X there is no docker command'; exit 3; }
b=${BUILDX_CONFIG:-${DOCKER_CONFIG:-${h:-/}/.docker}/buildx}
new=; [ -e "$b" ] || new=$b; [ -e "${b%/*}" ] || new=${b%/*}
mkdir "$d" || { rec "X the folder $d cannot be made"; exit 3; }
[ -z "$new" ] || printf '%s\n' "$new" >"$d/new"
dd bs=1 count="$link" of="$d/link.tar" 2>/dev/null
[ "$(wc -c <"$d/link.tar")" -eq "$link" ] || { rec "X there is no room in $d"; exit 3; }
input=
[ "$ways" = 1 ] || { input=$d/image.tar; cat >"$input" || { rec "X there is no room in $d"; exit 3; }; }
case $(docker info --format '{{json .DriverStatus}}' 2>"$d/log") in
*io.containerd.snapshotter*) store=containerd ;;
*'[['*) store=graphdriver ;;
*) tail_of 'X the engine does not answer:'; exit 3 ;;
esac
rec "S $store"
way() { # way NUMBER TAG PUSHES METADATA PUSH-FLAGS COMMAND...
  w=$1 t=$2 pushes=$3 meta=$4 flags=$5; shift 5
  rec "B $w"
  [ "$meta" = no ] || set -- "$@" --metadata-file "$d/$w.json"
  set -- "$@" --iidfile "$d/$w.iid" -f "$file" -t "$t" -
  if [ -n "$input" ]; then "$@" <"$input" >"$d/log" 2>&1; else "$@" >"$d/log" 2>&1; fi
  s=$?
  rec "E $w $s"
  iid=; [ ! -s "$d/$w.iid" ] || read -r iid <"$d/$w.iid"
  known=-
  [ -z "$iid" ] || { docker image inspect "$iid" >/dev/null 2>"$d/inspect" && known=yes; } || {
    grep -qi 'no such image' "$d/inspect" && known=no; }
  rec "I $w ${iid:--} $known"
  [ "$s" = 0 ] || { tail_of "L $w"; return; }
  p=-
  if [ "$pushes" = no ]; then
    [ -n "$registry" ] || { export_of; return; }
    docker push $flags "$t" >"$d/log" 2>&1
    p=$?
    g=$(sed -n 's/.*digest: \(sha256:[0-9a-f]\{64\}\) size.*/\1/p' "$d/log")
  else
    g=$(sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]\{64\}\)".*/\1/p' "$d/$w.json" 2>/dev/null)
    [ -n "$g" ] || g=$(sed -n 's/.*pushing manifest for [^ ]*@\(sha256:[0-9a-f]\{64\}\).*/\1/p' "$d/log" | tail -n 1)
  fi
  rec "P $w $p ${g:--}"
  case $p in 0 | -) ;; *) tail_of "L $w" ;; esac
}
export_of() { # what a push would read: of a containerd store as it is, of the other one nobody can tell before
  [ "$store" = containerd ] || { docker image inspect "$t" >/dev/null 2>"$d/log" && rec "F $w image -"; return; }
  mkdir "$d/$w" && docker save -o "$d/$w.tar" "$t" 2>"$d/log" && tar -xf "$d/$w.tar" -C "$d/$w" 2>>"$d/log" || {
    tail_of "L $w"; return; }
  (cd "$d/$w" && for f in index.json blobs/sha256/*; do
    [ ! -f "$f" ] || [ "$(wc -c <"$f")" -gt @MOST_HEX@ ] || rec "F $w $f $(od -An -v -tx1 <"$f" | tr -d ' \n')"
  done)
}
link_of() { # link_of COMMAND...
  "$@" --iidfile "$d/link.iid" -f "$file" -t "$linktag" - <"$d/link.tar" >"$d/log" 2>&1
  s=$?
  rec "C $s"
  [ "$s" = 0 ] || tail_of D
}
"""

_UNDO = r"""
exec 3>&1 1>/dev/null 2>&1
rec() { printf 'FP%s %s\n' "$n" "$*" >&3; }
[ -e "$d" ] || exit 0
soon() { if command -v timeout >/dev/null; then timeout -k 2 10 "$@"; else "$@"; fi; }
left=0
b=${BUILDX_CONFIG:-${DOCKER_CONFIG:-${h:-/}/.docker}/buildx}
# An engine may come to the end of a build after its client has gone: so it is looked at until nothing more turns up.
quiet=0 i=0
want=1; [ "$1" != yes ] || want=3
while [ "$quiet" -lt "$want" ] && [ "$i" -lt 6 ]; do
  i=$((i + 1))
  found=
  for t in $tags; do soon docker image inspect "$t" && found="$found $t"; done
  all=$(soon docker image ls -aq --no-trunc --filter "label=$label=$n") || { left=1; break; }
  if [ -z "$found$all" ]; then quiet=$((quiet + 1)); [ "$quiet" -ge "$want" ] || sleep 1; continue; fi
  quiet=0
  [ -z "$found" ] || soon docker image rm -f $found
  all=$(soon docker image ls -aq --no-trunc --filter "label=$label=$n")
  for t in $all; do soon docker image rm -f "$t"; done
done
if [ "$left" != 0 ]; then rec 'N the engine does not answer, so images may be left; later: docker image rm -f' $tags
elif [ "$quiet" -lt "$want" ]; then left=1; rec 'N images are left; remove them: docker image rm -f' $tags; fi
# The cache's own records: the nonce stands in what they describe. Those of buildx and its history: in the file's name.
if [ "$left" = 0 ] && [ -d "$b/refs" ]; then
  for t in 1 2 3; do # a record goes only after those that were made from it
    soon docker buildx du --verbose >"$d/du"
    ids=$(awk -v n="$n" '/^ID:/ { id = $2 } /^Description:/ && index($0, n) { printf "%s%s", s, id; s = "|" }' "$d/du")
    [ -n "$ids" ] || break
    soon docker builder prune -af --filter "id=$ids" # matched as a regular expression, by buildx and the engine alike
  done
fi
set +f
for g in "$b"/refs/*; do
  found=$(grep -lF -e "$file" "$g"/*/*) || continue
  soon docker buildx --builder "${g##*/}" history rm $(printf '%s\n' "$found" | sed 's,.*/,,')
  rm -f $found
done
if read -r new <"$d/new"; then
  rm -f "$b/.lock" "$b/.buildNodeID" "$b/current" "$b"/activity/*
  rmdir "$b"/refs/*/* "$b"/refs/* "$b/refs" "$b/activity" "$b/instances" "$b/defaults" "$b"
  [ "$new" = "$b" ] || { rm -f "$new/.token_seed" "$new/.token_seed.lock"; rmdir "$new"; }
fi
rm -rf "$d"
[ ! -e "$d" ] || { left=1; rec "N the folder $d is left; remove it"; }
exit "$left"
"""


class Work(Model):
    """What one host is to build.

    Attributes:
        nonce: 16 hex digits or more; unique for the run and the host.
        ways: in order.
        registry: ``host[:port]/repository`` to push to; None: nothing is pushed.
    """

    nonce: str
    ways: tuple[Way, ...]
    registry: str | None = None

    def tag(self, number: int) -> str:
        """The reference of one way."""
        return f"{self.registry or LOCAL}:{self.nonce}-{number}"

    @property
    def link_tag(self) -> str:
        """The reference of the build with COPY --link, which is never pushed."""
        return f"{LOCAL}:{self.nonce}-link"

    @property
    def folder(self) -> str:
        """The one folder on the worker."""
        return f"/tmp/fleet-audit-{self.nonce}"  # noqa: S108 - its name cannot be guessed, and mkdir takes no old one

    @property
    def tags(self) -> tuple[str, ...]:
        """Every reference that may be on the worker."""
        return (*(self.tag(number) for number in range(len(self.ways))), self.link_tag)


def do_script(work: Work) -> str:
    """What builds, pushes and tells."""
    link = len(tar.link_context(work.nonce, LABEL))
    lines = [
        _assignments(work),
        f"link={link} ways={len(work.ways)} registry={shlex.quote(work.registry or '')}",
        HOME + _BEGIN.replace("@MOST_HEX@", str(MOST_HEX)),
        *(_way(work, number, way) for number, way in enumerate(work.ways)),
        f"linktag={shlex.quote(work.link_tag)}",
        f"link_of {shlex.join(_command(work.ways[0], work.ways[0].builder_flags))}",
        "exit 0",
    ]
    return "\n".join(lines) + "\n"


def undo_script(work: Work) -> str:
    """What removes everything again, however far `do_script` came; says what it could not."""
    return f"{_assignments(work)}\n{HOME}{_UNDO}"


def _assignments(work: Work) -> str:
    if not re.fullmatch(r"[0-9a-f]{16,64}", work.nonce):
        raise ValueError(f"{work.nonce!r} is no nonce")
    tags = shlex.quote(" ".join(work.tags))
    return f"n={work.nonce} d={work.folder} label={LABEL} file={tar.dockerfile_name(work.nonce)} tags={tags}"


def _way(work: Work, number: int, way: Way) -> str:
    pushes = "yes" if way.pushes else "no"
    metadata = "yes" if way.pushes and way.command == ("docker", "buildx", "build") else "no"
    words = [str(number), work.tag(number), pushes, metadata, " ".join(way.push_flags)]
    return f"way {shlex.join(words)} {shlex.join(_command(way, way.flags))}"


def _command(way: Way, flags: Sequence[str]) -> list[str]:
    environment = ["env", *way.environment] if way.environment else []
    return [*environment, *way.command, *flags]


def stdin_of(work: Work) -> Iterator[bytes]:
    """What the script reads: the context of the build with COPY --link, then that of the image, to the end."""
    yield tar.link_context(work.nonce, LABEL)
    yield tar.image_context(work.nonce, LABEL)
