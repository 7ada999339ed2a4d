"""Every misbehaving server ends in its own named outcome, in time, and holds nobody else up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.model import Answer, Fleet, HostEvidence, Outcome, Probe, Reason, Unknown
from audit.wire import Event, WireOptions, collect
from tests.farm.behaviours import BEHAVIOURS, answers, says
from tests.farm.servers import Behaviour, Farm, farm

PROBES = (Probe(name="one", script="echo hi"), Probe(name="two", script="echo hi"))
LIMIT = 6.0
"""Seconds for a host that hangs here."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm for the tests of this file."""
    with farm(tmp_path_factory.mktemp("farm")) as running:
        yield running


def options(servers: Farm, **more: object) -> WireOptions:
    """Short limits, the farm's known_hosts."""
    given: dict[str, object] = {"connect": 3.0, "auth": 2.0, "host": LIMIT, "jitter": 0.05} | more
    return WireOptions(known_hosts=servers.known_hosts, **given)  # type: ignore[arg-type]


EXPECTED: dict[str, tuple[Outcome, str, str]] = {
    "silent": (Outcome.TIMEOUT, "hostkey", "3 s (the connect limit)"),
    "one-byte-a-second": (Outcome.TIMEOUT, "hostkey", "the connect limit"),
    "endless-banner": (Outcome.GARBLED, "hostkey", "'welcome'"),
    "slow-banner": (Outcome.TIMEOUT, "hostkey", "the connect limit"),
    "banner-then-silence": (Outcome.TIMEOUT, "hostkey", "did not agree on keys"),
    "garbled-key-exchange": (Outcome.GARBLED, "hostkey", "no SSH server that we understand"),
    "giant-packet": (Outcome.GARBLED, "hostkey", "no SSH server that we understand"),
    "http": (Outcome.GARBLED, "hostkey", "HTTP/1.1 400"),
    "immediate-close": (Outcome.UNREACHABLE, "connect", "the connection"),
    "max-startups": (Outcome.UNREACHABLE, "connect", "MaxStartups"),
    "old-protocol": (Outcome.UNREACHABLE, "hostkey", "1.5 instead of 2.0"),
    "reset-after-key-exchange": (Outcome.UNREACHABLE, "auth", "the login was cut off"),
    "key-unknown": (Outcome.HOSTKEY, "hostkey", "is not a known host; it shows ssh-ed25519 SHA256:"),
    "key-changed": (Outcome.HOSTKEY_CHANGED, "hostkey", "Was the machine reinstalled?"),
    "key-revoked": (Outcome.HOSTKEY, "hostkey", "marked as revoked"),
    "key-by-authority": (Outcome.HOSTKEY, "hostkey", "certificate authority"),
    "login-refused": (Outcome.AUTH, "auth", "the login as tester was refused: tried"),
    "login-by-password-only": (Outcome.AUTH, "auth", "takes no keys for tester, only "),
    "login-hangs": (Outcome.TIMEOUT, "auth", "2 s (the auth limit)"),
    "no-key": (Outcome.AUTH, "auth", "there is no key file /nowhere/key"),
    "good": (Outcome.OK, "done", ""),
    "refuses-to-run": (Outcome.DENIED, "probe", "lets no command be run"),
    "no-shell": (Outcome.GARBLED, "probe", "exit 1: 'This account is currently not available.'"),
    "hang-in-exec": (Outcome.TIMEOUT, "probe", "6 s (the host limit)"),
    "hang-after-eof": (Outcome.OK, "done", ""),
    "output-one-byte-a-second": (Outcome.TIMEOUT, "probe", "the host limit"),
    "exit-by-signal": (Outcome.GARBLED, "probe", "a signal?"),
    "connection-lost": (Outcome.PARTIAL, "probe", "the connection was lost"),
    "prints-nothing": (Outcome.GARBLED, "probe", "the script did not run, exit 0"),
    "100-mb": (Outcome.GARBLED, "probe", "more than 8 MiB"),
    "huge-line": (Outcome.OK, "done", ""),
    "motd-and-wall": (Outcome.OK, "done", ""),
    "noise-between": (Outcome.OK, "done", ""),
    "crlf": (Outcome.OK, "done", ""),
    "cut-frame": (Outcome.PARTIAL, "probe", "no whole answer from two"),
    "cut-then-hang": (Outcome.PARTIAL, "probe", "the host limit"),
    "wrong-nonce": (Outcome.GARBLED, "probe", "the script did not run"),
    "doubled-frame": (Outcome.PARTIAL, "probe", "no whole answer from one"),
    "missing-frame": (Outcome.PARTIAL, "probe", "no whole answer from one"),
    "changed-byte": (Outcome.PARTIAL, "probe", "no whole answer from one, two"),
    "invalid-utf-8": (Outcome.OK, "done", ""),
    "nul": (Outcome.OK, "done", ""),
    "escapes": (Outcome.OK, "done", ""),
    "deep-json": (Outcome.OK, "done", ""),
    "nan": (Outcome.OK, "done", ""),
}


