"""The fan-out: a bounded pool, every host once, results in the inventory's order."""

from __future__ import annotations

import contextlib
import random
import resource
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from audit.model import Evidence, Fleet, Host, HostEvidence, Outcome, Probe
from audit.wire.answers import evidence
from audit.wire.clocks import Clock
from audit.wire.failures import WireError
from audit.wire.local import run_local
from audit.wire.network import Network
from audit.wire.options import Event, Phase, WireOptions
from audit.wire.queue import Job, Queue
from audit.wire.script import body, build_script, script_hash
from audit.wire.sshconfig import Route
from audit.wire.transport import Connection

GRACE = 0.6
"""Seconds that running hosts get to hand in what they have, once the run is to end."""
TICK = 0.1


class _Collection:
    """One run of `collect`."""

    def __init__(
        self, fleet: Fleet, probes: Sequence[Probe], options: WireOptions, on_event: Callable[[Event], None] | None
    ) -> None:
        self.fleet = fleet
        self.probes = tuple(probes)
        self.options = options
        self.on_event = on_event
        self.network = Network(fleet, options)
        hosts = list(fleet.hosts)
        random.shuffle(hosts)  # neighbours in the inventory are often neighbours in a rack
        self.queue = Queue(hosts, options.unauthenticated)
        self.done: dict[str, HostEvidence] = {}
        self.all_done = threading.Event()
        self._lock = threading.Lock()
        self.ending = "interrupted"

    def tell(self, host: Host, phase: Phase, detail: str = "") -> None:
        if self.on_event is not None:
            with contextlib.suppress(Exception):  # a display that fails must not lose a host
                self.on_event(Event(host.name, phase, detail))

    def finish(self, host: Host, result: HostEvidence) -> None:
        with self._lock:
            if host.name in self.done:
                return
            self.done[host.name] = result
            last = len(self.done) == len(self.fleet.hosts)
        self.tell(host, "done", f"{result.outcome}: {result.detail}" if result.detail else str(result.outcome))
        if last:
            self.all_done.set()

    def work(self) -> None:
        while (job := self.queue.take()) is not None:
            settled = True
            try:
                settled = self.step(job)
            except WireError as failure:
                self.finish(job.host, HostEvidence(outcome=failure.outcome, detail=failure.detail, phase=failure.phase))
            except Exception as error:
                detail = f"a bug of ours: {type(error).__name__}: {error}"
                self.finish(job.host, HostEvidence(outcome=Outcome.NOT_ASKED, detail=detail, phase="connect"))
            finally:
                if settled:
                    self.queue.leave(job)
                    self.queue.settle()

    def step(self, job: Job) -> bool:
        """Ask one host; False where it has to wait at its gate first."""
        host = job.host
        if host.connection == "local":
            self.finish(host, self.ask_local(host))
            return True
        if job.route is None:
            self.tell(host, "resolve")
            job.route = self.network.config.route(host)
        if not self.queue.enter(job, self.network.gate(job.route)):
            return False
        self.finish(host, self.ask(job, job.route))
        return True

    def ask_local(self, host: Host) -> HostEvidence:
        begun = time.monotonic()
        self.tell(host, "probe")
        clock = Clock(self.options.probe, "probe", Clock(host.timeout or self.options.host, "host"))
        nonce = secrets.token_hex(16)
        printed = run_local(build_script(self.probes, host, nonce).encode(), nonce, clock, self.network.stopped)
        return self.read(evidence(
            host, self.probes, printed, nonce, host_key=None, seconds=time.monotonic() - begun
        ))  # fmt: skip

    def ask(self, job: Job, route: Route) -> HostEvidence:
        host, network, options = job.host, self.network, self.options
        begun = time.monotonic()
        whole = Clock(host.timeout or options.host, "host")
        host_key: str | None = None

        def ended(failure: WireError) -> HostEvidence:
            return HostEvidence(
                outcome=failure.outcome,
                detail=failure.detail,
                phase=failure.phase,
                seconds=round(time.monotonic() - begun, 3),
                host_key=host_key or failure.key,
            )

        try:
            connection, close = self.connect(host, route, whole)
        except WireError as failure:
            return self.read(ended(failure))
        try:
            host_key = connection.host_key
            self.tell(host, "auth")
            network.log_in(connection, route, Clock(options.auth, "auth", whole))
            self.queue.leave(job)
            self.tell(host, "probe")
            nonce = secrets.token_hex(16)
            clock = Clock(options.probe, "probe", whole)
            alarm = network.watchdog.arm(clock, connection.abort)
            try:
                printed = connection.run(build_script(self.probes, host, nonce).encode(), nonce, clock)
            finally:
                network.watchdog.disarm(alarm)
            if network.stopped.is_set() and not (printed.complete or printed.cut):
                printed.why = WireError(Outcome.NOT_ASKED, "interrupted", "probe")
            return self.read(evidence(
                host, self.probes, printed, nonce, host_key=host_key, seconds=time.monotonic() - begun
            ))  # fmt: skip
        except WireError as failure:
            return self.read(ended(failure))
        finally:
            close()

    def connect(self, host: Host, route: Route, whole: Clock) -> tuple[Connection, Callable[[], None]]:
        """Connect, telling every phase as it begins."""

        def entered(phase: Phase) -> None:
            self.tell(host, phase)

        return self.network.connect_patiently(route, whole, entered)

    def read(self, found: HostEvidence) -> HostEvidence:
        """Say why the run ended, where that is why the host did."""
        if found.outcome in (Outcome.NOT_ASKED, Outcome.PARTIAL) and "interrupted" in found.detail:
            outcome = (
                Outcome.TIMEOUT
                if self.ending != "interrupted" and found.outcome is Outcome.NOT_ASKED
                else found.outcome
            )
            return found.model_copy(
                update={"outcome": outcome, "detail": found.detail.replace("interrupted", self.ending)}
            )
        return found


