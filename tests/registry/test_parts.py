"""The small parts: challenges, waits, retries, what may be shown, and that every error becomes one of ours."""

from __future__ import annotations

import http.client
import inspect
import json
import socket
import ssl

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import FleetAuditError, StepError, UsageError
from audit.registry import Call, Garbled, Invalid, Options, RegistryError, Retry, ServerFailed, Unreachable, failures
from audit.registry._said import one_line, place
from audit.registry.after import after, duration
from audit.registry.answers import CASES, from_answer
from audit.registry.challenge import Challenge, best, challenges
from audit.registry.foreign import _MAP, FOREIGN, from_foreign

CALL = Call("GET manifest", "registry.example", "team/app:1")


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ('Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
         [Challenge("bearer", "https://a/t", "s", "repository:x:pull,push")]),
        ('bearer Realm = "https://a/t" , SERVICE="s"', [Challenge("bearer", "https://a/t", "s")]),
        ("Bearer realm=https://a/t?x=1,service=s", [Challenge("bearer", "https://a/t?x=1", "s")]),
        ('Basic realm="a, b=\\"c\\"", Bearer realm="https://a/t"',
         [Challenge("basic", 'a, b="c"'), Challenge("bearer", "https://a/t")]),
        ('Negotiate, Basic realm="x"', [Challenge("negotiate"), Challenge("basic", "x")]),
        ('Bearer realm="https://a/t', [Challenge("bearer", "https://a/t")]),
        ('Bearer realm="https://a/t" service="s" error="invalid_token"',
         [Challenge("bearer", "https://a/t", "s", "", "invalid_token")]),
        ('Bearer realm="https://good/",realm="https://evil/"', [Challenge("bearer", "https://good/")]),
        ('realm="https://a/t"', []),
        ("Basic", [Challenge("basic")]),
        ("", []),
    ],
)  # fmt: skip
def test_challenges(header: str, read: list[Challenge]) -> None:
    """Quotes, commas, spaces, case, several schemes, and some that break the rules."""
    assert list(challenges(header)) == read


def test_the_best_challenge() -> None:
    """A bearer's before a basic one; one without a realm is none."""
    assert best('Basic realm="x", Bearer realm="https://t/"') == Challenge("bearer", "https://t/")
    assert best('Bearer service="s", Basic realm="x"') == Challenge("basic", "x")
    assert best("Digest realm=x") is None
    assert best(None) is None


@given(st.one_of(st.text(max_size=300), st.text(alphabet='Bearer basic realm="=,\\ \t', max_size=200)))
def test_any_header_is_read(header: str) -> None:
    """No header ends in an error, and what is read is text that stood there."""
    for challenge in challenges(header):
        assert challenge.scheme
        assert challenge.scheme in header.lower()


