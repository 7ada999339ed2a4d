"""A file written anew in its place: one writer at a time, and whole or not at all.

with alone(path.parent):
    old, seen = path.read_bytes(), path.stat()
    replace(path, old + b"more\\n", seen)
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else who asks for it, thread or process, is in this folder; waits for whoever is.

    The folder's own lock, since the file is another one after each writing. It ends with the process, and is none
    against programs that do not ask for it. Not to be asked for twice by one thread: it would wait for itself.

    Raises:
        OSError: there is no such folder, or it cannot be opened or locked.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, text: bytes, seen: os.stat_result | None) -> bool:
    """Put another file in its place, with the mode, owner and group that it had.

    Args:
        path: the file itself; a symbolic link would be replaced.
        text: of the new one.
        seen: the old one; None: there is none, and the new one is its owner's alone (0600).

    Returns:
        Whether the owner and the group are as they were; only root can give a file to somebody else.

    Raises:
        OSError: it cannot be written; nothing has changed then, and nothing is left beside it.
    """
    if seen is not None and not stat.S_ISREG(seen.st_mode):  # root could put a file in the place of /dev/null
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            kept = seen is None or _given(file.fileno(), seen)
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(beside).unlink()
        raise
    return kept


def _given(descriptor: int, seen: os.stat_result) -> bool:
    """The owner before the mode, which a change of owner may narrow; where it cannot be, at least the group."""
    for owner in (seen.st_uid, -1):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, owner, seen.st_gid)
            break
    os.fchmod(descriptor, seen.st_mode & 0o7777)
    now = os.fstat(descriptor)
    return (now.st_uid, now.st_gid) == (seen.st_uid, seen.st_gid)
