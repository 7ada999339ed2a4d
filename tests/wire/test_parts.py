"""The small parts: failures, clocks, the queue, options, this very machine."""

from __future__ import annotations

import inspect
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import paramiko
import pytest

from audit.errors import UsageError
from audit.model import Answer, Fleet, Host, Outcome, Probe, Unknown
from audit.wire import WireOptions, collect, dial
from audit.wire.clocks import Clock, Once, Watchdog
from audit.wire.failures import FOREIGN, WireError, from_foreign
from audit.wire.options import Phase
from audit.wire.queue import Queue

PHASES: tuple[Phase, ...] = ("resolve", "connect", "hostkey", "auth", "probe")


# ---------------------------------------------------------------- failures


def _foreign() -> list[type[BaseException]]:
    ours = [
        kind for _, kind in inspect.getmembers(paramiko.ssh_exception, inspect.isclass) if issubclass(kind, Exception)
    ]
    return [*ours, *FOREIGN, ConnectionResetError, BrokenPipeError, TimeoutError, socket.gaierror, PermissionError]


@pytest.mark.parametrize("kind", _foreign(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("phase", PHASES)
def test_no_foreign_error_is_unmapped(kind: type[BaseException], phase: Phase) -> None:
    """Whatever the libraries raise becomes an outcome with a sentence, in every phase."""
    error = kind.__new__(kind)
    error.args = ("something",)
    failure = from_foreign(error, phase)
    assert failure.outcome not in (Outcome.OK, Outcome.PARTIAL)
    assert failure.phase == phase
    assert failure.detail
    assert "\n" not in failure.detail


def test_everything_paramiko_raises_is_caught() -> None:
    """Each of its exceptions is one of those that we catch."""
    for kind in _foreign():
        assert issubclass(kind, FOREIGN), kind


def test_our_own_failure_stays_as_it_is() -> None:
    """Mapping is idempotent."""
    failure = WireError(Outcome.AUTH, "no", "auth")
    assert from_foreign(failure, "probe") is failure


# ---------------------------------------------------------------- clocks


def test_a_clock_ends_with_the_one_around_it() -> None:
    """The nearer end counts and names itself."""
    whole = Clock(0.05, "host")
    assert Clock(10, "auth", whole).name == "host"
    assert Clock(0.01, "auth", whole).name == "auth"
    assert Clock(None, "probe", whole).seconds == 0.05
    time.sleep(0.06)
    assert whole.over
    assert whole.left == 0
    assert Clock(None, "run").left == float("inf")


def test_the_watchdog_calls_what_is_due_and_nothing_else() -> None:
    """In order of their ends, not what was disarmed, and a call that fails harms no other."""
    dog = Watchdog()
    called: list[str] = []
    done = threading.Event()

    def fail() -> None:
        raise RuntimeError

    try:
        dog.arm(Clock(0.10, "x"), done.set)
        dog.arm(Clock(0.02, "x"), lambda: called.append("first"))
        dog.arm(Clock(0.04, "x"), fail)
        dog.arm(Clock(0.06, "x"), lambda: called.append("second"))
        dog.disarm(dog.arm(Clock(0.03, "x"), lambda: called.append("never")))
        for _ in range(500):
            dog.disarm(dog.arm(Clock(100, "x"), fail))
        assert done.wait(5)
        assert called == ["first", "second"]
    finally:
        dog.close()


def test_a_value_is_worked_out_once_for_all_threads() -> None:
    """The first one works, the others wait; a failure is everybody's."""
    once: Once[str, int] = Once()
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        time.sleep(0.05)
        return 7

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(once.get("a", work))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, len(calls)) == ([7] * 8, 1)

    def fail() -> int:
        raise KeyError("no")

    for _ in range(2):
        with pytest.raises(KeyError):
            once.get("b", fail)
    assert once.values() == [7]


# ---------------------------------------------------------------- the queue


def test_a_full_gate_parks_hosts_and_lets_others_by() -> None:
    """Two may be inside; the third waits without being in anybody's way, and comes up when one leaves."""
    queue = Queue([Host(name=f"h{number}", address="a") for number in range(4)], 2)
    jobs = [queue.take() for _ in range(3)]
    first, second, third = jobs
    assert first is not None
    assert second is not None
    assert third is not None
    assert queue.enter(first, "gate")
    assert queue.enter(second, "gate")
    assert not queue.enter(third, "gate")
    other = queue.take()
    assert other is not None
    assert queue.enter(other, "elsewhere")
    queue.leave(first)
    queue.leave(first)
    assert queue.take() is third
    assert queue.enter(third, "gate")
    for _ in range(4):
        queue.settle()
    assert queue.take() is None


def test_an_ended_queue_gives_no_more() -> None:
    """Threads that wait are let go."""
    queue = Queue([Host(name="h", address="a")], 1)
    assert queue.take() is not None
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(queue.take()))
    thread.start()
    queue.end()
    thread.join(5)
    assert got == [None]


