"""What was spent, and by whom: requests, pulls, waits, errors and bytes, for a client and for any part of its work.

    mine = Ledger()
    with charged(mine):
        client.manifest(name)
    mine.now().pulls

Whatever happens inside is booked in the client's own ledger and in this one, in threads too, where the work is run in
them by ``contextvars.copy_context().run``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import NamedTuple

from audit.registry.counter import Counts
from audit.registry.failures import NotFound, RegistryError


class Errors(NamedTuple):
    """Errors of one class.

    Attributes:
        number: how many.
        last: the last one's sentence; holds no secret.
    """

    number: int
    last: str


class Booked(NamedTuple):
    """What a ledger holds.

    Attributes:
        by_kind: requests by kind, as in `Counts`.
        pulls: manifests that were read, which is what Docker Hub counts.
        waited: seconds by reason: ``rate``, ``limit``, ``abuse-limit``, ``pull-quota``, ``host-down``, ``retry``.
        errors: by the class's slug, each failed attempt once; a HEAD that finds nothing is none.
        bytes_read: bytes of blobs that came through us.
        bytes_sent: bytes of blobs that we sent.
    """

    by_kind: dict[str, int]
    pulls: int
    waited: dict[str, float]
    errors: dict[str, Errors]
    bytes_read: int
    bytes_sent: int

    @property
    def requests(self) -> int:
        """All of them, tokens too."""
        return sum(self.by_kind.values())


class Ledger:
    """Adds up what it is told; may be told by many threads at once."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lock = threading.Lock()
        self._kinds: dict[str, int] = {}
        self._waited: dict[str, float] = {}
        self._errors: dict[str, tuple[int, str]] = {}
        self._pulls = self._read = self._sent = 0

    def request(self, kind: str) -> None:
        """One more request."""
        with self._lock:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1

    def pull(self) -> None:
        """One more manifest was read."""
        with self._lock:
            self._pulls += 1

    def waited(self, reason: str, seconds: float) -> None:
        """So many more seconds were waited."""
        with self._lock:
            self._waited[reason] = self._waited.get(reason, 0.0) + seconds

    def failed(self, error: RegistryError) -> None:
        """One more error."""
        with self._lock:
            self._errors[error.slug] = (self._errors.get(error.slug, (0, ""))[0] + 1, str(error))

    def moved(self, *, read: int = 0, sent: int = 0) -> None:
        """So many more bytes of blobs."""
        with self._lock:
            self._read += read
            self._sent += sent

    @property
    def counts(self) -> Counts:
        """Requests and bytes alone."""
        with self._lock:
            return Counts(by_kind=dict(sorted(self._kinds.items())), bytes_read=self._read, bytes_sent=self._sent)

    def now(self) -> Booked:
        """As it stands."""
        with self._lock:
            return Booked(
                by_kind=dict(sorted(self._kinds.items())),
                pulls=self._pulls,
                waited=dict(sorted(self._waited.items())),
                errors={slug: Errors(*row) for slug, row in sorted(self._errors.items())},
                bytes_read=self._read,
                bytes_sent=self._sent,
            )


_CHARGED: ContextVar[tuple[Ledger, ...]] = ContextVar("charged", default=())


@contextlib.contextmanager
def charged(ledger: Ledger) -> Iterator[Ledger]:
    """Book in this ledger too, whatever is done inside; one inside another is booked in both."""
    had = _CHARGED.get()
    mark = _CHARGED.set(had if ledger in had else (*had, ledger))
    try:
        yield ledger
    finally:
        _CHARGED.reset(mark)


class Books:
    """Where a client books: in its own ledger, and in those that this context is charged to."""

    def __init__(self, total: Ledger) -> None:
        """Of one client."""
        self._total = total

    def _all(self) -> Iterator[Ledger]:
        yield self._total
        yield from (one for one in _CHARGED.get() if one is not self._total)

    def request(self, kind: str) -> None:
        """One more request."""
        for ledger in self._all():
            ledger.request(kind)

    def pull(self) -> None:
        """One more manifest was read."""
        for ledger in self._all():
            ledger.pull()

    def waited(self, reason: str, seconds: float) -> None:
        """So many more seconds were waited."""
        for ledger in self._all():
            ledger.waited(reason, seconds)

    def moved(self, *, read: int = 0, sent: int = 0) -> None:
        """So many more bytes of blobs."""
        for ledger in self._all():
            ledger.moved(read=read, sent=sent)

    def failed(self, error: RegistryError) -> None:
        """One more error, once, however many places tell of it; who asks whether there is something is told by no."""
        if error.booked or (isinstance(error, NotFound) and error.call.kind.startswith(("HEAD", "GET tags"))):
            return
        error.booked = True
        for ledger in self._all():
            ledger.failed(error)
