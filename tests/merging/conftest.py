"""Registries of the farm, clients for them, and the command as a user calls it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import audit.registry
import audit.registry.pace
from audit.cli.app import run
from tests.farm.registry import Registry, serving
from tests.registry.conftest import dial, pki, registry

__all__ = ["dial", "pki", "registry"]  # fixtures that serve here too


class Told(NamedTuple):
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Told]


@pytest.fixture
def far() -> Iterator[Registry]:
    """Another registry."""
    with serving(Registry()) as one:
        yield one


class Hasty:
    """A clock on which a pause is over at once, and has taken its time all the same."""

    def __init__(self) -> None:
        """At the machine's own time."""
        self._skipped = 0.0
        self._lock = threading.Lock()

    @property
    def skipped(self) -> float:
        """Seconds that nobody has waited."""
        return self._skipped

    def clock(self) -> float:
        """Seconds that never go back."""
        return time.monotonic() + self._skipped

    def now(self) -> float:
        """UNIX time."""
        return time.time() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Skip them."""
        with self._lock:
            self._skipped += max(0.0, seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Skip them, unless the event is set."""
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()


@pytest.fixture
def clock() -> Hasty:
    """A clock on which nobody waits."""
    return Hasty()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch, clock: Hasty) -> list[float]:
    """Pauses that the command would have made, in seconds; and limits of a second or so where it has minutes."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.sleep(seconds)

    monkeypatch.setattr(audit.registry, "Retry", partial(audit.registry.Retry, sleep=sleep, clock=clock.clock))
    limiter = partial(audit.registry.pace.Limiter, clock=clock.clock, sleep=sleep, now=clock.now)
    monkeypatch.setattr(audit.registry.pace, "Limiter", limiter)
    quick = partial(audit.registry.Options, connect=2.0, idle=0.6, answer=1.2)
    monkeypatch.setattr(audit.registry, "Options", quick)
    return pauses


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slept: list[float]
) -> Command:
    """Run a verb against registries of the farm, which speak http; nobody's own login is used."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nobody"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def called(verb: str, *words: object, http: Any = ()) -> Told:
        flags = [word for one in http for word in ("--plain-http", one.address)]
        code = run([verb, *flags, *map(str, words)])
        said = capsys.readouterr()
        return Told(code, said.out, said.err)

    return called
