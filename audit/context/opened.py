"""A folder as a build context: what is in it, and the tar of it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from audit.context import entry as tar
from audit.context.dockerfile import choose, ignore_of
from audit.context.entry import Entry
from audit.context.notes import notes
from audit.context.shown import listed, shown
from audit.context.walk import TIME, state, walk
from audit.errors import StepError, UsageError

Raw: TypeAlias = bytes  # for inside of Context, where `bytes` is a number

ENOUGH = 256 * 1024
"""Bytes that make a piece; only the last one is smaller."""
READ = 512 * 1024
"""Bytes read at once, so that no piece is larger than ENOUGH and READ together."""

_VANISHED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}


class Context:
    """What one `docker build` gets as its context: a folder less what its ignore file leaves out.

    Looked at once, when it is opened: the list of entries stays as it was then, and every stream holds the files to it,
    so that all workers build from the same bytes or the build fails. Threads may stream at the same time.

    Attributes:
        folder: its real path.
        dockerfile: path of the Dockerfile below it, with slashes, as found (`docker build -f`).
        files: number of entries in the tar: files, folders, links.
        bytes: of the files' contents; a file with several names counts once.
        notes: what a person should know, a sentence each, in the order of weight.
    """

    def __init__(self, root: Raw, dockerfile: Raw, entries: Iterable[Entry], notes: tuple[str, ...]) -> None:
        """Made by `open_context` alone."""
        self._root = root
        self._entries = tuple(entries)
        self._digest: str | None = None
        self._digesting = threading.Lock()
        self.folder = Path(os.fsdecode(root))
        self.dockerfile = os.fsdecode(dockerfile)
        self.files = len(self._entries)
        self.notes = notes
        self.bytes = sum(entry.size for entry in self._entries)

    def digest(self) -> str:
        """``sha256:…`` of the very bytes of `stream`; reads every file, once in a Context's life.

        Raises:
            StepError: as `stream`.
        """
        with self._digesting:
            if self._digest is None:
                sha = hashlib.sha256()
                for piece in self.stream():
                    sha.update(piece)
                self._digest = f"sha256:{sha.hexdigest()}"
            return self._digest

    def stream(self) -> Iterator[Raw]:
        """The tar, in pieces of 256 KiB to 768 KiB; the last one may be smaller. Nothing is held but the next piece.

        Raises:
            StepError: a file is not what it was when the context was opened, or cannot be read any more.
        """
        parts: list[Raw] = []
        held = 0
        for part in self._parts():
            parts.append(part)
            held += len(part)
            if held >= ENOUGH:
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                parts, held = [], 0
        yield b"".join(parts)

    def _parts(self) -> Iterator[Raw]:
        if not self._entries[0].plain:
            # docker looks at 1024 bytes to tell a tar from a Dockerfile: its first header must be whole in them.
            yield Entry(b".", tar.FOLDER, 0o755, time=TIME).header()
        for entry in self._entries:
            yield entry.header()
            if entry.size:
                try:
                    yield from _content(self._root + b"/" + entry.path, entry)
                except OSError as error:
                    raise _failed(entry, error) from error
                if entry.size % tar.BLOCK:
                    yield tar.padding(entry.size)
        yield tar.END


def _content(path: bytes, entry: Entry) -> Iterator[bytes]:
    """A file's bytes, as many as there were when it was looked at; the last ones only if it is still the same."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        left = entry.size
        if left > READ:
            _check(file, entry)
        while left:
            data = os.read(file, min(left, READ))
            left -= len(data)
            if not left or not data:
                _check(file, entry)
            if not data:
                raise _changed(entry)
            yield data
    finally:
        os.close(file)


def _check(file: int, entry: Entry) -> None:
    if state(os.fstat(file)) != entry.state:
        raise _changed(entry)


def _changed(entry: Entry) -> StepError:
    return StepError(
        f"{shown(entry.path)} changed while the build context was sent, so that workers would build different things: "
        "build again once nothing writes there, or leave it out by .dockerignore"
    )


def _failed(entry: Entry, error: OSError) -> StepError:
    if error.errno in _VANISHED:
        return StepError(
            f"{shown(entry.path)} vanished while the build context was sent: "
            "build again once nothing works there, or leave it out by .dockerignore"
        )
    return StepError(
        f"{shown(entry.path)} cannot be read any more while the build context is sent ({error.strerror}): "
        "make it readable, and build again"
    )


def open_context(folder: Path, dockerfile: str, *, keep_times: bool = False) -> Context:
    """Look at a folder, as a build context.

    Args:
        folder: the context's root; may be a symbolic link to it.
        dockerfile: path of the Dockerfile below it.
        keep_times: whether entries have the files' own modification times, which `make` and its like compare, rather
            than all the same one, which makes a fresh checkout the same context as the last one.

    Raises:
        UsageError: there is no such folder or Dockerfile, a line of the ignore file is wrong, or something that is not
            left out cannot be read.
    """
    root = _root(folder)
    chosen = choose(root, dockerfile)
    ignore_name, ignore = ignore_of(root, chosen.name)
    tree = walk(root, ignore, chosen.needed, keep_times=keep_times)
    if tree.unreadable:
        names = listed([f"{shown(path)} ({why})" for path, why in tree.unreadable])
        raise UsageError(
            f"the build context {shown(root)} cannot be read: {names}; make it readable, or add it to {ignore_name}"
        )
    return Context(root, chosen.name, tree.entries, notes(tree, ignore_name))


def _root(folder: Path) -> bytes:
    given = os.fsencode(folder)
    try:
        root = os.path.realpath(given, strict=True)
        kind = os.stat(root).st_mode  # noqa: PTH116 - bytes
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"the build context {shown(given)} does not exist: give a folder, or a git URL") from error
    except OSError as error:
        raise UsageError(
            f"the build context {shown(given)} cannot be looked at ({error.strerror}): make it readable"
        ) from error
    if not stat.S_ISDIR(kind):
        raise UsageError(
            f"the build context {shown(given)} is no folder: give the folder that the Dockerfile copies from"
        )
    return root
