"""Sessions: a script that changes something, over real sshd and on this machine; what was done is always taken back."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.model import Fleet, Host, Outcome
from audit.wire import WireOptions
from audit.wire.session import Ended, Script, Stream, command_for, session_script
from audit.wire.sessions import Task, run_many, run_script
from tests.farm.sshd import SSHD, Sshd, sshd
from tests.wire.shells import SHELLS, stand_in

ALONE = ("-F", "none", "-o", "IdentitiesOnly=yes")
NONCE = "feedbeef" * 4
HERE = Host(name="here", address="here", connection="local")
needs_sshd = pytest.mark.skipif(SSHD is None, reason="OpenSSH is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that behaves."""
    with sshd(tmp_path_factory.mktemp("server") / "s") as running:
        yield running


def there(server: Sshd, name: str = "w", **more: object) -> Host:
    """That server as a host."""
    given: dict[str, object] = {
        "address": server.address,
        "port": server.port,
        "user": server.user,
        "key_file": server.key,
        "ssh_args": ALONE,
    }
    return Host(name=name, **(given | more))  # type: ignore[arg-type]


class Run:
    """A session in a thread of its own, with the lines that it printed."""

    def __init__(
        self, host: Host, script: Script, stdin: Iterator[bytes] | tuple[bytes, ...] = (),
        known: Path | None = None, limit: float = 60.0,
    ) -> None:  # fmt: skip
        """Begin."""
        self.lines: list[tuple[Stream, str]] = []
        self.seen = threading.Condition()
        self.stop = threading.Event()
        self.ended: Ended | None = None

        def work() -> None:
            self.ended = run_script(
                host, script, stdin, options=WireOptions(known_hosts=known), on_line=self.line, stop=self.stop,
                limit=limit,
            )  # fmt: skip

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def line(self, stream: Stream, text: str) -> None:
        """Take one."""
        with self.seen:
            self.lines.append((stream, text))
            self.seen.notify_all()

    def wait_for(self, text: str) -> None:
        """Until that line has come."""
        with self.seen:
            assert self.seen.wait_for(lambda: any(text in line for _, line in self.lines), 20), self.lines

    def end(self, seconds: float = 40) -> Ended:
        """What became of it."""
        self.thread.join(seconds)
        assert self.ended is not None, f"not ended: {self.lines}"
        return self.ended


def gone(mark: str, seconds: float = 20) -> bool:
    """Whether no process carries the mark in its arguments any more, within that time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        if mark not in running:
            return True
        time.sleep(0.1)
    return False


def removed(trace: Path, seconds: float = 20) -> bool:
    """Whether the folder is taken away again, within that time."""
    ends = time.monotonic() + seconds
    while trace.exists() and time.monotonic() < ends:
        time.sleep(0.1)
    return not trace.exists()


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A folder that a script makes and its undoing removes."""
    return tmp_path / "trace"


