"""Progress on stderr: who is still running, in which phase, since when. Only on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.model import Fleet
    from audit.wire import Event

SHOWN = 3
"""How many of the hosts that are still running are named."""


class Watch:
    """The hosts that are running, kept from the wire's events (which come from many threads)."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nobody running."""
        self.total = total
        self.done = 0
        self.clock = clock
        self._running: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            if event.phase == "done":
                self._running.pop(event.host, None)
                self.done += 1
            else:
                since = self._running.get(event.host, (self.clock(), ""))[0]
                self._running[event.host] = (since, event.phase)

    def line(self) -> str:
        """``12/40 hosts · slowest: w07 auth 4 s, w31 probe 2 s``."""
        with self._lock:
            slowest = sorted(self._running.items(), key=lambda item: item[1][0])[:SHOWN]
            waiting = ", ".join(f"{host} {phase} {self.clock() - since:.0f} s" for host, (since, phase) in slowest)
            return f"{self.done}/{self.total} hosts" + (f" · waiting for {waiting}" if waiting else "")


@contextmanager
def watching(fleet: Fleet, *, quiet: bool, verbose: int) -> Iterator[Callable[[Event], None] | None]:
    """Show progress while the body runs; yields what the wire is to call."""
    if quiet or (not sys.stderr.isatty() and verbose < 2):
        yield None
        return
    watch = Watch(len(fleet))
    if verbose >= 2:
        yield _logged(watch)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(
        console=Console(stderr=True),
        get_renderable=lambda: Text(watch.line(), overflow="ellipsis", no_wrap=True),
        refresh_per_second=8,
        transient=True,
    ):
        yield watch


def _logged(watch: Watch) -> Callable[[Event], None]:
    start = time.monotonic()

    def note(event: Event) -> None:
        watch(event)
        detail = f": {event.detail}" if event.detail else ""
        print(f"{time.monotonic() - start:7.2f} s {event.host} {event.phase}{detail}", file=sys.stderr)

    return note