HANGING = {name for name, expected in EXPECTED.items() if "limit" in expected[2] or "agree on keys" in expected[2]}
"""Those that only a clock ends."""


@pytest.fixture(scope="module")
def collected(servers: Farm) -> dict[str, HostEvidence]:
    """All behaviours: those that end by themselves with ample limits, those that hang with short ones."""
    found: dict[str, HostEvidence] = {}
    ample = options(servers, connect=20, auth=20, host=40, jobs=8)
    for hang, limits in ((False, ample), (True, options(servers, jobs=64))):
        names = [name for name in BEHAVIOURS if (name in HANGING) is hang]
        hosts = tuple(servers.add(name, BEHAVIOURS[name]) for name in names)
        begun = time.monotonic()
        evidence = collect(Fleet(hosts=hosts), PROBES, options=limits)
        assert time.monotonic() - begun < (LIMIT + 2 if hang else 60)
        assert list(evidence.hosts) == names
        found |= evidence.hosts
    return found


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_each_behaviour_has_its_outcome(name: str, collected: dict[str, HostEvidence]) -> None:
    """The outcome, the phase and the sentence are those of the table, within the host's limit."""
    outcome, phase, sentence = EXPECTED[name]
    found = collected[name]
    assert (found.outcome, found.phase) == (outcome, phase), found.detail
    assert sentence in found.detail
    assert "\n" not in found.detail
    assert found.seconds < LIMIT + 1 or name not in HANGING
    assert set(found.answers) >= {"one", "two"} or not found.reached
    if outcome is Outcome.OK:
        assert all(isinstance(found.answers[probe.name], Answer) for probe in PROBES)


@pytest.mark.parametrize(
    ("name", "probe", "reason"),
    [
        ("doubled-frame", "one", Reason.GARBLED),
        ("missing-frame", "one", Reason.GARBLED),
        ("changed-byte", "one", Reason.GARBLED),
        ("changed-byte", "two", Reason.GARBLED),
        ("cut-frame", "two", Reason.GARBLED),
        ("cut-then-hang", "two", Reason.GARBLED),
    ],
)
def test_spoilt_probes_are_unknown_with_a_reason(
    name: str, probe: str, reason: Reason, collected: dict[str, HostEvidence]
) -> None:
    """A section that cannot be believed is Unknown, and says of which kind."""
    answer = collected[name].answers[probe]
    assert isinstance(answer, Unknown)
    assert answer.reason is reason


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("good", "hi\n"),
        ("crlf", "hi\n"),
        ("doubled-frame", "hi\n"),
        ("cut-then-hang", "hi\n"),
        ("invalid-utf-8", "\ufffd\ufffd\ufffd"),
        ("nul", "a\0b"),
        ("escapes", "\x1b]0;x\x07\x1b[2J"),
        ("deep-json", "[" * 1_000_000),
        ("nan", '{"a": NaN}'),
    ],
)
def test_whole_answers_come_through_as_printed(name: str, text: str, collected: dict[str, HostEvidence]) -> None:
    """What stands in a whole section is the answer, whatever characters it holds."""
    probe = "two" if name == "doubled-frame" else "one"
    answer = collected[name].answers[probe]
    assert isinstance(answer, Answer)
    assert (answer.stdout, answer.exit, answer.seconds) == (text, 0, 0.25)