def collect(
    fleet: Fleet,
    probes: Sequence[Probe],
    *,
    options: WireOptions | None = None,
    on_event: Callable[[Event], None] | None = None,
    stop: threading.Event | None = None,
) -> Evidence:
    """Ask every host of the fleet every probe, over one connection each; the only fan-out.

    What goes wrong on a host is that host's outcome and never an exception.

    Args:
        fleet: whom to ask.
        probes: what to ask.
        options: limits and policies.
        on_event: told who is in which phase; called from many threads, must return soon.
        stop: once set, the run ends within a second with what there is; who has not answered is ``not-asked``, who
            has answered in part is ``partial``.

    Returns:
        Every host exactly once, in the inventory's order.

    Raises:
        ValueError: two probes carry one name.
    """
    options = options or WireOptions()
    started = datetime.now(UTC)
    body(tuple(probes))
    names = {host.name: host for host in fleet.hosts}
    run = _Collection(fleet, probes, options, on_event)
    clock = Clock(options.deadline, "deadline")
    jobs = min(options.jobs, len(names))
    _raise_file_limit(jobs)
    threads = [threading.Thread(target=run.work, name=f"fleet-audit-{number}", daemon=True) for number in range(jobs)]
    try:
        for thread in threads:
            thread.start()
        while names and not run.all_done.wait(min(TICK, clock.left)):
            if clock.over:
                run.ending = f"the run's deadline of {options.deadline:g} s ended"
            elif stop is None or not stop.is_set():
                continue
            run.queue.end()
            run.network.abort()
            run.all_done.wait(GRACE)
            break
    finally:
        run.queue.end()
        run.network.abort()
        for host in fleet.hosts:
            if host.name not in run.done:
                run.finish(host, HostEvidence(outcome=Outcome.NOT_ASKED, detail=run.ending, phase="resolve"))
        ends = time.monotonic() + GRACE
        for thread in threads:
            if thread.is_alive():
                thread.join(max(0.0, ends - time.monotonic()))
        run.network.close()
    return Evidence(
        script=script_hash(probes),
        started=started,
        finished=datetime.now(UTC),
        hosts={name: run.done[name] for name in names},
    )


def _raise_file_limit(jobs: int) -> None:
    """Every host may need a socket, a pipe of a proxy command and an agent; many systems start with 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 256 + 8 * jobs and soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
