"""One state for all processes of this user on this machine: a small file for each registry and account, under a lock.

Moments in it are of CLOCK_MONOTONIC, which is one for all processes and knows no jumps; the boot's id beside them tells
when they have lost their meaning. What cannot be shared, for want of a folder that is ours alone to write to, of a file
system that locks, or since a later version has written there, is kept for this process: nothing here ever fails.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from audit.registry.pace.state import LaterError, State, dump, load

T = TypeVar("T")
Change = Callable[[State, float], tuple[State, T]]
_SIZE = 1024
"""Of a file: written whole each time, in place, so that a full disk or a shorter text does no harm."""
_MOST = 16 * 1024
_LOCK_TRIES, _LOCK_PAUSE = 500, 0.001
"""A lock is held for microseconds; one that is held longer is of a process that was stopped in the midst of it."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Key(NamedTuple):
    """Whose state.

    Attributes:
        registry: as it is known.
        account: the user's name; empty: nobody.
    """

    registry: str
    account: str


class _Slot:
    """This process's side of one state: what it knows itself, and its file."""

    def __init__(self, place: Path | None) -> None:
        self.lock = threading.Lock()
        self.place = place
        self.own: State | None = None
        self.file = -1
        self.process = 0
        self.raw = b""

    def opened(self) -> int:
        """The file's number, opened anew where it was removed or we were forked; -1: there is none to be used."""
        if self.place is None:
            return -1
        if self.file >= 0:
            if self.process == os.getpid() and os.fstat(self.file).st_nlink == 1:
                return self.file
            os.close(self.file)
            self.file, self.raw = -1, b""
        made = self.place.parent
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not stat.S_ISDIR(made.lstat().st_mode) or not _ours(made.lstat()):
            return -1
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(self.place, flags, 0o600)
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or not _ours(found):
            os.close(file)
            return -1
        self.file, self.process = file, os.getpid()
        return file


class Shared:
    """States by key. May be used by many threads and processes at once.

    Args:
        folder: where the files are; made for us alone. None: nothing is shared.
        clock: the machine's monotonic clock.
        now: UNIX time.
        boot: what tells one boot from another; None: as the kernel says.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        boot: str | None = None,
    ) -> None:
        """Nothing is opened yet."""
        self._boot = _boot() if boot is None else boot
        self._folder = folder if self._boot else None
        self._clock, self._now = clock, now
        self._slots: dict[Key, _Slot] = {}
        self._guard = threading.Lock()

    def change(self, key: Key, fresh: Callable[[State | None, float], State], do: Change[T]) -> T:
        """Do something to a state, with nobody else at it meanwhile.

        Args:
            key: whose.
            fresh: gives the state that `do` starts from, out of what was found (None: nothing) at a moment.
            do: the state after it, and what is given back.
        """
        slot = self._slot(key)
        with slot.lock:
            try:
                file = slot.opened()
                if file >= 0 and _locked(file):
                    try:
                        return self._in_file(slot, file, fresh, do)
                    finally:
                        fcntl.flock(file, fcntl.LOCK_UN)
            except (OSError, LaterError):
                pass
            now = self._clock()
            slot.own, given = do(fresh(slot.own, now), now)
            return given

    def look(self, key: Key) -> State | None:
        """What this process saw of a state last; nothing is read for it."""
        return self._slot(key).own

    def close(self) -> None:
        """Close the files; they are opened again when they are needed."""
        with self._guard:
            slots = list(self._slots.values())
        for slot in slots:
            with slot.lock:
                if slot.file >= 0:
                    os.close(slot.file)
                slot.file, slot.raw = -1, b""

    def _in_file(self, slot: _Slot, file: int, fresh: Callable[[State | None, float], State], do: Change[T]) -> T:
        raw = os.pread(file, _MOST, 0)
        now = self._clock()
        found: State | None = slot.own
        if raw != slot.raw or found is None:  # somebody else has written meanwhile
            try:
                found = load(raw, self._boot, now, self._now())
            except LaterError:
                raise
            except ValueError:
                found = slot.own
        state, given = do(fresh(found, now), now)
        slot.own = state
        text = (dump(state, self._boot) + b"\n").rjust(_SIZE)
        if text != raw:
            slot.raw = b""
            # What was done is done, even where it cannot be told to others: a request that was granted is granted.
            if _written(file, text, len(raw)):
                slot.raw = text
        return given

    def _slot(self, key: Key) -> _Slot:
        with self._guard:
            if key not in self._slots:
                place = None if self._folder is None else self._folder / _name(key)
                self._slots[key] = _Slot(place)
            return self._slots[key]


def _name(key: Key) -> str:
    """The registry to be read by a person; the account only as a part of a digest."""
    host = re.sub(r"[^a-z0-9.-]", "_", key.registry)[:80]
    digest = hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{host}.{digest[:16]}"


def _locked(file: int) -> bool:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)
        else:
            return True
    return False


def _written(file: int, text: bytes, before: int) -> bool:
    try:
        whole = os.pwrite(file, text, 0) == len(text)
        if before > len(text):
            os.ftruncate(file, len(text))
    except OSError:
        return False
    return whole


def _ours(found: os.stat_result) -> bool:
    """Nobody else may write it."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()[:64]
    except (OSError, ValueError):
        return ""