def test_a_long_header_is_read_in_time() -> None:
    """Neither many commas, nor an endless quote, nor many names take long: time grows with the length only."""
    for header in ("," * 10**6, 'Bearer realm="' + "\\" * 10**6, "a" * 10**6, "a=" * 10**6, "Bearer " * 10**6):
        challenges(header)


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("12", "", 12),
        (" 0 ", "", 0),
        ("1.5", "", 1.5),
        ("1700000060", "", 60),
        ("1699999000", "", 0),
        ("1700000060000", "", 60),
        ("99999999", "", 6 * 3600),
        ("9" * 400, "", None),
        ("Tue, 14 Nov 2023 22:15:20 GMT", "", 120),
        ("Tuesday, 14-Nov-23 22:15:20 GMT", "", 120),
        ("Tue, 14 Nov 2023 22:00:00 GMT", "", 0),
        ("1m30s", "", 90),
        ("-5", "", None),
        ("soon", "", None),
        ("", "", None),
        (None, "", None),
        (None, '{"message":"retry-after: 10.305464ms, allowed: 44000/minute"}', 0.010305464),
        (None, "retry-after: 1.2s, allowed: 44000/minute", 1.2),
        ("soon", "Retry-After: 2m, allowed: 1/minute", 120),
        ("7", "retry-after: 1.2s", 7),
        (None, "retry-after: 12", None),
    ],
)
def test_waits(header: str | None, body: str, seconds: float | None) -> None:
    """Seconds, a date, a UNIX time, GHCR's text; between 0 and six hours; None where nothing was said."""
    found = after(header, body, now=NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


@given(st.one_of(st.none(), st.text(max_size=80)), st.text(max_size=80))
def test_any_wait_is_bounded(header: str | None, body: str) -> None:
    """Whatever a registry says, nobody waits longer than the limit."""
    found = after(header, body, now=NOW, longest=100)
    assert found is None or 0 <= found <= 100


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h2m3.5s", 3723.5), ("5us", 5e-6), ("5µs", 5e-6), ("3ns", 3e-9), ("s", None), ("1x", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    """As Go prints them."""
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


def policy(slept: list[float], **more: float) -> Retry:
    """One that writes its pauses down, and always draws the longest."""
    at = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        at[0] += seconds

    return Retry(sleep=sleep, clock=lambda: at[0], draw=lambda low, high: high, **more)  # type: ignore[arg-type] # by name


def always(error: Exception) -> None:
    """Fail."""
    raise error


def test_retries_wait_longer_each_time() -> None:
    """1, 2, 4, … seconds at most, up to the longest; then the last error."""
    slept: list[float] = []
    with pytest.raises(ServerFailed):
        policy(slept, tries=7).call(lambda: always(ServerFailed(CALL, "x")))
    assert slept == [1, 2, 4, 8, 16, 16]


def test_retries_end() -> None:
    """At the total, at a wait that is too long, at an error that no repetition mends, and at a fault of our own."""
    slept: list[float] = []
    with pytest.raises(Unreachable):
        policy(slept, total=6).call(lambda: always(Unreachable(CALL, "x")))
    assert slept == [1, 2]
    for error in (Unreachable(CALL, "x", after=500), Invalid(CALL, "x"), RuntimeError("bug")):
        with pytest.raises(type(error)):
            policy(slept).call(lambda error=error: always(error))  # type: ignore[misc] # bound now
    assert slept == [1, 2]


def test_limits_without_a_word() -> None:
    """Too many requests are waited out for a minute; a quota of hours is not waited for, but told at once."""
    slept: list[float] = []
    with pytest.raises(failures.AbuseLimit):
        policy(slept, tries=2).call(lambda: always(failures.AbuseLimit(CALL, "x")))
    with pytest.raises(failures.PullQuota):
        policy(slept).call(lambda: always(failures.PullQuota(CALL, "x")))
    assert slept == [61]


def test_retries_wait_as_told() -> None:
    """What the registry asks for is waited for, and some more, so that many do not come back together."""
    slept: list[float] = []
    left = [Unreachable(CALL, "x", after=50)]

    def do() -> str:
        if left:
            raise left.pop()
        return "done"

    assert policy(slept).call(do) == "done"
    assert slept == [51]
    assert {Retry().pause(1, Unreachable(CALL, "x")) for _ in range(9)} != {1.0}


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"first": -1.0}, {"total": -1.0}])
def test_retries_that_could_not_work(wrong: dict[str, float]) -> None:
    """A policy that makes no sense is refused."""
    with pytest.raises(UsageError):
        Retry(**wrong)  # type: ignore[arg-type] # by name


@pytest.mark.parametrize("wrong", [{"idle": 0}, {"connections": 0}, {"user_agent": "a\r\nX: y"}])
def test_options_that_could_not_work(wrong: dict[str, object]) -> None:
    """Neither can these."""
    with pytest.raises(UsageError):
        Options(**wrong)  # type: ignore[arg-type] # by name


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\x1b[31m\u202e", "two lines [31m"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        ("Basic cm9ib3Q6czNjcmV0", "Basic ***"),
        ("eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ.c2ln rest", "*** rest"),
        ("https://me:pw@host/x", "https://***@host/x"),
        ('{"refresh_token": "abc123"}', '{"refresh_token": "***"}'),
        ("https://cdn/x?X-Amz-Signature=abc123&y=1", "https://cdn/x?X-Amz-Signature=***&y=1"),
        ("password=hunter2", "password=***"),
        ("my known-word here", "my *** here"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_what_may_be_shown(said: str, shown: str) -> None:
    """One printable line without secrets."""
    assert one_line(said, ["known-word"]) == shown


def test_a_place_has_no_query() -> None:
    """A URL in a message is without what may be a signature, and without a user."""
    assert place("https://me:pw@cdn.example:8443/a/b?sig=1#x") == "https://cdn.example:8443/a/b"
    assert place("http://[") == "an address that cannot be read"


@given(st.text(max_size=2000))
def test_whatever_is_said_is_one_line(text: str) -> None:
    """Printable, short, on one line."""
    assert (one_line(text) or "-").isprintable()
    assert len(one_line(text)) <= 300


# ---------------------------------------------------------------- every error becomes one of ours


def every(module: object, base: type[BaseException]) -> list[type[BaseException]]:
    """The exception classes of a module."""
    return [one for _, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, base)]


def made(kind: type[BaseException]) -> BaseException:
    """One of that class, without its constructor."""
    error = kind.__new__(kind)
    error.args = ("boom",)
    return error


ALL = every(urllib3.exceptions, Exception) + every(http.client, http.client.HTTPException) + every(ssl, OSError)
RAISED = [kind for kind in dict.fromkeys(ALL) if not issubclass(kind, Warning)] + [
    socket.gaierror, socket.herror, ConnectionResetError, BrokenPipeError, TimeoutError, OSError, UnicodeError,
    AttributeError,
]  # fmt: skip


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_exception_of_the_libraries_is_unmapped(kind: type[BaseException]) -> None:
    """Each is caught where calls are made, and becomes an error of ours by a row of the table."""
    assert issubclass(kind, FOREIGN)
    error = from_foreign(made(kind), CALL)
    assert isinstance(error, RegistryError)
    assert "report this" not in str(error)
    assert str(error).startswith("registry.example: GET manifest team/app:1: ")


def test_the_table_has_no_dead_row() -> None:
    """Every row of the table of exceptions, found by itself, gives what it says."""
    for kind, (ours, why, _) in _MAP.items():
        if not issubclass(kind, ssl.SSLError):
            error = from_foreign(made(kind), CALL)
            assert type(error) is ours
            assert why in str(error)


def test_the_cause_goes_before_its_wrapper() -> None:
    """urllib3 wraps; what was really wrong is said."""
    inner = ConnectionRefusedError(111, "Connection refused")
    outer = urllib3.exceptions.NewConnectionError(None, "failed")  # type: ignore[arg-type] # not needed here
    outer.__cause__ = inner
    assert "refused" in str(from_foreign(urllib3.exceptions.MaxRetryError(None, "/", outer), CALL))  # type: ignore[arg-type] # likewise
    assert "fault of fleet-audit" in str(from_foreign(MemoryError(), CALL))
    ours = Garbled(CALL, "x")
    assert from_foreign(ours, CALL) is ours


@given(
    st.integers(100, 999), st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["content-type", "retry-after", "www-authenticate"]), st.text(max_size=40)),
)  # fmt: skip
def test_any_answer_is_an_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Whatever a server answers becomes an error, as one printable line."""
    error = from_answer(CALL, status, headers, body, now=NOW)
    assert isinstance(error, RegistryError)
    assert str(error).isprintable()
    assert error.status == status


_leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8))
_json = st.recursive(
    _leaf, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=8), inner)), max_leaves=8
)


