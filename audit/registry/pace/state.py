"""All that is known of one registry for one account, whether a request may go now, and how that is kept in a file.

Pure, as `bucket`.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple, TypeVar

from audit.registry.after import LONGEST
from audit.registry.failures import (
    AbuseLimit,
    ApiQuota,
    Limited,
    LoginLocked,
    PullQuota,
    RegistryError,
    SecondaryLimit,
    ServerFailed,
    Unreachable,
)
from audit.registry.pace import bucket as buckets
from audit.registry.pace import health as healths
from audit.registry.pace import quota as quotas
from audit.registry.pace.bucket import NEVER, Bucket
from audit.registry.pace.health import Health
from audit.registry.pace.quota import Quota

VERSION = 1
LOCKED = 900.0
"""Seconds without a login after too many failed ones: Docker Hub was seen to want 10 or 15 minutes."""
SECONDARY_AGAIN, _REMEMBERED = 300.0, 900.0
"""A second refusal of that kind within a quarter of an hour wants a longer pause."""
_LEAST = 1.0
_SLACK = 5.0
_LENGTH = 200

T = TypeVar("T", bound=tuple[Any, ...])


class Locked(NamedTuple):
    """Logins that are not made.

    Attributes:
        until: moment that they may be made again.
        wall: UNIX time at which they were forbidden.
    """

    until: float = NEVER
    wall: float = 0.0


class State(NamedTuple):
    """One registry, one account; see the parts."""

    bucket: Bucket
    health: Health = healths.WELL
    quota: Quota = quotas.UNTOLD
    locked: Locked = Locked()


class Turn(NamedTuple):
    """Whether a request may go.

    Attributes:
        wait: seconds until it may be asked for again; 0: it goes now.
        why: reason, as in ledgers.
        slug: of the error that made the pause, or forbids the request.
        never: the request is not to be made at all in that time, rather than wait for it.
    """

    wait: float = 0.0
    why: str = ""
    slug: str = ""
    never: bool = False


GO = Turn()


def take(state: State, now: float, *, reads: bool, login: bool, lot: float) -> tuple[State, Turn]:
    """Ask for one request.

    Args:
        state: as it stands.
        now: the moment.
        reads: it is a GET of a manifest, which is a pull.
        login: it is a login: a request for a token, or one with a password.
        lot: from 0 to 1; the same for all that one request asks.
    """
    if login and now < state.locked.until:
        return state, Turn(state.locked.until - now, "", LoginLocked.slug, never=True)
    if reads and now < state.quota.until:
        return state, Turn(state.quota.until - now, "pull-quota", PullQuota.slug, never=True)
    if (seconds := healths.pause(state.health, now, lot)) > 0:
        return state, Turn(seconds, "host-down", ServerFailed.slug)
    bucket, seconds = buckets.take(state.bucket, now)
    if seconds > 0:
        paused = now < bucket.paused
        turn = Turn(seconds, _reason(bucket.why) if paused else "rate", bucket.why if paused else "")
        return state._replace(bucket=bucket), turn
    return state._replace(bucket=bucket, health=healths.probed(state.health, now)), GO


def _reason(slug: str) -> str:
    return slug if slug == "abuse-limit" else "limit"


def failed(state: State, error: RegistryError, now: float, wall: float, sent: float) -> State:
    """After a request that failed so; what says nothing about limits or health changes nothing.

    Args:
        state: as it stood.
        error: how it failed.
        now: the moment.
        wall: UNIX time.
        sent: moment that the request was granted at.
    """
    if isinstance(error, LoginLocked):
        return state._replace(locked=Locked(now + LOCKED, wall))
    if isinstance(error, PullQuota):
        return state._replace(quota=quotas.used_up(state.quota, now, wall, error.after))
    if isinstance(error, Limited):
        wait = error.least if error.after is None else error.after
        again = state.bucket.why == error.slug and now - state.bucket.hit <= _REMEMBERED and sent > state.bucket.halved
        if error.after is None and again and isinstance(error, SecondaryLimit):
            wait = SECONDARY_AGAIN
        wait = min(max(wait, _LEAST), LONGEST)
        return state._replace(bucket=buckets.limited(state.bucket, now, wait, error.slug, sent))
    if isinstance(error, Unreachable | ServerFailed):
        return state._replace(health=healths.failed(state.health, now, sent, error.after))
    return state


def seen(state: State, status: int, headers: Any, now: float, wall: float, *, manifest: bool) -> State:
    """After an answer whatever it says: the host is alive if it is no 5xx, and a manifest's tells of the quota."""
    if status < 500 and state.health.fails:
        state = state._replace(health=healths.WELL)
    if manifest:
        state = state._replace(quota=quotas.told(state.quota, headers, now, wall))
    return state


