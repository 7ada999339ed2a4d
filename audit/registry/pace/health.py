"""Whether a registry answers at all: a pause for everybody after failures in a row, so that none hammers what is down.

Pure, as `bucket`. A failure is no answer, half an answer, or a 5xx; any other answer ends the row.
"""

from __future__ import annotations

from typing import NamedTuple

from audit.registry.pace.bucket import NEVER

LONGEST = 60.0
LONGEST_ASKED = 600.0
DOWN = 2
"""Failures in a row that are no accident."""


class Health(NamedTuple):
    """One registry's.

    Attributes:
        fails: failures in a row.
        at: moment of the last one that counted.
        until: moment that nobody asks before.
        spread: seconds after it, over which those who wait come back by lot.
    """

    fails: int = 0
    at: float = NEVER
    until: float = NEVER
    spread: float = 0.0


WELL = Health()


def failed(health: Health, now: float, sent: float, asked: float | None = None) -> Health:
    """After a failure: 1, 2, 4, … 60 s, half of it for certain and half by lot.

    Failures of requests that were on their way already at the last one tell nothing new, as six connections that break
    at once are one event.

    Args:
        health: the state before it.
        now: moment of the failure.
        sent: moment that the request was granted at.
        asked: seconds that the server itself asked to wait.
    """
    if sent <= health.at:
        return health
    whole = min(LONGEST, 2.0 ** min(health.fails, 10))
    until = now + max(whole / 2, min(asked or 0.0, LONGEST_ASKED))
    return Health(min(health.fails + 1, 1000), now, until, whole / 2)


def probed(health: Health, now: float) -> Health:
    """After a request was granted: where the registry is known to be down it goes alone, to see; the others wait.

    Its answer ends the waiting, or its failure begins the next pause; should nothing be heard of it, the next one goes
    after as long a pause as the last.
    """
    return health._replace(until=now + 2 * health.spread) if health.fails >= DOWN else health


def pause(health: Health, now: float, lot: float) -> float:
    """Seconds that one has to wait who drew this lot, from 0 to 1."""
    return max(0.0, health.until + lot * health.spread - now) if health.fails else 0.0