def test_noise_outside_of_sections_is_counted(collected: dict[str, HostEvidence]) -> None:
    """A motd and a wall message harm no answer and are told as noise."""
    assert collected["good"].noise == 0
    assert collected["motd-and-wall"].noise >= len("Welcome to Debian!\r\n\r\n")
    assert collected["huge-line"].noise >= 3_000_000


def test_the_changed_key_names_both_keys_and_the_line(servers: Farm, collected: dict[str, HostEvidence]) -> None:
    """Who reads of a changed key sees the old one's place, both fingerprints and the command that forgets it."""
    detail = collected["key-changed"].detail
    assert detail.count("SHA256:") == 2
    assert f"{servers.known_hosts}:" in detail
    assert f"ssh-keygen -f {servers.known_hosts} -R" in detail


def test_a_refused_login_is_not_tried_again(servers: Farm) -> None:
    """One key, one attempt: PerSourcePenalties punish more."""
    host = servers.add("once", Behaviour(login="no", host={"ssh_args": ("-F", "none", "-o", "IdentitiesOnly=yes")}))
    before = servers.logins
    evidence = collect(Fleet(hosts=(host,)), PROBES, options=options(servers))
    assert evidence.hosts["once"].outcome is Outcome.AUTH
    assert servers.logins - before <= 2  # one attempt; some servers look at a key twice


def test_events_tell_each_phase_once_and_done_exactly_once(servers: Farm) -> None:
    """A display can tell who is in which phase, and every host ends exactly once."""
    hosts = tuple(servers.add(f"event-{number}", Behaviour(run=says(answers))) for number in range(5))
    events: list[Event] = []
    collect(Fleet(hosts=hosts), PROBES, options=options(servers), on_event=events.append)
    for host in hosts:
        assert [event.phase for event in events if event.host == host.name] == [
            "resolve",
            "connect",
            "hostkey",
            "auth",
            "probe",
            "done",
        ]


def test_a_display_that_fails_loses_no_host(servers: Farm) -> None:
    """An exception in the caller's on_event changes nothing."""

    def fail(event: Event) -> None:
        raise RuntimeError(event.host)

    host = servers.add("display", Behaviour(run=says(answers)))
    evidence = collect(Fleet(hosts=(host,)), PROBES, options=options(servers), on_event=fail)
    assert evidence.hosts["display"].outcome is Outcome.OK


def test_accept_new_writes_the_key_once_and_still_refuses_a_changed_one(tmp_path: Path) -> None:
    """accept-new takes a host never seen before, writes one line, and is no excuse for another key."""
    with farm(tmp_path) as running:
        new = running.add("new", Behaviour(run=says(answers), known="no"))
        changed = running.add("changed", Behaviour(run=says(answers), known="other"))
        size = running.known_hosts.stat().st_size
        accept = options(running, host_keys="accept-new")
        for _ in range(2):
            evidence = collect(Fleet(hosts=(new, changed)), PROBES, options=accept)
            assert evidence.hosts["new"].outcome is Outcome.OK
            assert evidence.hosts["changed"].outcome is Outcome.HOSTKEY_CHANGED
        added = running.known_hosts.read_bytes()[size:]
        assert added.count(b"\n") == 1
        assert added.startswith(f"[{new.address}]:{new.port} ssh-ed25519 ".encode())
        strict = collect(Fleet(hosts=(new,)), PROBES, options=options(running))
        assert strict.hosts["new"].outcome is Outcome.OK


