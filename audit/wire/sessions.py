"""Sessions over SSH and on this machine, for one host or for many at once."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import paramiko

from audit.model import Fleet, Host, Outcome
from audit.wire.clocks import Clock
from audit.wire.failures import FOREIGN, WireError, from_foreign
from audit.wire.network import Network
from audit.wire.options import Event, Phase, WireOptions
from audit.wire.queue import Job, Queue
from audit.wire.session import LOOK, Ended, Script, Stream, command_for, prepared, run_over
from audit.wire.transport import Connection

OnHostLine = Callable[[str, Stream, str], None]
"""Told the host's name, the stream and the line; called from many threads."""


@dataclass(frozen=True)
class Task:
    """What to run on one host.

    Attributes:
        host: where.
        script: what.
        stdin: what the script reads, piece by piece; asked for the next piece when the worker has taken the last, and
            closed (where it can be) when the session ends before it does.
        limit: seconds that the script may take; then it is told to stop and to clean up.
    """

    host: Host
    script: Script
    stdin: Iterable[bytes] = field(default=())
    limit: float = 300.0


class ChannelPipe:
    """A shell at the other end of a channel."""

    def __init__(self, connection: Connection, command: str, clock: Clock) -> None:
        """Start it.

        Raises:
            WireError: the server does not run it.
        """
        self._transport = connection.transport
        try:
            self._channel = self._transport.open_session(timeout=clock.left)
            self._channel.exec_command(command)
        except paramiko.ChannelException as error:
            raise from_foreign(error, "probe") from error
        except FOREIGN as error:
            if clock.over:
                raise clock.failure("the server did not start the script", "probe") from error
            if self._transport.is_active():
                raise WireError(Outcome.DENIED, "the server refuses to run a command", "probe") from error
            raise from_foreign(self._transport.get_exception() or error, "probe") from error
        self._channel.settimeout(LOOK)

    def write(self, data: bytes) -> int:
        """As `Pipe.write`."""
        try:
            return self._channel.send(data)
        except TimeoutError:
            return 0

    def close_write(self) -> None:
        """As `Pipe.close_write`."""
        self._channel.shutdown_write()

    def read(self, stream: Stream) -> bytes | None:
        """As `Pipe.read`."""
        try:
            return self._channel.recv(1 << 16) if stream == "stdout" else self._channel.recv_stderr(1 << 16)
        except TimeoutError:
            return None

    def signal(self, pid: int) -> None:
        """Over a channel of its own; where the server grants no second one, hanging up tells the worker as well."""

        def tell() -> None:
            try:
                channel = self._transport.open_session(timeout=5)
            except paramiko.ChannelException:
                self.abort()
                return
            except FOREIGN:
                return
            with contextlib.suppress(*FOREIGN), channel:
                channel.settimeout(5)
                channel.exec_command(f"exec /bin/sh -c 'kill -TERM {pid}'")
                channel.recv(1)

        threading.Thread(target=tell, name="fleet-audit-signal", daemon=True).start()

    def lost(self) -> WireError | None:
        """As `Pipe.lost`."""
        if not self._channel.eof_received and self._channel.exit_status < 0:
            self._transport.join(0.5)  # it frees its channels before it says that it has ended
        if self._transport.is_active():
            return None
        return from_foreign(self._transport.get_exception() or EOFError(), "probe")

    def abort(self) -> None:
        """As `Pipe.abort`."""
        with contextlib.suppress(*FOREIGN):
            self._channel.close()


