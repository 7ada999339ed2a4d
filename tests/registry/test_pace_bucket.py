"""The arithmetic of the limiter: rates, pauses, quotas and a registry that is down, by a clock that a test moves."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.registry import AbuseLimit, ApiQuota, Call, Limited, SecondaryLimit, ServerFailed, Unreachable
from audit.registry.failures import RegistryError
from audit.registry.pace import RATES, health, quota, state
from audit.registry.pace.bucket import (
    LEAST_LEARNED,
    NEVER,
    Bucket,
    advance,
    burst,
    fresh,
    limited,
    observed,
    take,
    to_nominal,
)
from audit.registry.pace.state import Locked, State

CALL = Call("PUT manifest", "docker.io", "team/app")


def granted(bucket: Bucket, start: float, end: float, every: float = 0.05) -> tuple[Bucket, int]:
    """How many requests go in a span, where one is always waiting."""
    count, now = 0, start
    while now < end:
        bucket, wait = take(bucket, now)
        count += not wait
        now += max(wait, 1e-6) if wait else 0.0
        if not wait and not bucket.rate:
            now += every
    return bucket, count


def test_a_minute_at_once_and_then_the_rate() -> None:
    """At 300 a minute: 300 at once, five a second after."""
    bucket, first = granted(fresh(300, 0.0), 0.0, 0.1)
    assert first == 300
    bucket, next_ten = granted(bucket, 0.1, 10.1)
    assert next_ten in (49, 50, 51)


def test_a_429_empties_halves_and_pauses() -> None:
    """Nothing for the pause; then what gathered at half the rate, half a minute's worth of the old one at most."""
    bucket = limited(fresh(300, 0.0), 10.0, 60.0, "abuse-limit", sent=9.0)
    assert (bucket.rate, bucket.tokens, bucket.paused) == (150, 0, 70)
    bucket, none = granted(bucket, 10.0, 69.9)
    assert none == 0
    assert bucket.tokens <= 150
    _, after = granted(bucket, 70.0, 70.05)
    assert after <= 151
    long = advance(bucket, 10.0 + 3600)
    assert long.tokens <= burst(long.rate)


def test_those_on_their_way_count_once() -> None:
    """Six refusals of requests that were sent before the rate was halved halve it once; the longest pause counts."""
    bucket = fresh(300, 0.0)
    for number in range(6):
        bucket = limited(bucket, 1.0 + number, 60.0 - 11 * number, "abuse-limit", sent=0.9)
    assert bucket.rate == 150
    assert bucket.paused == 61.0
    assert limited(bucket, 62.0, 60.0, "abuse-limit", sent=61.5).rate == 75


def test_it_never_falls_below_the_floor() -> None:
    """A 32nd of the nominal rate, and six a minute; a rate that is lower by itself stays."""
    for nominal, floor in ((3200.0, 100.0), (60.0, 6.0), (4.0, 4.0)):
        bucket, now = fresh(nominal, 0.0), 0.0
        for _ in range(12):
            bucket = limited(bucket, now, 0.5, "limit", sent=now)
            now += 1.0
        assert bucket.rate == pytest.approx(floor)


def test_it_grows_back_in_steps() -> None:
    """A tenth of the nominal rate every 1.5 s after the pause, not within it, and never beyond."""
    bucket = limited(fresh(300, 0.0), 0.0, 10.0, "limit", sent=0.0)
    assert advance(bucket, 11.4).rate == 150
    assert advance(bucket, 11.5).rate == 180
    assert advance(bucket, 17.5).rate == 300
    assert advance(bucket, 999.0).rate == 300
    assert advance(advance(bucket, 12.0), 17.5).rate == 300, "looking at it changes nothing"


def test_growing_too_fast_is_learned_and_forgotten() -> None:
    """A 429 within a minute of having grown doubles the interval, up to a minute; ten quiet minutes undo that."""
    bucket, now, steps = fresh(300, 0.0), 0.0, []
    for _ in range(7):
        bucket = limited(bucket, now, 1.0, "limit", sent=now)
        steps.append(bucket.step)
        now += 1.0 + bucket.step
        bucket = advance(bucket, now)
        now += 0.1
    assert steps == [1.5, 3.0, 6.0, 12.0, 24.0, 48.0, 60.0]
    assert advance(bucket, bucket.paused + 599).step == 60
    assert advance(bucket, bucket.paused + 600).step == 1.5