def test_stop_ends_the_run_within_a_second(servers: Farm) -> None:
    """Ctrl-C: who has answered stays answered, who has not is not-asked, nobody is waited for."""
    good = servers.add("stop-good", Behaviour(run=says(answers)))
    hung = tuple(servers.add(f"stop-{name}", BEHAVIOURS[name]) for name in ("silent", "hang-in-exec", "login-hangs"))
    partial = servers.add("stop-partial", BEHAVIOURS["cut-then-hang"])
    stop = threading.Event()
    fleet = Fleet(hosts=(good, *hung, partial))
    seen: list[float] = []

    def interrupt() -> None:
        seen.append(time.monotonic())
        stop.set()

    def watch(event: Event) -> None:
        if event.host == "stop-good" and event.phase == "done":
            threading.Timer(0.5, interrupt).start()

    evidence = collect(fleet, PROBES, options=options(servers, auth=30, connect=30, host=60), on_event=watch, stop=stop)
    assert time.monotonic() - seen[0] < 1.5
    assert evidence.hosts["stop-good"].outcome is Outcome.OK
    assert evidence.hosts["stop-partial"].outcome is Outcome.PARTIAL
    assert "interrupted" in evidence.hosts["stop-partial"].detail
    for host in hung:
        assert evidence.hosts[host.name].outcome is Outcome.NOT_ASKED
        assert "interrupted" in evidence.hosts[host.name].detail


def test_the_deadline_of_the_run_is_kept(servers: Farm) -> None:
    """At the deadline who is under way has timed out, who was never begun is not-asked; both say so."""
    hosts = tuple(servers.add(f"late-{number}", BEHAVIOURS["hang-in-exec"]) for number in range(4))
    begun = time.monotonic()
    evidence = collect(Fleet(hosts=hosts), PROBES, options=options(servers, jobs=2, deadline=1.0, host=30))
    assert time.monotonic() - begun < 2.0
    outcomes = sorted(found.outcome for found in evidence.hosts.values())
    assert outcomes == [Outcome.NOT_ASKED, Outcome.NOT_ASKED, Outcome.TIMEOUT, Outcome.TIMEOUT]
    assert all("the run's deadline of 1 s" in found.detail for found in evidence.hosts.values())


def _files() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _threads() -> list[str]:
    """The threads that are not the farm's own."""
    return [thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio")]


@pytest.mark.slow
def test_500_hosts_with_a_tenth_hung_end_in_time_and_leave_nothing_behind(tmp_path: Path) -> None:
    """The deadline holds, the healthy are all answered, and threads and files are back to where they were."""
    with farm(tmp_path) as running:
        kinds = ("silent", "hang-in-exec", "login-hangs", "banner-then-silence", "one-byte-a-second")
        hosts = [running.add(f"ok-{number}", Behaviour(run=says(answers))) for number in range(450)]
        hosts += [running.add(f"hung-{number}", BEHAVIOURS[kinds[number % 5]]) for number in range(50)]
        collect(Fleet(hosts=(hosts[0],)), PROBES, options=options(running))
        threads, files = len(_threads()), _files()
        limits = options(running, jobs=64, deadline=40.0, connect=6, auth=6, host=8)
        begun = time.monotonic()
        evidence = collect(Fleet(hosts=tuple(hosts)), PROBES, options=limits)
        took = time.monotonic() - begun
        assert took < 41.0, took
        assert len(evidence.hosts) == 500
        good = [found for name, found in evidence.hosts.items() if name.startswith("ok-")]
        assert {found.outcome for found in good} == {Outcome.OK}, {found.detail for found in good}
        bad = {found.outcome for name, found in evidence.hosts.items() if name.startswith("hung-")}
        assert bad == {Outcome.TIMEOUT}
        assert len(_threads()) <= threads, _threads()
        ends = time.monotonic() + 5  # the farm's own side of the connections closes a little later
        while _files() > files + 3 and time.monotonic() < ends:
            time.sleep(0.05)
        assert _files() <= files + 3