# ---------------------------------------------------------------- options


@pytest.mark.parametrize("name", ["jobs", "deadline", "connect", "auth", "probe", "host", "unauthenticated"])
def test_limits_must_be_positive(name: str) -> None:
    """Zero is no limit."""
    with pytest.raises(UsageError, match=name):
        WireOptions(**{name: 0})  # type: ignore[arg-type]


def test_pinned_needs_a_file() -> None:
    """Keys can only be pinned to a file."""
    with pytest.raises(UsageError, match="--known-hosts"):
        WireOptions(host_keys="pinned")


# ---------------------------------------------------------------- names and addresses


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    """The sentence names it."""
    host = Host(name="h", address="no-such-host.invalid", ssh_args=("-F", "none"))
    found = collect(Fleet(hosts=(host,)), [Probe(name="p", script=":")], options=WireOptions(connect=10)).hosts["h"]
    assert found.outcome in (Outcome.UNREACHABLE, Outcome.TIMEOUT)
    assert found.phase == "resolve"
    assert "no-such-host.invalid" in found.detail


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connect limit ends a look-up that the system does not end."""
    real = socket.getaddrinfo
    ending = threading.Event()

    def slow(name: str, *args: object, **more: object) -> object:
        if name == "slow.example" and not more.get("flags"):
            ending.wait(10)
        return real(name, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(WireError, match=r"slow\.example was not resolved within 0\.2 s"):
        dial.resolve("slow.example", 22, Clock(0.2, "connect"))
    ending.set()


def test_the_second_address_is_tried() -> None:
    """A name whose first address refuses is reached by its second; both families take turns."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        addresses = [(socket.AF_INET, ("127.0.0.2", port)), (socket.AF_INET, ("127.0.0.1", port))]
        dial.connect(addresses, Clock(5, "connect"), threading.Event()).close()
    six, four = (socket.AF_INET6, 0, 0, "", ("::1", 1, 0, 0)), (socket.AF_INET, 0, 0, "", ("127.0.0.1", 1))
    order = dial._addresses([six, six, four])
    assert [family for family, _ in order] == [socket.AF_INET6, socket.AF_INET, socket.AF_INET6]


def test_refused_and_unanswered_connections_say_so() -> None:
    """Refused at once; a stop ends the waiting."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = unused.getsockname()
        with pytest.raises(WireError, match="connection refused") as caught:
            dial.connect([(socket.AF_INET, address)], Clock(5, "connect"), threading.Event())
    assert (caught.value.outcome, caught.value.phase) == (Outcome.UNREACHABLE, "connect")
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(WireError, match="interrupted"):
        dial.connect([(socket.AF_INET, ("127.0.0.1", 1))], Clock(5, "connect"), stopped)


# ---------------------------------------------------------------- this machine


def local(**more: object) -> Host:
    """This machine."""
    return Host(name="here", address="here", connection="local", **more)  # type: ignore[arg-type]


def test_this_machine_answers_without_ssh() -> None:
    """The same script, the same answers."""
    found = collect(Fleet(hosts=(local(),)), [Probe(name="p", script="echo $0; id -u")]).hosts["here"]
    answer = found.answers["p"]
    assert isinstance(answer, Answer)
    assert answer.stdout.endswith(f"{os.getuid()}\n")
    assert (found.outcome, found.host_key, found.noise) == (Outcome.OK, None, 0)


def test_this_machine_keeps_its_limits_too(tmp_path: Path) -> None:
    """The host limit ends it, what came stays, and no process is left."""
    probes = [Probe(name="quick", script="echo hi"), Probe(name="slow", script="sleep 61.7", timeout=30)]
    found = collect(Fleet(hosts=(local(timeout=0.8),)), probes).hosts["here"]
    assert found.outcome is Outcome.PARTIAL
    assert "0.8 s (the host limit)" in found.detail
    assert isinstance(found.answers["quick"], Answer)
    assert isinstance(found.answers["slow"], Unknown)
    ends = time.monotonic() + 5
    while "sleep 61.7" in _running() and time.monotonic() < ends:
        time.sleep(0.02)
    assert "sleep 61.7" not in _running()


def test_this_machine_is_interrupted() -> None:
    """A stop ends the local shell as well."""
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    begun = time.monotonic()
    probes = [Probe(name="slow", script="sleep 62.8", timeout=30)]
    found = collect(Fleet(hosts=(local(),)), probes, stop=stop).hosts["here"]
    assert time.monotonic() - begun < 2
    assert found.outcome in (Outcome.PARTIAL, Outcome.NOT_ASKED, Outcome.TIMEOUT)
    assert "interrupted" in found.detail


def test_an_empty_fleet_is_no_error() -> None:
    """Nobody to ask, nothing answered."""
    assert collect(Fleet(), [Probe(name="p", script=":")]).hosts == {}


def _running() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