def test_an_unknown_rate_is_learned_from_the_first_429() -> None:
    """Half of what was sent in the last ten seconds, 60 a minute at least; grown back to that, and then forgotten."""
    bucket = fresh(None, 0.0)
    bucket, count = granted(bucket, 0.0, 30.0, every=0.05)
    assert count == 600
    assert observed(bucket, 30.0) == pytest.approx(1200, rel=0.02)
    slow = limited(bucket, 30.0, 1.0, "limit", sent=29.0)
    assert slow.rate == pytest.approx(600, rel=0.02)
    assert advance(slow, 60.0).rate == pytest.approx(1200, rel=0.02)
    forgotten = advance(slow, 31.0 + 600)
    assert (forgotten.rate, forgotten.nominal) == (0, 0)
    few = limited(fresh(None, 0.0), 0.0, 1.0, "limit", sent=0.0)
    assert (few.rate, few.nominal) == (LEAST_LEARNED, LEAST_LEARNED)
    assert observed(bucket, 55.0) == 0


def test_another_nominal_rate_keeps_what_was_lost() -> None:
    """A process with another rate goes on at the same share of its own, and gains no tokens by it."""
    bucket = limited(fresh(300, 0.0), 0.0, 1.0, "limit", sent=0.0)
    assert to_nominal(bucket, 600).rate == 300
    assert to_nominal(fresh(300, 0.0), 600).tokens == 300
    assert to_nominal(fresh(300, 0.0), 100).tokens == 100
    assert to_nominal(fresh(300, 0.0), None).nominal == 300
    learned = limited(fresh(None, 0.0), 0.0, 1.0, "limit", sent=0.0)
    assert to_nominal(learned, 600)[:2] == (600, 60)
    assert to_nominal(fresh(None, 0.0), 300) == fresh(300, 0.0)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    """An earlier moment gives no tokens and takes none."""
    bucket, _ = granted(fresh(60, 100.0), 100.0, 100.01)
    assert advance(bucket, 5.0) == bucket
    assert take(bucket, 5.0)[1] > 0


EVENTS = st.lists(
    st.tuples(
        st.floats(0.0, 30.0),
        st.one_of(st.just(None), st.tuples(st.floats(1.0, 120.0), st.floats(0.0, 40.0))),
    ),
    max_size=60,
)


@given(st.one_of(st.none(), st.floats(0.5, 5000.0)), EVENTS)
def test_what_always_holds(nominal: float | None, events: list[tuple[float, tuple[float, float] | None]]) -> None:
    """No 429 raises the rate or ends a pause; the rate stays within its bounds, and tokens within the bucket."""
    bucket, now = fresh(nominal, 0.0), 0.0
    for passed, refused in events:
        now += passed
        if refused is None:
            bucket, wait = take(bucket, now)
            assert wait >= 0
            assert (wait > 0) or now >= bucket.paused
        else:
            before = advance(bucket, now)
            bucket = limited(bucket, now, refused[0], "limit", sent=max(0.0, now - refused[1]))
            assert bucket.rate <= before.rate or not before.rate
            assert bucket.paused >= max(before.paused, now + refused[0])
        assert 0 <= bucket.tokens <= burst(bucket.rate) + 1e-9
        if nominal is not None:
            assert min(nominal, max(nominal / 32, 6.0)) * 0.999999 <= bucket.rate <= nominal
            assert bucket.nominal == nominal


@given(st.floats(1.0, 600.0), st.lists(st.floats(0.0, 5.0), min_size=1, max_size=200), st.sets(st.integers(0, 199)))
def test_no_window_sees_more_than_the_rate_and_a_burst(nominal: float, gaps: list[float], hits: set[int]) -> None:
    """However it is asked and refused, at most rate * t + burst go in any span of t seconds."""
    bucket, now, went = fresh(nominal, 0.0), 0.0, []
    for number, gap in enumerate(gaps):
        now += gap
        if number in hits:
            bucket = limited(bucket, now, 1.0, "limit", sent=now)
        for _ in range(20):
            bucket, wait = take(bucket, now)
            if wait:
                break
            went.append(now)
    for first in range(0, len(went), 7):
        for last in range(first, len(went), 11):
            span = went[last] - went[first]
            assert last - first + 1 <= nominal / 60 * span + burst(nominal) + 1e-6


