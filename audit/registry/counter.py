"""What was asked of registries, counted: figures about merging are given in requests."""

from __future__ import annotations

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
