"""What was asked of registries, counted: figures about merging are given in requests."""

from __future__ import annotations

import threading

from audit.value import Model


class Counts(Model):
    """What a client has asked so far.

    Attributes:
        by_kind: requests by kind (``HEAD manifest``, ``GET blob``, ``POST mount``, ``token``, …), redirections apart.
        bytes_read: bytes of blobs that came through us.
        bytes_sent: bytes of blobs that we sent.
    """

    by_kind: dict[str, int]
    bytes_read: int = 0
    bytes_sent: int = 0

    @property
    def requests(self) -> int:
        """All of them, tokens too."""
        return sum(self.by_kind.values())

    @property
    def tokens(self) -> int:
        """Requests for a token."""
        return self.by_kind.get("token", 0)


class Counter:
    """Counts for many threads."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lock = threading.Lock()
        self._kinds: dict[str, int] = {}
        self._read = self._sent = 0

    def add(self, kind: str) -> None:
        """One more request."""
        with self._lock:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1

    def moved(self, *, read: int = 0, sent: int = 0) -> None:
        """So many more bytes of blobs."""
        with self._lock:
            self._read += read
            self._sent += sent

    def now(self) -> Counts:
        """As it stands."""
        with self._lock:
            return Counts(by_kind=dict(sorted(self._kinds.items())), bytes_read=self._read, bytes_sent=self._sent)
