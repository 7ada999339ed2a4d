"""Which file is the Dockerfile, and which ignore file goes with it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from audit.context.ignorefile import Ignore, LineError
from audit.context.shown import shown
from audit.errors import UsageError

IGNORE = b".dockerignore"
LARGEST = 4 * 1024 * 1024
"""Bytes of an ignore file; one that is larger is some other file."""

_MOST_LINKS = 40


@dataclass(frozen=True)
class Chosen:
    """A Dockerfile inside of a context.

    Attributes:
        name: its path from the context's root, raw, as `docker build -f` is to get it.
        needed: every path that has to be there to read it: itself, or the links on the way and what they lead to.
    """

    name: bytes
    needed: frozenset[bytes]


def choose(root: bytes, dockerfile: str) -> Chosen:
    """Find it; where `Dockerfile` is asked for and only `dockerfile` is there, that is meant, as docker does.

    Raises:
        UsageError: it is not there, no file, or the way to it leaves the context.
    """
    given = os.fsencode(dockerfile)
    parts = [part for part in given.split(b"/") if part not in {b"", b"."}]
    if not parts or given.startswith(b"/") or b".." in parts:
        raise UsageError(f"the Dockerfile {shown(given)!r} is no path below the build context: give one that is")
    name = b"/".join(parts)
    if parts[-1] == b"Dockerfile" and not os.path.lexists(os.path.join(root, name)):  # noqa: PTH118 - bytes
        lower = b"/".join([*parts[:-1], b"dockerfile"])
        if os.path.lexists(os.path.join(root, lower)):  # noqa: PTH118 - bytes
            name = lower
    return Chosen(name, _followed(root, name))


def _followed(root: bytes, name: bytes) -> frozenset[bytes]:
    """Walk to the file by hand, as a worker will that has nothing but the context."""
    needed: set[bytes] = set()
    ahead = name.split(b"/")[::-1]
    here = b""
    mode = stat.S_IFDIR
    links = 0
    while ahead:
        part = ahead.pop()
        if part in {b"", b"."}:
            continue
        if part == b"..":
            if not here:
                raise _leaves(root, name)
            here = here.rpartition(b"/")[0]
            mode = stat.S_IFDIR
            continue
        path = here + b"/" + part if here else part
        try:
            mode = os.lstat(os.path.join(root, path)).st_mode  # noqa: PTH118 - bytes
            target = os.readlink(os.path.join(root, path)) if stat.S_ISLNK(mode) else None  # noqa: PTH115, PTH118 - bytes
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _missing(root, name, path) from error
        except OSError as error:
            raise UsageError(
                f"the Dockerfile {shown(name)} cannot be looked at ({error.strerror}): make it readable"
            ) from error
        if target is None:
            here = path
            continue
        needed.add(path)
        links += 1
        if target.startswith(b"/") or links > _MOST_LINKS:
            raise _leaves(root, name)
        ahead += target.split(b"/")[::-1]
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"the Dockerfile {shown(name)} in {shown(root)} is no file: name the file itself, from the context's root"
        )
    return frozenset({*needed, here})


def _missing(root: bytes, name: bytes, path: bytes) -> UsageError:
    through = "" if path == name else f" ({shown(path)} is missing)"
    return UsageError(
        f"the Dockerfile {shown(name)} does not exist in the build context {shown(root)}{through}: "
        f"name it from the context's root with -f"
    )


def _leaves(root: bytes, name: bytes) -> UsageError:
    return UsageError(
        f"the Dockerfile {shown(name)} is a link that a worker cannot follow, since it leaves the build context "
        f"{shown(root)} or names an absolute path: copy the file, or link it relatively inside of the context"
    )


def ignore_of(root: bytes, dockerfile: bytes) -> tuple[str, Ignore]:
    """The ignore file that counts, and what it says: the Dockerfile's own one before the context's.

    Returns:
        Its path from the root, for people, and its patterns: none where there is no such file.

    Raises:
        UsageError: it cannot be read, or a line in it cannot.
    """
    for name in (dockerfile + IGNORE, IGNORE):
        content = _content(root, name)
        if content is not None:
            try:
                return shown(name), Ignore.read(content)
            except LineError as error:
                raise UsageError(f"{shown(name)}:{error.line}: {error}") from error
    return shown(IGNORE), Ignore()


def _content(root: bytes, name: bytes) -> bytes | None:
    path = os.path.join(root, name)  # noqa: PTH118 - bytes
    if not os.path.lexists(path):
        return None
    try:
        # Without waiting for a writer, should it be a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{shown(name)} is no file, so that nobody knows what it leaves out: remove it")
            content = b""
            while len(content) <= LARGEST and (more := os.read(descriptor, LARGEST + 1)):
                content += more
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(
            f"{shown(name)} cannot be read ({error.strerror}), so that nobody knows what it leaves out: "
            "make it readable, or remove it"
        ) from error
    if len(content) > LARGEST:
        raise UsageError(f"{shown(name)} is larger than {LARGEST // 1024 // 1024} MiB: is it the right file?")
    return content