_RAISED: tuple[type[RegistryError], ...] = (
    Limited, AbuseLimit, SecondaryLimit, ApiQuota, PullQuota, LoginLocked, ServerFailed,
)  # fmt: skip
PAUSES = {one.slug: one for one in _RAISED}
"""What a pause that is too long to be waited for is raised as."""


# ------------------------------------------------------------------- in a file


def dump(state: State, boot: str) -> bytes:
    """One line of JSON, no secret in it."""
    return json.dumps([VERSION, boot, *state], separators=(",", ":")).encode()


class LaterError(ValueError):
    """It was written by a later version of ours, whose it stays."""


def load(raw: bytes, boot: str, now: float, wall: float) -> State:
    """As it was dumped; after a reboot only what counts by the wall clock.

    Raises:
        LaterError: a later version wrote it.
        ValueError: it is not ours, or cannot be true.
    """
    try:
        rows = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], int):
        raise ValueError("no state")
    if rows[0] > VERSION:
        raise LaterError(f"version {rows[0]}")
    if len(rows) != 6 or not isinstance(rows[1], str):
        raise ValueError("no state")
    bucket, health = _row(rows[2], Bucket()), _row(rows[3], Health())
    quota, locked = _row(rows[4], Quota()), _row(rows[5], Locked())
    if rows[1] != boot:
        quota = quotas.after_reboot(quota, now, wall)
        age = wall - locked.wall
        locked = Locked(now + LOCKED - age, locked.wall) if 0 <= age < LOCKED and locked.until != NEVER else Locked()
        return State(Bucket(), healths.WELL, quota, locked)
    ends = (
        (bucket.at, 0.0), (bucket.paused, LONGEST), (bucket.halved, 0.0), (bucket.hit, 0.0), (bucket.grown, 0.0),
        (bucket.window, 0.0), (health.at, 0.0), (health.until, healths.LONGEST_ASKED),
        (quota.seen, 0.0), (quota.until, quotas.LONGEST_WINDOW), (locked.until, LOCKED),
    )  # fmt: skip
    if any(moment > now + longest + _SLACK for moment, longest in ends):
        raise ValueError("moments that lie too far ahead")
    sound = (
        0 <= bucket.rate <= bucket.nominal <= 1e9
        and 0 <= bucket.tokens <= buckets.burst(bucket.rate)
        and buckets.STEP <= bucket.step <= buckets.LONGEST_STEP
        and 0 <= health.spread <= healths.LONGEST
        and 1 <= quota.window <= quotas.LONGEST_WINDOW
        and min(health.fails, bucket.granted, bucket.before, quota.limit + 1, quota.remaining + 1) >= 0
    )
    if not sound:
        raise ValueError("figures that cannot be")
    return State(bucket, health, quota, locked)


def _row(row: Any, like: T) -> T:
    """A row of JSON as a tuple of the same types as this one."""
    if not isinstance(row, list) or len(row) != len(like):
        raise ValueError("a row of another length")
    found: list[Any] = []
    for value, known in zip(row, like, strict=True):
        if isinstance(known, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)  # noqa: PLW2901 - JSON knows one kind of number
        if type(value) is not type(known):
            raise ValueError("a value of another type")
        if isinstance(value, float) and not (math.isfinite(value) and abs(value) < 1e12):
            raise ValueError("no number")
        if isinstance(value, str) and len(value) > _LENGTH:
            raise ValueError("a text that is too long")
        found.append(value)
    return type(like)(*found)
