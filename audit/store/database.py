"""The history database, opened: transactions, and nothing of what stands in it.

    with database.reading() as connection: ...     one state of it, whatever others write meanwhile
    with database.writing() as connection: ...     one transaction; other writers wait; committed at the end

Whatever the driver raises leaves here as a `StoreError`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from audit.store import migrating, sqlite
from audit.store.failures import AGAIN, StoreError, told
from audit.store.tables import APPLICATION_ID, VERSION_TABLE

BUSY = 15.0
"""Seconds to wait for another process's lock."""
CONNECT = 10
"""Seconds to wait for a server."""
_opening = threading.Lock()
"""Alembic keeps what it works on in its module; and two threads shall not make one file."""


class Database:
    """An open history; threads may share it.

    A power loss can cost SQLite's last transactions (never its consistency): a merge does them again, since each of
    its operations may be done twice. A `kill -9` costs nothing that was committed.

    Attributes:
        place: its path or URL, for messages; without a password.
        engine_name: ``sqlite`` or ``postgresql``.
        read_only: it was opened so.
    """

    def __init__(self, engine: Engine, place: str, *, read_only: bool, path: Path | None) -> None:
        """Use `Database.open`."""
        self._engine, self._path = engine, path
        self.place, self.read_only, self.engine_name = place, read_only, engine.dialect.name

    @classmethod
    def open(cls, place: Path | str, *, create: bool = True, read_only: bool = False, busy: float = BUSY) -> Database:
        """Open it; make it where it is missing, and move its schema on where it is older.

        Args:
            place: a file's path, ``sqlite:///PATH`` or ``postgresql+psycopg://…``.
            create: make the file and its folder; False: an error where there is none.
            read_only: nothing is made, migrated or written.
            busy: seconds to wait for another process's lock.

        Raises:
            StoreError: it cannot be used; each reason has its `kind` and its sentence.
        """
        url = _url(place)
        with _opening:
            if isinstance(url, Path):
                return cls._open_file(url, create=create, read_only=read_only, busy=busy)
            return cls._open_server(url, create=create, read_only=read_only)

    @classmethod
    def _open_file(cls, path: Path, *, create: bool, read_only: bool, busy: float) -> Database:
        sqlite.prepare(path, create=create, read_only=read_only)
        connect = sqlite.connector(path, busy=busy, read_only=read_only)
        # The URL names no file, so that any path can be opened; SQLAlchemy would take it for one in memory.
        engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=4, max_overflow=-1)
        event.listen(engine, "begin", _begin)
        self = cls(engine, str(path), read_only=read_only, path=path)
        try:
            self._look(path, busy)
        except BaseException:
            self.close()
            raise
        return self

    def _look(self, path: Path, busy: float) -> None:
        with self.reading() as connection, connection.begin():  # one state, while others may be making it
            old = self._is_old(connection) if sqlite.inspect(_raw(connection), path) else self._may_make()
        if self.read_only:
            return
        with self._told(), self._engine.connect() as connection:
            sqlite.use_wal(_raw(connection), path, busy)
        if old:
            with self.writing() as connection:
                if not sqlite.inspect(_raw(connection), path):  # nobody was faster
                    migrating.make(connection)
                    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
                elif self._is_old(connection):
                    migrating.upgrade(connection)

    def _may_make(self, *, create: bool = True) -> bool:
        """Whether the schema has to be made: always, where it may."""
        if self.read_only or not create:
            raise StoreError(self.place, "the history is still empty", "a `check` fills it", "missing")
        return True

    def _is_old(self, connection: Connection) -> bool:
        if not connection.dialect.has_table(connection, VERSION_TABLE):
            raise StoreError(self.place, "the file is damaged: it has lost its version", AGAIN, "damaged")
        return migrating.check(migrating.revision(connection), self.place, read_only=self.read_only)

    @classmethod
    def _open_server(cls, url: str, *, create: bool, read_only: bool) -> Database:
        shown = make_url(url).render_as_string(hide_password=True)
        try:
            engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT})
        except (ImportError, NoSuchModuleError) as error:
            raise StoreError(shown, f"its driver is not installed ({error})", "install it, e.g. psycopg") from error
        self = cls(engine, shown, read_only=read_only, path=None)
        try:
            with self.reading() as connection:
                there = connection.dialect.has_table(connection, VERSION_TABLE)
                old = self._is_old(connection) if there else self._may_make(create=create)
            if old:
                with self.writing() as connection:
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({APPLICATION_ID})")
                    if not connection.dialect.has_table(connection, VERSION_TABLE):
                        migrating.make(connection)
                    elif self._is_old(connection):
                        migrating.upgrade(connection)
        except BaseException:
            self.close()
            raise
        return self

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state.

        Raises:
            StoreError: the database fails.
        """
        with self._told(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction, committed where nothing is raised; other writers wait for its end.

        Raises:
            StoreError: the database fails, or is open to be read only; nothing of the transaction is left.
        """
        if self.read_only:
            raise StoreError(self.place, "it is open to be read only", "report this", "read-only")
        with self._told(), self._engine.connect() as connection, connection.execution_options(**_WRITES).begin():
            yield connection

    def alone(self, connection: Connection) -> None:
        """Wait until no other writer of checks is under way; SQLite has one writer at a time anyway."""
        if self.engine_name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({APPLICATION_ID + 1})")

    def settle(self) -> None:
        """Return when all that was committed is on the disk.

        Raises:
            StoreError: the disk fails.
        """
        if self._path is not None:
            sqlite.settle(self._path)

    def close(self) -> None:
        """Close every connection; twice does no harm."""
        self._engine.dispose()

    def __enter__(self) -> Database:
        """For `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closed."""
        self.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise told(error.orig or error, self.place) from error
        except PoolTimeout as error:
            raise told(error, self.place) from error
        except sqlite3.Error as error:  # while a connection is made or ended, the driver's comes as it is
            raise told(error, self.place) from error


_WRITES: dict[str, Any] = {"fleet_audit_writes": True}


def _raw(connection: Connection) -> sqlite3.Connection:
    """The driver's own."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError("a SQLite connection is expected")
    return raw


def _begin(connection: Connection) -> None:
    """A writer takes the lock when it begins: one that reads first could find the file changed before it writes."""
    writes = connection.get_execution_options().get("fleet_audit_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _url(place: Path | str) -> Path | str:
    """A file's path, or the URL of a server."""
    if isinstance(place, Path) or "://" not in place:
        if not str(place):
            raise StoreError("the history database", "its place is empty", "give a file's path or a URL")
        return Path(place)
    try:
        url = make_url(place)
    except ArgumentError as error:
        raise StoreError(
            "the history database", "its URL cannot be read", "write sqlite:///PATH or postgresql+psycopg://HOST/NAME"
        ) from error
    name = url.get_backend_name()
    if name == "sqlite" and url.database and url.database != ":memory:":
        return Path(url.database)
    if name == "postgresql":
        return place
    raise StoreError(
        url.render_as_string(hide_password=True),
        "the history cannot be kept in such a database",
        "write sqlite:///PATH or postgresql+psycopg://HOST/NAME",
    )
