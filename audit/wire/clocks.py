"""Time limits that hold whatever the other side does, and values that are worked out once for many threads."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from audit.model import Outcome
from audit.wire.failures import WireError
from audit.wire.options import Phase

GRACE = 0.2
"""Seconds after a clock's end until the watchdog steps in."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Clock:
    """A limit in wall-clock time that also ends with the one it stands in.

    Args:
        seconds: the limit; None for the outer one's only.
        name: for messages, e.g. ``connect``.
        within: the clock around it.
    """

    def __init__(self, seconds: float | None, name: str, within: Clock | None = None) -> None:
        """Start now."""
        own = float("inf") if seconds is None else time.monotonic() + seconds
        self.ends: float
        self.seconds: float
        self.name: str
        if within is not None and within.ends <= own:
            self.ends, self.seconds, self.name = within.ends, within.seconds, within.name
        else:
            self.ends, self.seconds, self.name = own, seconds or 0.0, name

    @property
    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.ends - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return time.monotonic() >= self.ends

    def failure(self, what: str, phase: Phase) -> WireError:
        """The time-out, as a sentence: ``WHAT within 10 s (the connect limit)``."""
        return WireError(Outcome.TIMEOUT, f"{what} within {self.seconds:g} s (the {self.name} limit)", phase)


class Watchdog:
    """One thread that calls what is due, such as the closing of a socket that somebody still waits for."""

    def __init__(self) -> None:
        """Start the thread."""
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._live: set[int] = set()
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="fleet-audit-watchdog", daemon=True)
        self._thread.start()

    def arm(self, clock: Clock, call: Callable[[], None]) -> int:
        """Call `call` soon after the clock's end, unless it is disarmed before; it must not block.

        Not at the end itself: who waits there by the clock should be the first to know that it has ended.
        """
        ends = clock.ends + GRACE
        with self._wake:
            number = next(self._numbers)
            self._live.add(number)
            heapq.heappush(self._heap, (ends, number, call))
            if self._heap[0][1] == number:
                self._wake.notify()
        return number

    def disarm(self, number: int) -> None:
        """Forget it; harmless after it has been called."""
        with self._wake:
            self._live.discard(number)
            if len(self._heap) > 64 and len(self._heap) > 2 * len(self._live):
                self._heap = [entry for entry in self._heap if entry[1] in self._live]
                heapq.heapify(self._heap)

    def close(self) -> None:
        """End the thread; what is still armed is forgotten."""
        with self._wake:
            self._ended = True
            self._wake.notify()
        self._thread.join(1.0)

    def _run(self) -> None:
        while True:
            with self._wake:
                if self._ended:
                    return
                if not self._heap:
                    self._wake.wait()
                    continue
                ends, number, call = self._heap[0]
                wait = ends - time.monotonic()
                if wait > 0:
                    self._wake.wait(min(wait, 3600.0))
                    continue
                heapq.heappop(self._heap)
                live = number in self._live
                self._live.discard(number)
            if live:
                with contextlib.suppress(Exception):
                    call()


class Once(Generic[K, V]):
    """Values by key, each worked out by the first thread that asks; the others wait for it, failures included."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._lock = threading.Lock()
        self._found: dict[K, Future[V]] = {}

    def get(self, key: K, work: Callable[[], V], wait: float | None = None) -> V:
        """The value of the key.

        Args:
            key: which value.
            work: works it out; called by one thread only.
            wait: how many seconds to wait for another thread that works on it; None for ever.

        Raises:
            TimeoutError: that other thread is not done yet.
        """
        with self._lock:
            found = self._found.get(key)
            mine = found is None
            if found is None:
                found = self._found[key] = Future()
        if mine:
            try:
                found.set_result(work())
            except BaseException as error:
                found.set_exception(error)
        return found.result(wait)

    def values(self) -> list[V]:
        """What has been worked out without failing."""
        with self._lock:
            done = [future for future in self._found.values() if future.done()]
        return [future.result() for future in done if future.exception() is None]