def making(trace: Path, then: str) -> Script:
    """Make the folder, do something, remove it."""
    quoted = shlex.quote(str(trace))
    return Script(f"mkdir {quoted}; echo made; {then}", f"rm -rf {quoted}; echo undone $1")


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_every_shell_runs_a_session(shell: list[str]) -> None:
    """Given to each shell as sshd would: it takes the script off stdin and no byte more, and tells both ends."""
    text = session_script(HERE, Script("cat; exit 3", "echo un$1done; false"), nonce=NONCE).encode()
    bootstrap = command_for(text).removeprefix("exec /bin/sh -c ").strip("'")
    done = subprocess.run(
        [*shell, "-c", bootstrap], input=text + b"rest\n", capture_output=True, timeout=30, check=True
    )
    said = done.stdout.decode().split()
    assert said[0:2] == [f"FS{NONCE}", "H"]
    assert said[4] == "rest"
    assert said[5:] == ["undone", f"FS{NONCE}", "Z", "3", "1"]


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_every_shell_cleans_up_when_nobody_listens(shell: list[str], trace: Path) -> None:
    """The reader of both streams goes away: within seconds the script is ended and taken back."""
    script = making(trace, "sleep 98.76")
    text = session_script(HERE, script, nonce=NONCE).encode()
    bootstrap = command_for(text).removeprefix("exec /bin/sh -c ").strip("'")
    process = subprocess.Popen(
        [*shell, "-c", bootstrap], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(text)
    process.stdin.flush()
    assert any(b"made" in line for line in process.stdout)
    assert trace.exists()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
    process.wait(20)
    assert not trace.exists()
    assert gone("sleep 98.76")


@needs_sshd
def test_streams_and_status_come_through(server: Sshd) -> None:
    """stdin to its end, both streams by themselves, the exit status, and that it was undone."""
    run = Run(there(server), Script("cat; echo err >&2; exit 3", "true"), (b"one\n", b"two\n"), server.known_hosts)
    ended = run.end()
    assert (ended.outcome, ended.exit, ended.undone, ended.began) == (Outcome.OK, 3, True, True), ended
    assert [line for stream, line in run.lines if stream == "stdout"] == ["one", "two"]
    assert [line for stream, line in run.lines if stream == "stderr"] == ["err"]
    assert ended.host_key is not None
    assert ended.user == server.user


@needs_sshd
def test_a_large_stdin_arrives_whole(server: Sshd) -> None:
    """Sixteen MiB in pieces of odd sizes: the worker counts what we sent."""
    pieces = tuple(bytes([number % 251]) * (100_003 + number) for number in range(160))
    whole = b"".join(pieces)
    expected = subprocess.run(["cksum"], input=whole, capture_output=True, check=True).stdout.decode().split()
    run = Run(there(server), Script("cksum"), pieces, server.known_hosts)
    assert run.end().exit == 0
    assert run.lines[0][1].split() == expected


@needs_sshd
def test_stdin_waits_for_a_slow_reader(server: Sshd) -> None:
    """The worker reads nothing for a while: no more is asked for than its windows hold, and the rest is closed."""
    asked = []
    closed = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                asked.append(1)
                yield bytes(1 << 20)
        finally:
            closed.set()

    run = Run(there(server), Script("echo begun; sleep 3; echo slept"), endless(), server.known_hosts)
    run.wait_for("slept")
    assert run.end().outcome is Outcome.OK
    assert len(asked) < 16
    assert closed.wait(5)


@needs_sshd
def test_a_script_need_not_read_its_stdin(server: Sshd) -> None:
    """It ends while there is more to send: its status counts, not the pipe."""
    assert Run(there(server), Script("exit 4"), (bytes(1 << 24),), server.known_hosts).end().exit == 4


@needs_sshd
@pytest.mark.parametrize("sessions", [10, 1])
def test_stop_ends_it_and_takes_it_back(tmp_path: Path, trace: Path, sessions: int) -> None:
    """Stopped in the middle: told over a second channel, or, where the server grants none, by hanging up."""
    with sshd(tmp_path / "s", f"MaxSessions {sessions}\n") as server:
        run = Run(there(server), making(trace, "sleep 97.65 & wait"), known=server.known_hosts)
        run.wait_for("made")
        run.stop.set()
        ended = run.end()
        assert (ended.outcome, ended.detail, ended.began) == (Outcome.NOT_ASKED, "interrupted", True)
        assert ended.undone is (True if sessions > 1 else None)
        assert gone("sleep 97.65")
        assert removed(trace)


@pytest.mark.parametrize("over_ssh", [pytest.param(True, marks=needs_sshd), False])
def test_a_stop_while_stdin_still_comes(server: Sshd, trace: Path, over_ssh: bool) -> None:
    """The script reads what is slow to come: it is ended all the same, and the source is closed."""
    closed = threading.Event()

    def slow() -> Iterator[bytes]:
        try:
            while not closed.wait(0.05):
                yield b"x" * 1000
        finally:
            closed.set()

    host = there(server) if over_ssh else HERE
    run = Run(host, making(trace, "cat >/dev/null"), slow(), server.known_hosts if over_ssh else None)
    run.wait_for("made")
    run.stop.set()
    ended = run.end()
    assert (ended.outcome, ended.undone) == (Outcome.NOT_ASKED, True)
    assert ("stdout", "undone yes") in run.lines
    assert not trace.exists()
    assert closed.wait(5)


def test_a_limit_ends_it_and_takes_it_back(trace: Path) -> None:
    """What runs too long is a time-out, and what it did is undone."""
    begun = time.monotonic()
    ended = Run(HERE, making(trace, "sleep 96.54"), limit=1.0).end()
    assert (ended.outcome, ended.undone) == (Outcome.TIMEOUT, True)
    assert "1 s (the script limit)" in ended.detail
    assert time.monotonic() - begun < 15
    assert not trace.exists()
    assert gone("sleep 96.54")


def test_who_ignores_the_signal_is_killed(trace: Path) -> None:
    """A script that will not hear TERM, in a session of its own, has its end too."""
    script = making(trace, "setsid sh -c \"trap '' TERM; echo deaf; sleep 95.43; sleep 95.43\" & wait")
    run = Run(HERE, script)
    run.wait_for("deaf")
    run.stop.set()
    assert run.end().undone is True
    assert gone("sleep 95.43")


def test_an_undoing_that_fails_is_told() -> None:
    """Something is left: never told as clean."""
    ended = Run(HERE, Script("true", "exit 1")).end()
    assert (ended.outcome, ended.exit, ended.undone) == (Outcome.OK, 0, False)


@needs_sshd
def test_a_lost_connection_is_cleaned_up_after(server: Sshd, trace: Path) -> None:
    """The connection breaks under the script: the outcome says so, and the worker notices by itself."""
    run = Run(there(server), making(trace, "echo pid $PPID; sleep 94.32"), known=server.known_hosts)
    run.wait_for("pid ")
    pid = int(next(line for _, line in run.lines if line.startswith("pid ")).split()[1])
    # the server's own process of this login: its end is what a worker sees of a connection that is lost
    while "sshd" not in Path(f"/proc/{pid}/comm").read_text(encoding="utf-8"):
        pid = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    os.kill(pid, signal.SIGKILL)
    ended = run.end()
    assert (ended.outcome, ended.began, ended.undone) == (Outcome.UNREACHABLE, True, None), ended
    assert "lost" in ended.detail
    assert gone("sleep 94.32")
    assert removed(trace)


@needs_sshd
def test_a_killed_controller_is_cleaned_up_after(server: Sshd, trace: Path) -> None:
    """SIGKILL, so nothing of ours can say goodbye: the worker ends the script and takes it back."""
    program = (
        "from pathlib import Path\n"
        "from audit.model import Host\n"
        "from audit.wire import WireOptions\n"
        "from audit.wire.session import Script\n"
        "from audit.wire.sessions import run_script\n"
        f"host = Host.model_validate_json({there(server).model_dump_json()!r})\n"
        f"script = Script({making(trace, 'sleep 93.21').do!r}, {making(trace, '').undo!r})\n"
        f"options = WireOptions(known_hosts=Path({str(server.known_hosts)!r}))\n"
        "run_script(host, script, options=options, on_line=lambda stream, line: print(line, flush=True))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "made\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert gone("sleep 93.21")
    assert removed(trace)


def test_a_killed_shell_is_cleaned_up_after(trace: Path) -> None:
    """Whoever kills the worker's shell itself (the kernel, out of memory): its watcher takes the work back."""
    run = Run(HERE, making(trace, "echo pid $PPID; sleep 92.1"))
    run.wait_for("pid ")
    parent = int(next(line for _, line in run.lines if line.startswith("pid ")).split()[1])
    shell = int(Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    os.kill(shell, signal.SIGKILL)
    run.wait_for("undone yes")
    assert not trace.exists()
    assert gone("sleep 92.1")


def test_output_is_redacted_and_bounded() -> None:
    """A secret in the log is cut out, and a line without end is cut off."""
    run = Run(
        HERE, Script("echo https://me:hunter2@example.org; head -c 300000 /dev/zero | tr '\\0' x; echo; echo end")
    )
    assert run.end().exit == 0
    texts = [line for _, line in run.lines]
    assert "hunter2" not in "".join(texts)
    assert max(map(len, texts)) <= 1 << 16
    assert texts[-1] == "end"


def test_a_sign_of_life_harms_no_line() -> None:
    """It comes in the middle of lines on stderr that are still being written: they stay whole."""
    script = Script("for i in 1 2 3 4 5 6 7 8; do printf 'a%s' $i >&2; sleep 0.3; done; echo >&2")
    run = Run(HERE, script)
    assert run.end().exit == 0
    assert run.lines == [("stderr", "a1a2a3a4a5a6a7a8")]


@pytest.mark.skipif(os.getuid() != 0, reason="a unit of another user needs root")
def test_the_script_runs_as_the_build_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the unit's user, with the unit's variables; the undoing too."""
    stand_in(
        tmp_path, "systemctl",
        'echo LoadState=loaded; echo MainPID=0; echo User=nobody; echo Environment=DOCKER_BUILDKIT=1',
    )  # fmt: skip
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    host = Host(name="here", address="here", connection="local", build_unit="b.service")
    run = Run(host, Script('echo "$(id -un) $DOCKER_BUILDKIT"', 'echo "un $(id -un) $DOCKER_BUILDKIT"'))
    ended = run.end()
    assert (ended.user, [line for _, line in run.lines]) == ("nobody", ["nobody 1", "un nobody 1"]), ended


def test_an_unknown_unit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is not known, so nothing is run in another one."""
    stand_in(tmp_path, "systemctl", "echo LoadState=not-found")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    host = Host(name="here", address="here", connection="local", build_unit="b.service")
    run = Run(host, Script("echo never"))
    ended = run.end()
    assert (ended.outcome, ended.began, ended.detail) == (Outcome.DENIED, False, "systemd knows no unit b.service")
    assert run.lines == []


@needs_sshd
def test_many_keep_their_order_and_their_streams(server: Sshd) -> None:
    """More hosts than jobs, one of them not there: results in the order of the tasks, lines under the right name."""
    hosts = [there(server, f"w{number}", port=server.port if number != 5 else 1) for number in range(12)]
    told: dict[str, list[str]] = {host.name: [] for host in hosts}
    tasks = [Task(host, Script("cat"), (f"{host.name}\n".encode(),)) for host in hosts]
    ended = run_many(
        tasks,
        fleet=Fleet(hosts=tuple(hosts)),
        options=WireOptions(known_hosts=server.known_hosts, jobs=4),
        on_line=lambda name, _, line: told[name].append(line),
    )
    assert [end.outcome for end in ended] == [Outcome.OK] * 5 + [Outcome.UNREACHABLE] + [Outcome.OK] * 6
    assert told == {host.name: [host.name] if host.name != "w5" else [] for host in hosts}


@needs_sshd
def test_a_stop_reaches_every_host(server: Sshd, tmp_path: Path) -> None:
    """Running ones are told and clean up, waiting ones are never begun."""
    hosts = [there(server, f"w{number}") for number in range(6)]
    stop = threading.Event()
    begun: list[str] = []

    def on_line(name: str, _stream: Stream, line: str) -> None:
        if line == "made":
            begun.append(name)
            if len(begun) == 3:
                stop.set()

    tasks = [Task(host, making(tmp_path / host.name, "sleep 91.1")) for host in hosts]
    ended = run_many(tasks, options=WireOptions(known_hosts=server.known_hosts, jobs=3), on_line=on_line, stop=stop)
    assert [end.outcome for end in ended] == [Outcome.NOT_ASKED] * 6
    assert {host.name for host, end in zip(hosts, ended, strict=True) if end.began} == set(begun)
    assert all(end.undone is True for end in ended if end.began)
    assert list(tmp_path.iterdir()) == []


def test_two_tasks_for_one_host_are_refused() -> None:
    """Their results could not be told apart."""
    with pytest.raises(ValueError, match="two tasks"):
        run_many([Task(HERE, Script("true")), Task(HERE, Script("true"))])


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_no_process_outlives_a_session(shell: list[str], tmp_path: Path) -> None:
    """Neither the watcher nor what guards the undoing is there a moment after the end."""
    text = session_script(
        HERE, Script(f"true {tmp_path} {'x' * (os.getpid() % 4999)}"), nonce=NONCE
    ).encode()  # a length of our own
    bootstrap = command_for(text).removeprefix("exec /bin/sh -c ").strip("'")
    for _ in range(5):
        subprocess.run([*shell, "-c", bootstrap], input=text, capture_output=True, timeout=30, check=True)
    assert gone(f"dd bs=1 count={len(text)} ", seconds=3)
