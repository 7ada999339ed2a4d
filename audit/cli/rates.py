"""How fast registries may be asked, and since when something counts: words of the command line, read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from audit.errors import UsageError

_PER = {"s": 60.0, "sec": 60.0, "min": 1.0, "m": 1.0, "h": 1 / 60, "hour": 1 / 60}
_RATE = re.compile(r"(?:(?P<registry>[^=/]+)=)?(?:(?P<number>[0-9]{1,6}(?:\.[0-9]{1,3})?)/(?P<per>[a-z]+)|none)")
_AGO = re.compile(r"([0-9]{1,5})(m|h|d)")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


def rates_of(texts: Sequence[str]) -> dict[str, float | None]:
    """Requests a minute by registry (``*``: every one); None: as fast as it goes.

    Args:
        texts: ``300/min``, ``docker.io=5/s``, ``registry.example:5000=none``.

    Raises:
        UsageError: one is none of these.
    """
    found: dict[str, float | None] = {}
    for text in texts:
        read = _RATE.fullmatch(text.strip())
        per = _PER.get(read["per"]) if read and read["per"] else 1.0
        if read is None or per is None:
            raise UsageError(f"--rate {text}: write [REGISTRY=]NUMBER/min, for instance 300/min, 5/s, or none")
        value = float(read["number"]) * per if read["number"] else None
        if value is not None and value < 1:
            raise UsageError(f"--rate {text}: that is less than one a minute, and nothing would ever end")
        found[read["registry"] or "*"] = value
    return found


def moment(text: str, now: float) -> float:
    """UNIX time of ``8h``, ``2d``, ``2026-11-26`` or ``2026-11-26T02:00``; the machine's own zone where none is said.

    Raises:
        UsageError: it is none of these, or lies ahead.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return now - float(ago[1]) * _SECONDS[ago[2]]
    try:
        found = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--since {text}: write 90m, 8h, 2d, a date such as 2026-11-26 or 2026-11-26T02:00, or the id of a run"
        ) from None
    if found > now:
        raise UsageError(f"--since {text}: that lies ahead")
    return found
