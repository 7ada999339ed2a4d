"""How many requests may still go to a registry now: a token bucket that gives way at a 429 and grows back.

Pure: a state and a moment in, a state out. Moments are seconds of any clock that does not go back, rates requests a
minute.

- The bucket fills at the present rate and holds 57 seconds' worth of the *present* rate, so after a halving its burst
  is halved too. In any span of t seconds no more than ``rate * t / 60 + 0.95 * rate`` requests are granted: a registry
  that allows a minute's worth at once is left some room, since what leaves here evenly arrives there in bunches.
- A 429 empties it, halves the rate (not below a 32nd of the nominal one, nor below 6 a minute) and pauses everything.
  It fills during the pause, at the halved rate: a registry that has asked for a minute of quiet has then seen a minute
  of quiet, and what has gathered, half a minute's worth at the old rate after a pause of 60 s, is spent at once where
  there is a backlog. Were it not to fill, each 429 would cost its pause twice.
- Several 429s of requests that were on their way already when the rate was halved are one: they tell nothing new.
- It grows by a tenth of the nominal rate after every 1.5 s without a 429. Where one comes within a minute of having
  grown, growing was too fast: the interval doubles, up to a minute, and is forgotten after ten minutes without one.
- Where no rate is known, nothing is held back until the first 429; that one teaches a rate: half of what was sent in
  the last ten seconds. It grows back to what was sent then, and is forgotten after ten minutes without a 429, since
  a registry's bad minute is not its rule.
"""

from __future__ import annotations

from typing import NamedTuple

NEVER = -1e9
"""A moment before every other."""
LEAST_RATE, LEAST_SHARE = 6.0, 32.0
LEAST_LEARNED = 60.0
BURST = 0.95
"""Of a minute's worth."""
GROWS, STEP, LONGEST_STEP = 0.1, 1.5, 60.0
TOO_FAST, CALM = 60.0, 600.0
_SPAN = 10.0
_WHOLE = 1 - 1e-9
"""A token, but for what adding up fractions of one may lose."""


class Bucket(NamedTuple):
    """One registry's, for one account.

    Attributes:
        nominal: requests a minute when all is well; 0 where none is known.
        rate: requests a minute now; 0: nothing is held back.
        tokens: requests that may go at once.
        at: moment that the tokens are counted at.
        learned: the nominal rate was learned from a 429, not given.
        paused: moment that a pause ends at.
        why: slug of the error that asked for the pause.
        halved: moment of the last halving.
        hit: moment of the last 429.
        grown: moment of the last growth.
        step: seconds without a 429 until the next growth.
        window: moment that `granted` began at.
        granted: requests granted since then.
        before: requests granted in the ten seconds before that.
    """

    nominal: float = 0.0
    rate: float = 0.0
    tokens: float = 0.0
    at: float = NEVER
    learned: bool = False
    paused: float = NEVER
    why: str = ""
    halved: float = NEVER
    hit: float = NEVER
    grown: float = NEVER
    step: float = STEP
    window: float = NEVER
    granted: int = 0
    before: int = 0


def fresh(nominal: float | None, now: float) -> Bucket:
    """A full one; None: no rate is known."""
    rate = nominal or 0.0
    return Bucket(nominal=rate, rate=rate, tokens=burst(rate), at=now)


def burst(rate: float) -> float:
    """What a bucket holds: nearly a minute's worth, and one request at least."""
    return max(BURST * rate, 1.0) if rate else 0.0


def to_nominal(bucket: Bucket, nominal: float | None) -> Bucket:
    """The same, where this process was told another nominal rate than the one that left it; never with more tokens."""
    if nominal is None or bucket.nominal == nominal:
        return bucket  # who was told no rate keeps to what others were told
    rate = nominal if bucket.learned or not bucket.nominal else nominal * bucket.rate / bucket.nominal
    if bucket.learned:
        rate = min(rate, bucket.rate)
    tokens = min(bucket.tokens, burst(rate)) if bucket.nominal else burst(rate)
    return bucket._replace(nominal=nominal, rate=rate, tokens=tokens, learned=False)