class LocalPipe:
    """A shell on this machine, in a session of its own."""

    def __init__(self, command: str) -> None:
        """Start it.

        Raises:
            WireError: no process could be started.
        """
        pipe = subprocess.PIPE
        try:
            self._shell = subprocess.Popen(  # noqa: S603 - our own bootstrap, which reads the script off stdin
                ["/bin/sh", "-c", command], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, cwd="/"
            )
        except OSError as error:
            raise from_foreign(error, "connect") from error
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        assert self._shell.stderr is not None
        self._stdin = self._shell.stdin
        self._files = {"stdout": self._shell.stdout, "stderr": self._shell.stderr}
        os.set_blocking(self._stdin.fileno(), False)
        self._ended = False

    def write(self, data: bytes) -> int:
        """As `Pipe.write`."""
        if self._ended:
            raise EOFError
        if not select.select([], [self._stdin], [], LOOK)[1]:
            return 0
        try:
            return os.write(self._stdin.fileno(), data)
        except BlockingIOError:
            return 0

    def close_write(self) -> None:
        """As `Pipe.close_write`."""
        with contextlib.suppress(OSError):
            self._stdin.close()

    def read(self, stream: Stream) -> bytes | None:
        """As `Pipe.read`."""
        if self._ended:
            return b""
        file = self._files[stream]
        if not select.select([file], [], [], LOOK)[0]:
            self._shell.poll()  # its watcher takes a shell that nobody has waited for as alive
            return None
        return os.read(file.fileno(), 1 << 16)

    def signal(self, pid: int) -> None:
        """As `Pipe.signal`."""
        if pid == self._shell.pid:
            self._shell.send_signal(signal.SIGTERM)

    def lost(self) -> WireError | None:
        """This machine does not get lost."""
        return None

    def abort(self) -> None:
        """Hang up: what still runs notices it, cleans up and ends."""
        self._ended = True

    def close(self) -> None:
        """Give the files back, once nobody reads them any more."""
        for file in (self._stdin, *self._files.values()):
            with contextlib.suppress(OSError):
                file.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._shell.wait(1.0)


class _Sessions:
    """One run of `run_many`."""

    def __init__(
        self, tasks: Sequence[Task], fleet: Fleet, options: WireOptions, on_line: OnHostLine,
        on_event: Callable[[Event], None] | None, stop: threading.Event,
    ) -> None:  # fmt: skip
        self.tasks = {task.host.name: task for task in tasks}
        if len(self.tasks) != len(tasks):
            raise ValueError("two tasks for one host: its scripts run one after the other, in two runs")
        self.options = options
        self.on_line = on_line
        self.on_event = on_event
        self.stop = stop
        self.ending = threading.Event()
        self.network = Network(fleet, options)
        hosts = [task.host for task in tasks]
        random.shuffle(hosts)  # neighbours in the inventory are often neighbours in a rack
        self.queue = Queue(hosts, options.unauthenticated)
        self.done: dict[str, Ended] = {}
        self.all_done = threading.Event()
        self._lock = threading.Lock()

    def tell(self, host: Host, phase: Phase, detail: str = "") -> None:
        if self.on_event is not None:
            with contextlib.suppress(Exception):  # a display that fails must not lose a host
                self.on_event(Event(host.name, phase, detail))

    def finish(self, host: Host, ended: Ended) -> None:
        with self._lock:
            if host.name in self.done:
                return
            self.done[host.name] = ended
            last = len(self.done) == len(self.tasks)
        self.tell(host, "done", f"{ended.outcome}: {ended.detail}" if ended.detail else str(ended.outcome))
        if last:
            self.all_done.set()

    def work(self) -> None:
        while (job := self.queue.take()) is not None:
            settled = True
            begun = time.monotonic()
            try:
                settled = self.step(job)
            except WireError as failure:
                seconds = round(time.monotonic() - begun, 3)
                self.finish(
                    job.host,
                    Ended(outcome=failure.outcome, detail=failure.detail, phase=failure.phase, seconds=seconds),
                )
            except Exception as error:
                detail = f"a bug of ours: {type(error).__name__}: {error}"
                self.finish(job.host, Ended(outcome=Outcome.NOT_ASKED, detail=detail, phase="connect"))
            finally:
                if settled:
                    self.queue.leave(job)
                    self.queue.settle()

    def step(self, job: Job) -> bool:
        """One host; False where it has to wait at its gate first."""
        host = job.host
        if host.connection == "local":
            self.finish(host, self.run_here(host))
            return True
        if job.route is None:
            self.tell(host, "resolve")
            job.route = self.network.config.route(host)
        if not self.queue.enter(job, self.network.gate(job.route)):
            return False
        whole = Clock(None, "host")
        connection, close = self.network.connect_patiently(job.route, whole, lambda phase: self.tell(host, phase))
        try:
            self.tell(host, "auth")
            self.network.log_in(connection, job.route, Clock(self.options.auth, "auth", whole))
            self.queue.leave(job)
            self.finish(host, replace(self.run_there(host, connection), host_key=connection.host_key))
        finally:
            close()
        return True

    def run_there(self, host: Host, connection: Connection) -> Ended:
        task = self.tasks[host.name]
        self.tell(host, "probe")
        text, nonce = prepared(host, task.script, task.limit)
        start = Clock(self.options.connect, "connect")
        alarm = self.network.watchdog.arm(start, connection.abort)
        try:
            pipe = ChannelPipe(connection, command_for(text), start)
        finally:
            self.network.watchdog.disarm(alarm)
        return run_over(
            pipe, text, nonce, task.stdin, self._lines(host), Clock(task.limit, "script"), self.ending
        )  # fmt: skip

    def run_here(self, host: Host) -> Ended:
        task = self.tasks[host.name]
        self.tell(host, "probe")
        text, nonce = prepared(host, task.script, task.limit)
        pipe = LocalPipe(command_for(text))
        try:
            clock = Clock(task.limit, "script")
            return run_over(pipe, text, nonce, task.stdin, self._lines(host), clock, self.ending)
        finally:
            pipe.close()

    def _lines(self, host: Host) -> Callable[[Stream, str], None]:
        return lambda stream, line: self.on_line(host.name, stream, line)

    def run(self) -> None:
        """Everything, until the last host is done; after `stop` as long as those that run need to clean up."""
        jobs = min(self.options.jobs, len(self.tasks))
        threads = [threading.Thread(target=self.work, name=f"fleet-audit-{n}", daemon=True) for n in range(jobs)]
        clock = Clock(self.options.deadline, "deadline")
        try:
            for thread in threads:
                thread.start()
            while self.tasks and not self.all_done.wait(0.1):
                if (clock.over or self.stop.is_set()) and not self.ending.is_set():
                    self.ending.set()
                    self.queue.end()
                    self.network.abort(spare_logged_in=True)
                if self.ending.is_set() and not any(thread.is_alive() for thread in threads):
                    break  # who is left was never taken out of the queue
        finally:
            self.queue.end()
            self.network.abort()
            for host in (task.host for task in self.tasks.values()):
                self.finish(host, Ended(outcome=Outcome.NOT_ASKED, detail="interrupted", phase="resolve"))
            for thread in threads:
                thread.join(1.0)
            self.network.close()


