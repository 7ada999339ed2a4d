"""How long a registry asks us to wait: Retry-After in all the forms that registries really send.

Seconds and dates (RFC 9110 section 10.2.3), the moment as a UNIX time (hub.docker.com), and a Go duration in the text
of the answer (GHCR: ``retry-after: 1.2s, allowed: 44000/minute``).
"""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST = 6 * 3600.0
"""Nobody waits longer on a registry's word: Docker Hub counts pulls over six hours."""
_EPOCH = 1e9
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{0,20})?"
_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_NUMBER}(?:ns|us|µs|μs|ms|s|m|h)){{1,8}}")
_IN_TEXT = re.compile(rf"retry-after:\s{{0,4}}({_DURATION.pattern})", re.I)


def after(header: str | None, body: str = "", *, now: float, longest: float = LONGEST) -> float | None:
    """Seconds to wait, from 0 to `longest`; None where nothing (that can be read) was said.

    Args:
        header: the value of Retry-After, if there was one.
        body: the beginning of the answer's text.
        now: UNIX time.
        longest: the answer is cut to it.
    """
    seconds = _value(header.strip()[:200], now) if header else None
    if seconds is None and (found := _IN_TEXT.search(body)):
        seconds = duration(found[1])
    return None if seconds is None else min(max(seconds, 0.0), longest)


def _value(text: str, now: float) -> float | None:
    if re.fullmatch(_NUMBER, text):
        number = float(text)
        if number >= 1000 * _EPOCH:  # milliseconds
            number /= 1000
        return number - now if number >= _EPOCH else number
    if _DURATION.fullmatch(text):
        return duration(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = moment.timestamp() - now
    return seconds if math.isfinite(seconds) else None


def duration(text: str) -> float | None:
    """Seconds of a duration as Go prints it (``1m30s``, ``10.305464ms``); None where it is none."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