def advance(bucket: Bucket, now: float) -> Bucket:
    """As it stands at a later moment; a moment that is not later changes nothing."""
    if now <= bucket.at:
        return bucket
    calm = now - max(bucket.hit, bucket.paused) >= CALM
    if bucket.learned and calm:
        return Bucket(at=now, window=bucket.window, granted=bucket.granted, before=bucket.before)
    rate, tokens, at, grown = bucket.rate, bucket.tokens, bucket.at, bucket.grown
    if rate < bucket.nominal:
        quiet = max(bucket.paused, bucket.hit, grown)
        while rate < bucket.nominal and quiet + bucket.step <= now:
            quiet += bucket.step
            if quiet > at:
                tokens, at = min(burst(rate), tokens + (quiet - at) * rate / 60), quiet
            rate, grown = min(bucket.nominal, rate + GROWS * bucket.nominal), quiet
    tokens = min(burst(rate), tokens + (now - at) * rate / 60)
    return bucket._replace(rate=rate, tokens=tokens, at=now, grown=grown, step=STEP if calm else bucket.step)


def take(bucket: Bucket, now: float) -> tuple[Bucket, float]:
    """One request: the state after it and 0, or the state without it and the seconds until it may be asked for again.

    While `paused` lies ahead, it is the pause that is waited for; else it is the rate.
    """
    bucket = advance(bucket, now)
    if now < bucket.paused:
        return bucket, bucket.paused - now
    if bucket.rate and bucket.tokens < _WHOLE:
        return bucket, (1 - bucket.tokens) * 60 / bucket.rate
    return _counted(bucket._replace(tokens=max(0.0, bucket.tokens - 1)), now), 0.0


def limited(bucket: Bucket, now: float, wait: float, why: str, sent: float) -> Bucket:
    """After a 429.

    Args:
        bucket: the state before it.
        now: moment of the answer.
        wait: seconds that nothing is to be sent for.
        why: slug of the error.
        sent: moment that the request was granted at.
    """
    bucket = advance(bucket, now)
    if now + wait > bucket.paused:
        bucket = bucket._replace(paused=now + wait, why=why)
    if sent <= bucket.halved:
        return bucket._replace(hit=now)
    step = min(LONGEST_STEP, bucket.step * 2) if now - bucket.grown <= TOO_FAST else bucket.step
    if bucket.rate:
        floor = max(bucket.nominal / LEAST_SHARE, LEAST_RATE)
        rate = min(bucket.rate, max(floor, bucket.rate / 2))
        bucket = bucket._replace(rate=rate)
    else:
        seen = max(LEAST_LEARNED, observed(bucket, now))
        bucket = bucket._replace(nominal=seen, rate=max(LEAST_LEARNED, seen / 2), learned=True)
    return bucket._replace(tokens=0.0, at=max(now, bucket.at), halved=now, hit=now, step=step)


def observed(bucket: Bucket, now: float) -> float:
    """Requests a minute that were granted in the last ten seconds; of those before the present count, a share."""
    passed = now - bucket.window
    if passed >= 2 * _SPAN:
        return 0.0
    if passed >= _SPAN:
        return bucket.granted * (2 - passed / _SPAN) * 60 / _SPAN
    return (bucket.granted + bucket.before * (1 - passed / _SPAN)) * 60 / _SPAN


def _counted(bucket: Bucket, now: float) -> Bucket:
    passed = now - bucket.window
    if passed < _SPAN:
        return bucket._replace(granted=bucket.granted + 1)
    if passed < 2 * _SPAN:
        return bucket._replace(window=bucket.window + _SPAN, before=bucket.granted, granted=1)
    return bucket._replace(window=now, before=0, granted=1)