def run_many(
    tasks: Sequence[Task],
    *,
    fleet: Fleet | None = None,
    options: WireOptions | None = None,
    on_line: OnHostLine = lambda _host, _stream, _line: None,
    on_event: Callable[[Event], None] | None = None,
    stop: threading.Event | None = None,
) -> tuple[Ended, ...]:
    """Run a script on each of many hosts, a bounded number at once; what goes wrong on one is its `Ended`.

    Args:
        tasks: at most one a host.
        fleet: declares the jump hosts, where the inventory has them.
        options: `jobs`, `connect`, `auth`, `unauthenticated`, `deadline` and the host keys are heeded.
        on_line: told every line of output, from many threads.
        on_event: told who is in which phase.
        stop: once set, nobody else is begun with, and who runs is told to stop and to clean up; that takes at most
            `session.ABORT_GRACE`.

    Returns:
        One `Ended` a task, in their order.

    Raises:
        ValueError: two tasks for one host.
    """
    hosts = fleet or Fleet(hosts=tuple(task.host for task in tasks))
    sessions = _Sessions(tasks, hosts, options or WireOptions(), on_line, on_event, stop or threading.Event())
    sessions.run()
    return tuple(sessions.done[task.host.name] for task in tasks)


def run_script(
    host: Host,
    script: Script,
    stdin: Iterable[bytes] = (),
    *,
    options: WireOptions | None = None,
    on_line: Callable[[Stream, str], None] = lambda _stream, _line: None,
    stop: threading.Event | None = None,
    limit: float = 300.0,
    fleet: Fleet | None = None,
) -> Ended:
    """Run one script on one host; as `run_many`."""
    (ended,) = run_many(
        [Task(host, script, stdin, limit)],
        fleet=fleet,
        options=options,
        on_line=lambda _host, stream, line: on_line(stream, line),
        stop=stop,
    )
    return ended
