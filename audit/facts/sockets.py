"""Where the engine's API listens."""

from __future__ import annotations

from audit.fact import Fact, fact_field
from audit.model import Model


class TcpListener(Model):
    """One TCP address of dockerd.

    Attributes:
        address: host:port as configured or seen.
        tls_verify: clients must show a certificate; None: cannot tell.
        source: the flag, file or socket table that tells it.
    """

    address: str
    tls_verify: bool | None = None
    source: str = ""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        host = self.address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
        return host.startswith("127.") or host in ("localhost", "::1")


class Sockets(Fact):
    """TCP listeners of the engine."""

    tcp: tuple[TcpListener, ...] = fact_field("Listeners", default=())