@given(_json)
def test_any_json_is_an_error(body: object) -> None:
    """Errors in any shape are read or passed over."""
    row = {"code": body, "message": body, "detail": body}
    for shape in (body, {"errors": body}, {"errors": [body]}, {"errors": [row]}):
        error = from_answer(CALL, 400, {}, json.dumps(shape).encode(), now=NOW)
        assert error.status == 400
        assert str(error).isprintable()


def test_every_error_class_is_in_the_drawn_tree() -> None:
    """The tree in the docstring names every class, each with its own slug, and says rightly what is transient."""
    classes = [one for _, one in inspect.getmembers(failures, inspect.isclass) if issubclass(one, RegistryError)]
    assert failures.__doc__ is not None
    lines = [line for line in failures.__doc__.splitlines() if "── " in line]
    drawn = {line.partition("── ")[2].split()[0]: line for line in lines}
    assert set(drawn) == {one.__name__ for one in classes} - {"RegistryError"}
    for one in classes:
        assert issubclass(one, StepError)
        assert issubclass(one, FleetAuditError)
        if one is not RegistryError:
            assert (" yes " in drawn[one.__name__]) is one.transient, one
    assert len({one.slug for one in classes}) == len(classes)


def test_every_case_of_an_answer_can_be_met() -> None:
    """No row of the table of answers is hidden by those above it."""
    for case in CASES:
        status = (case.statuses or (418,))[-1]
        call = Call((case.kinds or ("GET other",))[-1], "h")
        met = from_answer(call, status, {}, (case.words or ("",))[0].encode(), now=NOW)
        assert type(met) is case.made, case
