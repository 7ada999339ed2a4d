"""A batch while it runs: a live line on a terminal, else one every half minute; a heartbeat for `merge --status`."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from audit.errors import StepError

if TYPE_CHECKING:
    from audit.batch.progress import Progress
    from audit.batching import Batch
    from audit.cli.output import Target
    from audit.reports import Style

EVERY = 30.0
"""Seconds between two lines where there is no terminal, and between two Prometheus files."""
EVERY_BEAT = 2.0
_MINUTE = 60.0


class Meter:
    """Requests a minute, and the time to go, from what was seen in the last minutes."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._seen: deque[tuple[float, int]] = deque()

    def take(self, now: float, requests: int) -> None:
        """One more look: seconds on a clock, and what was counted by then."""
        self._seen.append((now, requests))
        while self._seen[0][0] < now - 5 * _MINUTE:
            self._seen.popleft()

    def per_minute(self, now: float) -> float:
        """Requests of the last minute; of less where it has not run so long."""
        first = next((one for one in self._seen if one[0] >= now - _MINUTE), None)
        return float(self._seen[-1][1] - first[1]) if first is not None else 0.0

    def seconds_for(self, left: int | None) -> float | None:
        """How long so many requests will take at the pace of the last five minutes; None: it cannot be told."""
        if len(self._seen) < 2 or left is None:
            return None
        (begin, before), (end, after) = self._seen[0], self._seen[-1]
        if after <= before or end - begin < 10:
            return None
        return left * (end - begin) / (after - before)


@contextmanager
def viewing(batch: Batch, outputs: Sequence[Target], style: Style, *, quiet: bool) -> Iterator[None]:
    """Show how it goes while the body runs."""
    ended = threading.Event()
    viewer = threading.Thread(target=_view, args=(batch, outputs, style, ended, quiet), daemon=True, name="view")
    viewer.start()
    try:
        yield
    finally:
        ended.set()
        viewer.join()


def _view(batch: Batch, outputs: Sequence[Target], style: Style, ended: threading.Event, quiet: bool) -> None:
    from contextlib import nullcontext

    from audit import inert
    from audit.batch.progress import line
    from audit.cli.batchout import write_live

    meter = Meter()
    terminal = sys.stderr.isatty() and not quiet
    told, written = batch.shared.times.clock(), float("-inf")
    live = _Line() if terminal else nullcontext()
    with live as shown:
        while not ended.wait(0.5 if terminal else EVERY_BEAT):
            now = batch.shared.times.clock()
            progress = _beat(batch, meter, now)
            text = inert.terminal(line(progress))
            if shown is not None:
                shown.show(text)
            elif not quiet and now - told >= EVERY:
                told = now
                print(f"fleet-audit: {text}", file=sys.stderr, flush=True)
            if now - written >= EVERY:
                written = now
                write_live(batch.report(), outputs, style)
        _beat(batch, meter, batch.shared.times.clock())


def _beat(batch: Batch, meter: Meter, now: float) -> Progress:
    """How far it is, told to the journal too."""
    progress = _progress(batch, meter, now)
    with suppress(StepError):  # whoever writes the tags says what is wrong with the journal
        batch.journal.beat(batch.row.id, progress.model_dump(mode="json"))
    return progress


class _Line:
    """One line on a terminal that is drawn anew."""

    def __enter__(self) -> _Line:
        """Begin."""
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Take it away."""
        self._live.__exit__(None, None, None)

    def show(self, text: str) -> None:
        """Instead of what stands there."""
        from rich.text import Text

        self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)


def _progress(batch: Batch, meter: Meter, now: float) -> Progress:
    """How far it is."""
    from audit.batch.progress import Progress

    counted = batch.counted()
    total = sum(counted.values())
    client = batch.shared.client
    requests = client.counts.requests
    meter.take(now, requests)
    return Progress(
        phase=batch.phase, total=total, done=counted.get("done", 0), unchanged=counted.get("unchanged", 0),
        parked=counted.get("parked", 0), moved=counted.get("moved", 0), failed=counted.get("failed", 0),
        left=counted.get(None, 0), requests=requests, rate=meter.per_minute(now), limit=batch.rate,
        waited=client.ledger.now().waited, waiting=batch.waiting, seconds=now - batch.began,
        eta=meter.seconds_for(batch.requests_left()),
    )  # fmt: skip
