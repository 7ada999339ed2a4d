"""Docker Hub's pulls: how many are left, as it says itself with every manifest.

``ratelimit-limit: 100;w=21600`` and ``ratelimit-remaining: 76;w=21600``: 76 of 100 within 21,600 s. Without the ``w``
it is something else (other servers count requests in headers of the same name), and without the headers nothing is
counted. Only a GET of a manifest is a pull.

The window slides: a pull counts for `window` seconds. At none left, nothing was pulled since, so after `window`
seconds the last of them no longer counts, whenever they were made: that is when reads are allowed again for certain.
The first of them may lapse far sooner; a HEAD, which is no pull, shows it, and reads go on at once.

Pure, as `bucket`. Moments are of the machine's clock; `wall` keeps UNIX time beside it, which alone has a meaning after
a reboot, and is used for nothing else: a jump of the wall clock does nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from audit.registry._said import one_line
from audit.registry.failures import Headers
from audit.registry.pace.bucket import NEVER

WINDOW = 6 * 3600.0
LONGEST_WINDOW = 7 * 86400.0
_VALUE = re.compile(r"\s{0,9}([0-9]{1,9})\s{0,9};\s{0,9}w=([0-9]{1,9})\s{0,9}")


class Quota(NamedTuple):
    """What is known of one account's pulls.

    Attributes:
        limit: pulls in a window; -1: not told.
        remaining: left of them when last seen; -1: not told.
        window: seconds.
        seen: moment that this was told.
        wall: UNIX time of `seen`.
        until: moment before which nothing is pulled.
        source: whom the registry counts, as it says: an address or a user's id.
    """

    limit: int = -1
    remaining: int = -1
    window: float = WINDOW
    seen: float = NEVER
    wall: float = 0.0
    until: float = NEVER
    source: str = ""


UNTOLD = Quota()


def told(quota: Quota, headers: Headers, now: float, wall: float) -> Quota:
    """After a manifest's answer."""
    remaining = _VALUE.fullmatch(headers.get("ratelimit-remaining", "")[:100])
    if remaining is None:
        return quota
    limit = _VALUE.fullmatch(headers.get("ratelimit-limit", "")[:100])
    left, window = int(remaining[1]), min(max(float(remaining[2]), 1.0), LONGEST_WINDOW)
    until = NEVER if left else quota.until if now < quota.until else now + window
    source = one_line(headers.get("docker-ratelimit-source", "")[:200], limit=64)
    return Quota(int(limit[1]) if limit else -1, left, window, now, wall, until, source)


def used_up(quota: Quota, now: float, wall: float, asked: float | None) -> Quota:
    """After a refusal for want of pulls.

    Args:
        quota: the state before it.
        now: moment of the answer.
        wall: UNIX time.
        asked: seconds that the registry asked to wait, where it did.
    """
    until = quota.until if now < quota.until else now + (quota.window if asked is None else max(asked, 1.0))
    return quota._replace(remaining=0, seen=now, wall=wall, until=until)


def left(quota: Quota, now: float) -> int | None:
    """Pulls that are left, as far as it is known; None: nothing counts them, or it was told too long ago."""
    if now < quota.until:
        return 0
    if quota.remaining <= 0 or now - quota.seen > quota.window:
        return None
    return quota.remaining


def after_reboot(quota: Quota, now: float, wall: float) -> Quota:
    """The same by the new clock; nothing where the wall clock has gone back, or all has lapsed."""
    age = wall - quota.wall
    if not 0 <= age <= quota.window or quota.seen == NEVER:
        return UNTOLD
    shift = now - age - quota.seen
    until = quota.until + shift if quota.until != NEVER else NEVER
    return quota._replace(seen=quota.seen + shift, until=until)
