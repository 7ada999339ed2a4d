"""What every part of a batch works with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from audit.errors import StepError
from audit.kept import Kept
from audit.registry.confirmed import ConfirmingClient
from audit.registry.ledger import Books
from audit.store import Journal


class StoppedError(StepError):
    """A signal, or what no tag can go on without, has ended the batch; what is done stands in the journal."""


@dataclass(frozen=True)
class Times:
    """The clocks. All times are seconds.

    Attributes:
        now: UNIX time.
        clock: never goes back.
        wait: until the event is set, so many seconds at most; whether it is set.
    """

    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a user may choose. All times are seconds.

    Attributes:
        connections: requests at once.
        force: write tags that somebody else has moved, too.
        trust_journal: what the journal says to stand is not looked at.
        patience: parked tags are waited for so long after the last one that came to its end.
        known_for: a blob is believed to stand where it was seen so long ago at most.
        window: sets of sources that are read ahead, so that base images can go first.
    """

    connections: int = 6
    force: bool = False
    trust_journal: bool = False
    patience: float = 1800.0
    known_for: float = 7 * 86400.0
    window: int = 1000


@dataclass
class Shared:
    """One batch's common things.

    Attributes:
        run: its id in the journal.
        stop: set by a signal.
    """

    client: ConfirmingClient
    journal: Journal
    kept: Kept
    wishes: Wishes
    times: Times
    run: str
    stop: threading.Event
    tell: Callable[[str], None]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """End here where the batch is to end.

        Raises:
            StoppedError: it is.
        """
        if self.stop.is_set():
            raise StoppedError("stopped")

    def pause(self, seconds: float, reason: str = "") -> None:
        """Wait, unless the batch is to end; with a reason, the wait is booked.

        Raises:
            StoppedError: it is.
        """
        if reason:
            Books(self.client.ledger).waited(reason, seconds)
        if self.times.wait(self.stop, seconds):
            raise StoppedError("stopped")
