"""What of a folder goes into its build context."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from audit.context import entry as tar
from audit.context.entry import Entry
from audit.context.ignorefile import Ignore, Marks

TIME = 318_211_200
"""1980-02-01 in UTC, seconds: what every entry says unless it keeps its own. ZIP and whatever makes it knows no year
before 1980, in any time zone."""

_DEVICES = {stat.S_IFCHR: tar.CHARACTER, stat.S_IFBLK: tar.BLOCKWISE}
_HOLES = 1024 * 1024
"""Bytes that a file must lack on the disk to be called sparse: file systems pack small ones."""


@dataclass
class Tree:
    """What was found, in the order of the tar: a folder before what is in it, names by their bytes.

    Attributes:
        entries: what is sent.
        outside: symbolic links that lead out of the context.
        sparse: files with holes, and their sizes.
        special: fifos and devices.
        sockets: left out, since no tar can hold one.
        forced: sent though the ignore file leaves it out, since it is needed.
        unreadable: not left out, and cannot be read, each with why.
    """

    entries: list[Entry] = field(default_factory=list)
    outside: list[bytes] = field(default_factory=list)
    sparse: list[tuple[bytes, int]] = field(default_factory=list)
    special: list[bytes] = field(default_factory=list)
    sockets: list[bytes] = field(default_factory=list)
    forced: list[bytes] = field(default_factory=list)
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)


def walk(root: bytes, ignore: Ignore, needed: frozenset[bytes], *, keep_times: bool = False) -> Tree:
    """Look at everything, read nothing.

    Args:
        root: the folder.
        ignore: what is left out of it.
        needed: paths that are sent in any case.
        keep_times: whether entries have the files' own modification times.
    """
    walker = _Walker(root, ignore, needed, keep_times=keep_times)
    walker.run()
    return walker.tree


@dataclass
class _Folder:
    """A folder while it is walked.

    Attributes:
        path: from the root; empty for the root.
        entry: itself, until it or something in it is sent; then None.
        marks: of its patterns; None for the root.
        barred: left out, and no pattern can take in what is in it: only what is needed counts.
        names: what is left to look at, in order.
    """

    path: bytes
    entry: Entry | None
    marks: Marks | None
    barred: bool
    names: Iterator[bytes]


class _Walker:
    def __init__(self, root: bytes, ignore: Ignore, needed: frozenset[bytes], *, keep_times: bool) -> None:
        self.root = root
        self.ignore = ignore
        self.needed = needed
        self.above = {path[:at] for path in needed for at in range(len(path)) if path[at : at + 1] == b"/"}
        self.keep_times = keep_times
        self.tree = Tree()
        self.first: dict[tuple[int, int], bytes] = {}
        self.way: list[_Folder] = []

    def run(self) -> None:
        """Go down and up without recursion: a path may have two thousand folders."""
        self.way.append(_Folder(b"", None, None, False, self._names(b"", left_out=False)))
        while self.way:
            folder = self.way[-1]
            name = next(folder.names, None)
            if name is None:
                self.way.pop()
                continue
            path = folder.path + b"/" + name if folder.path else name
            if not folder.barred or path in self.needed or path in self.above:
                self._look(folder, path)

    def _names(self, path: bytes, *, left_out: bool) -> Iterator[bytes]:
        try:
            return iter(sorted(os.listdir(self._full(path))))  # noqa: PTH208 - names as bytes
        except FileNotFoundError:
            pass  # gone meanwhile: then it is not in the context
        except OSError as error:
            if not left_out:
                self.tree.unreadable.append((path or b".", error.strerror or "?"))
        return iter(())

    def _full(self, path: bytes) -> bytes:
        return self.root + b"/" + path

    def _look(self, folder: _Folder, path: bytes) -> None:
        judged = self.ignore.judge(path, folder.marks)
        out = folder.barred or judged.out
        if out and path in self.needed:
            self.tree.forced.append(path)
            out = False
        try:
            found = os.lstat(self._full(path))
            if stat.S_ISDIR(found.st_mode):
                self._enter(path, found, judged.marks, out=out)
            elif not out:
                self._take(path, found)
        except FileNotFoundError:
            pass  # gone meanwhile
        except OSError as error:
            if not out:
                self.tree.unreadable.append((path, error.strerror or "?"))

    def _enter(self, path: bytes, found: os.stat_result, marks: Marks, *, out: bool) -> None:
        barred = out and (self.way[-1].barred or not self.ignore.may_keep_below(path))
        if barred and path not in self.above:
            return
        entry = self._entry(path, tar.FOLDER, found)
        self.way.append(_Folder(path, entry, marks, barred, self._names(path, left_out=out and path not in self.above)))
        if not out:
            self._send_folders()

    def _send_folders(self) -> None:
        """A folder that is left out is there all the same where something in it is sent."""
        for folder in self.way:
            if folder.entry is not None:
                self.tree.entries.append(folder.entry)
                folder.entry = None

    def _take(self, path: bytes, found: os.stat_result) -> None:
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFSOCK:
            self.tree.sockets.append(path)
            return
        if kind == stat.S_IFREG:
            entry = self._file(path, found)
        elif kind == stat.S_IFLNK:
            entry = self._symlink(path, found)
        else:
            self.tree.special.append(path)
            device = (os.major(found.st_rdev), os.minor(found.st_rdev)) if kind in _DEVICES else (0, 0)
            entry = self._entry(path, _DEVICES.get(kind, tar.FIFO), found, device=device)
        self._send_folders()
        self.tree.entries.append(entry)

    def _file(self, path: bytes, found: os.stat_result) -> Entry:
        earlier = self.first.setdefault((found.st_dev, found.st_ino), path) if found.st_nlink > 1 else path
        if earlier != path:
            return self._entry(path, tar.LINK, found, target=earlier)
        # Opened, not asked for its bits: nothing else knows of access lists, root squashing and the like.
        os.close(os.open(self._full(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
        if found.st_size - found.st_blocks * 512 >= _HOLES:
            self.tree.sparse.append((path, found.st_size))
        return self._entry(path, tar.FILE, found, size=found.st_size, state=state(found))

    def _symlink(self, path: bytes, found: os.stat_result) -> Entry:
        target = os.readlink(self._full(path))  # noqa: PTH115 - bytes
        if posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).split(b"/")[0] in {b"", b".."}:
            self.tree.outside.append(path)
        return self._entry(path, tar.SYMLINK, found, target=target)

    def _entry(
        self,
        path: bytes,
        kind: bytes,
        found: os.stat_result,
        *,
        size: int = 0,
        target: bytes = b"",
        device: tuple[int, int] = (0, 0),
        state: tuple[int, int, int] = (0, 0, 0),
    ) -> Entry:
        time = found.st_mtime_ns // 1_000_000_000 if self.keep_times else TIME
        mode = 0o777 if kind == tar.SYMLINK else stat.S_IMODE(found.st_mode)
        return Entry(path, kind, mode, size, time, target, device, state)


def state(found: os.stat_result) -> tuple[int, int, int]:
    """What tells whether a file is still what it was: size, modification time in ns, inode."""
    return found.st_size, found.st_mtime_ns, found.st_ino
