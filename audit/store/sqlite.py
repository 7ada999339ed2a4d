"""A SQLite file: made privately, looked at before it is believed, and connected to.

Its bytes are only ever read through SQLite: a program that opens and closes such a file by itself drops the locks that
its own connections hold on it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from audit.store.failures import AGAIN, StoreError, told
from audit.store.tables import APPLICATION_ID

LEAST = 512
"""Bytes of the smallest page that SQLite knows."""
Connect = Callable[[], sqlite3.Connection]


def prepare(path: Path, *, create: bool, read_only: bool) -> None:
    """See that there is a file that can be used as it is wanted; an empty one is made where there is none.

    Args:
        path: of the file.
        create: make it, and its folder, for their owner only (0600, 0700).
        read_only: it will not be written.

    Raises:
        StoreError: there is none and none may be made, it is no file, or it cannot be read or written.
    """
    place = str(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        if not create or read_only:
            raise StoreError(
                place,
                "there is no history database",
                "a `check` or a `merge --plan` makes one, or give its place",
                "missing",
            ) from None
        _make(path)
        return
    except (OSError, ValueError) as error:
        raise StoreError(place, f"it cannot be looked at ({_why(error)})", "give another place") from error
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "something that is no file"
        raise StoreError(place, f"{what} stands where the database shall be", "give a file's path", "foreign")
    if 0 < found.st_size < LEAST:  # SQLite takes such a file for an empty one, and overwrites it
        raise StoreError(place, "it is not a SQLite database, or was cut short", "give another place", "foreign")
    if not os.access(path, os.R_OK):
        raise StoreError(place, "it cannot be read", "see to its owner and permissions", "read-only")
    if not read_only and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        which = "the file" if not os.access(path, os.W_OK) else f"the folder {path.parent}"
        raise StoreError(place, f"{which} cannot be written", "make it writable, or give another place", "read-only")


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except (OSError, ValueError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full:
            raise StoreError(str(path), "its disk (or quota) is full", "free space", "full") from error
        raise StoreError(
            str(path), f"the database cannot be made there ({_why(error)})", "give another place", "read-only"
        ) from error


def connector(path: Path, *, busy: float, read_only: bool) -> Connect:
    """What makes connections; they may be handed from thread to thread, and no transaction begins by itself.

    WAL: readers and one writer do not wait for one another, in any number of processes on this machine (not over NFS).
    synchronous=NORMAL: a commit is in the kernel's hands, not on the disk. Whatever happens to this process, nothing
    is lost; a power loss can cost the last transactions, never the file's consistency.

    Args:
        path: of the file.
        busy: seconds to wait for a lock.
        read_only: open it so; on a file system that cannot be written, as a file that nobody changes.
    """
    uri = f"file:{quote(os.fsencode(path.absolute()))}"
    still = read_only and not os.access(path.parent, os.W_OK) and not _log_size(path)
    # A process that was killed while it made the file leaves a journal that the next one, a reader too, takes back.
    halfway = Path(f"{path}-journal").exists() and os.access(path, os.W_OK)
    uri += "?immutable=1" if still else "?mode=ro" if read_only and not halfway else "?mode=rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=busy, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA synchronous=NORMAL")
            if read_only:
                connection.execute("PRAGMA query_only=ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    return connect


def inspect(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether tables of ours are in it; False: it is empty.

    Cheap signs first: whose it is, and whether as many bytes are there as SQLite believes; only where they are odd is
    the whole file checked.

    Raises:
        StoreError: it is not ours, or damaged.
        sqlite3.Error: it cannot be read at all.
    """
    place = str(path)
    owner = _number(connection, "application_id")
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
    if owner != APPLICATION_ID and (owner or tables):
        raise StoreError(
            place, "it is another program's SQLite database", "give another place for the history", "foreign"
        )
    size, log, page = path.stat().st_size, _log_size(path), _number(connection, "page_size")
    said = None
    if size % page and not log:
        said = "its last page is not whole"  # which a check of the structure does not see
    elif size % page or size + log < _number(connection, "page_count") * page:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
        said = None if found == ("ok",) else " ".join(str(found[0] if found else "").split())[:100]
    if said is not None:
        raise StoreError(place, f"the file is damaged or cut short ({said})", AGAIN, "damaged")
    if owner == APPLICATION_ID and not tables:
        raise StoreError(place, "the file is damaged: it has lost its tables", AGAIN, "damaged")
    return bool(tables)


def _log_size(path: Path) -> int:
    """Bytes of what is committed, but not in the file itself yet."""
    try:
        return Path(f"{path}-wal").stat().st_size
    except OSError:
        return 0


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def use_wal(connection: sqlite3.Connection, path: Path, busy: float) -> None:
    """Switch the file to WAL, which it then stays in.

    SQLite does not wait for other processes here, as two that begin at once need; so this does.

    Args:
        connection: outside of a transaction.
        path: of the file.
        busy: seconds to wait.

    Raises:
        StoreError: the file system cannot share memory, which WAL needs.
        sqlite3.Error: still locked, or it cannot be written.
    """
    until = time.monotonic() + busy
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if told(error, str(path)).kind != "locked" or time.monotonic() >= until:
                raise
            time.sleep(0.02)
            continue
        if mode == "wal":
            return
        raise StoreError(
            str(path), "its file system cannot carry SQLite's write-ahead log", "give a place on a local disk"
        )


def settle(path: Path) -> None:
    """See that what was committed is on the disk, and the file's name too.

    Raises:
        StoreError: the disk fails.
    """
    try:
        for place in (Path(f"{path}-wal"), path.parent):
            try:
                handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        raise StoreError(str(path), f"its disk fails ({_why(error)})", "see to the disk") from error


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