# ------------------------------------------------------------------- what errors do


def after(error: RegistryError, before: State | None = None, now: float = 1000.0, sent: float = 999.0) -> State:
    """The state after a failure."""
    return state.failed(before or State(fresh(300, now)), error, now, 5e8, sent)


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (Limited(CALL, "x"), 1.0),
        (Limited(CALL, "x", after=0.0103), 1.0),
        (Limited(CALL, "x", after=7.5), 7.5),
        (AbuseLimit(CALL, "x"), 60.0),
        (AbuseLimit(CALL, "x", after=0.0), 1.0),
        (AbuseLimit(CALL, "x", after=12.0), 12.0),
        (AbuseLimit(CALL, "x", after=1e9), 6 * 3600.0),
        (ApiQuota(CALL, "x"), 60.0),
        (SecondaryLimit(CALL, "x"), 120.0),
    ],
)
def test_how_long_a_refusal_pauses(error: RegistryError, wait: float) -> None:
    """What the registry asked for, within bounds; by the class where it asked for nothing."""
    assert after(error).bucket.paused == pytest.approx(1000.0 + wait)


def test_a_second_secondary_limit_waits_longer() -> None:
    """Two minutes, then five; two again after a quarter of an hour."""
    first = after(SecondaryLimit(CALL, "x"))
    assert after(SecondaryLimit(CALL, "x"), first, 1121.0, 1120.5).bucket.paused == 1421.0
    assert after(SecondaryLimit(CALL, "x"), first, 1121.0, 999.5).bucket.paused == 1241.0, "it was on its way already"
    assert after(SecondaryLimit(CALL, "x"), first, 2000.0, 1999.0).bucket.paused == 2120.0


# ------------------------------------------------------------------- a registry that is down


