"""The worker's clock against ours."""

from __future__ import annotations

from audit.fact import Fact, fact_field


class Clock(Fact):
    """Offset and synchronisation."""

    offset_seconds: float = fact_field("The worker's clock minus ours", drift="volatile")
    error_seconds: float = fact_field("How wrong that offset may be: the answer's round trip", drift="volatile")
    synchronized: bool | None = fact_field(
        "Whether the kernel is kept in time (timedatectl); None: not said", default=None
    )
