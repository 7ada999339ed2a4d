"""A database and a journal with a clock of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.store import Database, Journal


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


@pytest.fixture
def database(place: Path) -> Iterator[Database]:
    """A new one, that waits a quarter of a second for a lock."""
    with Database.open(place, busy=0.25) as opened:
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