def test_pauses_of_a_registry_that_is_down() -> None:
    """1, 2, 4, … 60 s, half of it by lot; requests that were on their way do not count; a success ends it."""
    now, one, pauses = 0.0, health.WELL, []
    for _ in range(9):
        one = health.failed(one, now, sent=now)
        assert health.failed(one, now + 0.3, sent=now - 0.1) == one
        pauses.append((health.pause(one, now, 0.0), health.pause(one, now, 1.0)))
        now += 100
    assert pauses == [(wait / 2, wait) for wait in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
    assert health.pause(health.failed(one, now, now, asked=90.0), now, 0.0) == 90
    lively = state.seen(State(fresh(None, now), one), 404, {}, now, 0.0, manifest=False)
    assert lively.health == health.WELL
    assert state.seen(State(fresh(None, now), one), 502, {}, now, 0.0, manifest=False).health == one


def test_ten_minutes_down_are_not_hammered() -> None:
    """Twenty threads that never give up send few requests to a registry that does not answer for ten minutes."""
    found, sent = State(fresh(None, 0.0)), 0
    waiting = [(0.0, number, "ask", 0.0) for number in range(20)]
    while waiting and waiting[0][0] < 600:
        now, number, what, granted_at = heapq.heappop(waiting)
        if what == "fail":
            found = state.failed(found, Unreachable(CALL, "x"), now, 0.0, granted_at)
            heapq.heappush(waiting, (now + 0.5, number, "ask", 0.0))
            continue
        found, turn = state.take(found, now, reads=False, login=False, lot=number / 20)
        if turn.wait:
            heapq.heappush(waiting, (now + min(turn.wait, 5.0), number, "ask", 0.0))
        else:
            sent += 1
            heapq.heappush(waiting, (now + 2.0, number, "fail", now))
    assert 40 <= sent <= 40 + 25, "all at first, all once more, then one at a time and at last two a minute"
    assert found.health.fails >= 8


# ------------------------------------------------------------------- pulls

HUB = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600", "docker-ratelimit-source": "192.0.2.7"}


def test_what_a_manifest_tells_of_pulls() -> None:
    """Limit, rest, window and source; it is believed for one window."""
    told = quota.told(quota.UNTOLD, HUB, 50.0, 5e8)
    assert (told.limit, told.remaining, told.window, told.source) == (100, 76, 21600, "192.0.2.7")
    assert quota.left(told, 50.0 + 21600) == 76
    assert quota.left(told, 50.0 + 21601) is None
    assert quota.left(quota.UNTOLD, 50.0) is None


@pytest.mark.parametrize("value", ["", "76", "x;w=5", "76;w=", "-1;w=9", "9" * 30 + ";w=1", "1" * 5000])
def test_a_header_that_is_no_quota(value: str) -> None:
    """Without a window it is somebody else's header; garbage is nothing."""
    assert quota.told(quota.UNTOLD, {"ratelimit-remaining": value}, 1.0, 1.0) == quota.UNTOLD


def test_none_left_stops_reads_until_the_window_has_passed() -> None:
    """From the moment that none were left; later answers at 0 do not put it off, one above 0 ends it."""
    none = {"ratelimit-remaining": "0;w=3600"}
    found = quota.told(quota.UNTOLD, none, 100.0, 5e8)
    found = quota.told(found, none, 1000.0, 5e8)
    assert quota.left(found, 3699.0) == 0
    assert quota.left(found, 3701.0) is None
    assert quota.left(quota.told(found, HUB, 1200.0, 5e8), 1200.0) == 76
    refused = quota.used_up(quota.UNTOLD, 100.0, 5e8, None)
    assert refused.until == 100.0 + 6 * 3600
    assert quota.used_up(refused, 200.0, 5e8, None).until == refused.until
    assert quota.used_up(quota.UNTOLD, 100.0, 5e8, 30.0).until == 130.0


# ------------------------------------------------------------------- in a file


FULL = State(
    limited(fresh(300, 10.0), 20.0, 60.0, "abuse-limit", sent=15.0),
    health.failed(health.WELL, 20.0, 19.0),
    quota.told(quota.UNTOLD, HUB, 21.0, 5e8),
    Locked(900.0, 5e8),
)


def test_a_state_is_read_as_it_was_written() -> None:
    """Every part of it, by the same boot."""
    assert state.load(state.dump(FULL, "boot"), "boot", 30.0, 5e8) == FULL


def test_after_a_reboot_only_the_wall_clock_counts() -> None:
    """Rates and health begin anew; pulls and locked logins last as long as they would have."""
    raw = state.dump(FULL._replace(quota=quota.told(quota.UNTOLD, {"ratelimit-remaining": "0;w=3600"}, 21.0, 5e8)), "a")
    found = state.load(raw, "b", 3.0, 5e8 + 600)
    assert (found.bucket, found.health) == (Bucket(), health.WELL)
    assert found.quota.until == pytest.approx(3.0 + 3000)
    assert found.locked.until == pytest.approx(3.0 + 300)
    for wall in (5e8 - 1, 5e8 + 3601):
        late = state.load(raw, "b", 3.0, wall)
        assert (late.quota, late.locked) == (quota.UNTOLD, Locked())


@given(st.binary(max_size=200))
def test_garbage_is_refused(raw: bytes) -> None:
    """Bytes that are no state are a ValueError and nothing else."""
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        state.load(raw, "boot", 30.0, 5e8)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"150.0", b"1e99"), (b"150.0", b"NaN"), (b"150.0", b"-3.0"), (b"150.0", b'"x"'), (b"150.0", b"301.0"),
        (b"80.0", b"999999.0"), (b"[1,", b"[2,"), (b"[1,", b'["1",'), (b"false", b"0"), (b"1.5", b"0.0"),
        (b'"abuse-limit"', b'"' + b"x" * 999 + b'"'), (b"[1,", b"[" * 100_000),
    ],
)  # fmt: skip
def test_figures_that_cannot_be_are_refused(old: bytes, new: bytes) -> None:
    """Another type, a rate above the nominal one, a pause without an end, a version of tomorrow."""
    raw = state.dump(FULL, "boot")
    assert old in raw
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        state.load(raw.replace(old, new, 1), "boot", 30.0, 5e8)


def test_the_known_rates() -> None:
    """Docker Hub's 300 is what others keep to; a server error is no limit."""
    assert RATES["docker.io"] == 300
    assert after(ServerFailed(CALL, "x")).bucket.rate == 300
    assert after(ServerFailed(CALL, "x")).health.fails == 1
    assert NEVER < 0
