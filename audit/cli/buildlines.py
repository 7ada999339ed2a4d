"""What a running build shows on stderr: log lines behind their platforms; on a terminal who is where, since when."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.building.attempt import Watchers
    from audit.buildstep.answers import Phase

OURS = "fleet-audit: "
"""Before a line that no builder has printed."""


class Board:
    """Which platform is where and how far, kept from calls of many threads."""

    def __init__(self, platforms: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has begun."""
        from audit.buildstep.report import short

        self.names = {platform: short(platform) for platform in platforms}
        self.width = max(map(len, self.names.values()), default=0)
        self.clock = clock
        self._now: dict[str, tuple[float, str, str]] = {}
        self._lock = threading.Lock()

    def phase(self, platform: str, host: str, phase: Phase) -> None:
        """An attempt has come so far."""
        with self._lock:
            since = self._now.get(platform, (self.clock(), "", ""))
            begun = since[0] if since[1] == host else self.clock()
            self._now[platform] = (begun, host, phase)

    def before(self, platform: str) -> str:
        """What stands before a line of this platform: ``arm64 | ``."""
        return f"{self.names[platform]:<{self.width}} | "

    def line(self) -> str:
        """``amd64 pushing on w01 12 s · arm64 building on w07 40 s``."""
        with self._lock:
            parts = [
                f"{self.names[platform]} {phase} on {host} {self.clock() - since:.0f} s"
                for platform, (since, host, phase) in self._now.items()
            ]
        return " · ".join(parts) or "nothing has begun"


@contextmanager
def showing(platforms: Sequence[str], *, quiet: bool) -> Iterator[Watchers]:
    """Show everything while the body runs; yields what the builds are to call."""
    from audit import inert
    from audit.building.attempt import Watchers

    board = Board(platforms)
    if quiet:
        yield Watchers(phase=board.phase)
        return
    if not sys.stderr.isatty():
        lock = threading.Lock()

        def plain(platform: str, line: str) -> None:
            with lock:
                print(f"{board.before(platform)}{inert.terminal(line)}", file=sys.stderr, flush=True)

        yield Watchers(line=plain, phase=board.phase, note=lambda platform, note: plain(platform, f"{OURS}{note}"))
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, highlight=False, markup=False)

    def above(platform: str, line: str) -> None:
        text = Text(f"{board.before(platform)}{inert.terminal(line)}", overflow="fold")
        console.print(text, soft_wrap=True)

    with Live(
        console=console,
        get_renderable=lambda: Text(board.line(), overflow="ellipsis", no_wrap=True),
        refresh_per_second=8,
        transient=True,
    ):
        yield Watchers(line=above, phase=board.phase, note=lambda platform, note: above(platform, f"{OURS}{note}"))
