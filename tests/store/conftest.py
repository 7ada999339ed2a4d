"""A database, SQLite's or PostgreSQL's, and a journal and a history with a clock of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.store import Database, History, Journal
from tests.store import postgres

BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
"""For a module's `pytestmark`: each of its tests on either engine."""


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        """An evening of 2026."""
        self.time = 1_795_650_005.5

    def __call__(self) -> float:
        """UNIX time."""
        return self.time


def digest(number: int) -> str:
    """A digest like no other number's."""
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a history may be; its folder is not there yet."""
    return tmp_path / "state" / "history.db"


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A real PostgreSQL; skipped with the reason where there can be none."""
    reason = postgres.why_not()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running() as found:
        yield found


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Which engine; SQLite where a module does not ask for both."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def database(engine: str, place: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A new one, that waits a quarter of a second for a lock; its `place` opens it again."""
    where: Path | str = place if engine == "sqlite" else request.getfixturevalue("server").new()
    with Database.open(where, busy=0.25) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    """The journal's."""
    return Clock()


@pytest.fixture
def journal(database: Database, clock: Clock) -> Iterator[Journal]:
    """On the new database."""
    with Journal(database, now=clock) as opened:
        yield opened


@pytest.fixture
def history(database: Database, clock: Clock) -> History:
    """On the new database."""
    return History(database, now=clock)
