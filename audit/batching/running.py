"""The batch: its journal taken up, its sets of sources worked off some at once, its parked tags taken up at the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from audit import __version__
from audit.batch import UNDONE, BatchPlan, BatchReport, TagState, Unit
from audit.batch.order import base_first
from audit.batch.progress import Waiting
from audit.batching.jobs import Job, jobs_of
from audit.batching.shared import Shared, StoppedError, Times, Wishes
from audit.batching.trouble import Trouble
from audit.batching.working import Work
from audit.errors import StepError
from audit.image.reference import Reference
from audit.kept import Kept
from audit.merging import expect
from audit.registry.confirmed import ConfirmingClient
from audit.registry.pace import PaceNow
from audit.store import Journal, JournalFailed

_MOST_SCOPES = 10
"""Repositories that one token is asked for at once; token servers have limits of their own."""
_KNOWN_KEPT, _RUNS_KEPT = 30 * 86400.0, 400 * 86400.0
"""Seconds after which the journal forgets."""
RESUMED_FOR = 86400.0
"""Seconds: a run that was begun longer ago and has no end is not taken up again; its tags are looked at anew."""


class Batch:
    """One batch. Its figures may be read by other threads while it runs.

    Args:
        client: with a limiter, for all registries.
        journal: the machine's.
        plan: what the file says.
        units: of it, what is to be merged now.
        kept: manifests by digest.
        wishes: what the user chose.
        times: the clocks.
        stop: set by a signal.
        tell: told what a person should know, line by line.
        succeeded: called after a success with a new token: what a process after us may use is to be kept.
    """

    def __init__(
        self,
        client: ConfirmingClient,
        journal: Journal,
        plan: BatchPlan,
        units: Sequence[Unit],
        *,
        kept: Kept,
        wishes: Wishes | None = None,
        times: Times | None = None,
        stop: threading.Event | None = None,
        tell: Callable[[str], None] = lambda _line: None,
        succeeded: Callable[[], None] = lambda: None,
    ) -> None:
        """Take up the run that was not ended, or begin one; no registry is asked yet.

        Raises:
            StoreError: the journal cannot be read or written.
        """
        self.plan, self.journal = plan, journal
        self.jobs = jobs_of(units)
        times = times or Times()
        wishes = wishes or Wishes()
        boot = this_boot()
        old = journal.unfinished(plan.digest, youngest=times.now() - RESUMED_FOR)
        self.row = (
            journal.take_up(old.id, pid=os.getpid(), boot=boot)
            if old is not None
            else journal.begin(plan.name, plan.digest, tool=__version__, pid=os.getpid(), boot=boot)
        )
        self.shared = Shared(client, journal, kept, wishes, times, self.row.id, stop or threading.Event(), tell)
        self.began = times.clock()
        self.phase = "beginning"
        self._waiting: Waiting | None = None
        self._tags = [tag for job in self.jobs for tag in job.unit.tags]
        self._succeeded, self._tokens = succeeded, 0
        self._ahead: int | None = None
        self._recall()
        self._trouble = Trouble(self.shared)
        self._work = Work(self.shared, self._trouble, self.jobs, fresh=not self.row.resumed)

    def run(self) -> BatchReport:
        """Merge all of it; returns when every tag has come to its end, patience has, or a signal came.

        Raises:
            JournalFailed: the journal can no longer be written; the same command goes on later.
        """
        stopped = ""
        try:
            for window in self._windows():
                self.phase = "reading"
                self._each(window, self._work.read)
                self.phase = "merging"
                parked = {job.unit.key for job in self._trouble.parked}
                ready = {job.unit.key: job for job in window if job.open and job.unit.key not in parked}
                blobs = {key: self._work.reader.blobs_of(job.unit) for key, job in ready.items()}
                self._foretell(list(ready.values()), blobs)
                ordered = base_first([job.unit for job in ready.values()], blobs)
                self._each([ready[unit.key] for unit in ordered], self._work.merge)
                self._work.reader.forget()
            self.phase = "parked tags again"
            self._come_back()
            self.phase = "finished"
        except StoppedError as error:
            stopped = str(error)
        return self._end(stopped)

    def report(self, stopped: str = "") -> BatchReport:
        """As it stands."""
        counts, spent = self.shared.client.counts, self.shared.client.ledger.now()
        by_name = {one.name: one for job in self.jobs for one in job.outcomes}
        order = [str(tag) for entry in self.plan.entries for tag in entry.tags]
        return BatchReport(
            tool_version=__version__, run=self.row.id, plan=self.plan.name, plan_digest=self.plan.digest,
            began=self.row.began, ended=self.shared.times.now(), resumed=self.row.resumed, stopped=stopped,
            tags=tuple(by_name[name].report() for name in order if name in by_name),
            requests=counts.by_kind, pulls=spent.pulls, waited=spent.waited,
            bytes_moved=counts.bytes_read + counts.bytes_sent,
        )  # fmt: skip

    def requests_left(self) -> int | None:
        """About how many requests are still to come; None: nothing is known yet."""
        return None if self._ahead is None else max(0, self._ahead - self.shared.client.counts.requests)

    def counted(self) -> dict[TagState | None, int]:
        """Tags by state; None: on their way."""
        found: dict[TagState | None, int] = {}
        for job in self.jobs:
            for one in job.outcomes:
                found[one.state] = found.get(one.state, 0) + 1
        return found

    @property
    def rate(self) -> float | None:
        """Requests a minute that its registry is asked now at most; None: as many as it answers."""
        return self._pace().rate

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Who is being waited for: parked tags, or a pause that a registry has asked for."""
        pace, parked = self._pace(), self._waiting
        registry = self.jobs[0].unit.tags[0].registry
        pause = Waiting(registry=registry, reason=pace.slug, seconds=pace.paused)
        return (
            *((pause,) if pace.slug not in ("", "rate") and pace.paused >= 1 else ()),
            *((parked,) if parked else ()),
        )

    # ------------------------------------------------------------------- inside

    def _pace(self) -> PaceNow:
        return self.shared.client.pace(self.jobs[0].unit.tags[0].registry)

    def _recall(self) -> None:
        """What the journal has of these tags: from this run, before it was taken up, and from any run."""
        rows = self.journal.tags(self.row.id) if self.row.resumed else {}
        stood = self.journal.stood([str(tag) for tag in self._tags])
        for job in self.jobs:
            names = [one.name for one in job.outcomes]
            job.stood = {name: stood[name] for name in names if name in stood}
            for one in job.outcomes:
                row = rows.get(one.name)
                if row is None or row.unit != job.unit.key:
                    continue
                one.earlier = row
                if row.state in ("done", "unchanged"):
                    one.state = "done" if row.state == "done" else "unchanged"
                    one.digest, one.before, one.before_known = row.digest, row.before, row.before_known
        sources = [source.reference for job in self.jobs if job.open for source in job.unit.entry.sources]
        tags = [one.tag for job in self.jobs for one in job.open]
        if len({name.name for name in (*sources, *tags)}) <= _MOST_SCOPES:
            expect(self.shared.client, sources, tags)

    def _foretell(self, ready: Sequence[Job], blobs: Mapping[str, frozenset[str]]) -> None:
        """About how many requests there will have been at the end: what these lack, and the rest of the plan alike."""
        wanted: dict[Reference, tuple[set[str], set[str]]] = {}
        for job in ready:
            for tag in {one.tag.name: one.tag for one in job.open}.values():
                parts = wanted.setdefault(tag.tagged("latest"), (set(), set()))
                parts[0].update(blobs[job.unit.key])
                parts[1].update(self._work.reader.children_of(job.unit))
        youngest = self.shared.times.now() - self.shared.wishes.known_for
        left = sum(len(job.open) for job in ready)
        for tag, (some, children) in wanted.items():
            for kind, digests in (("blob", some), ("manifest", children)):
                known = self.journal.known(tag.registry, tag.repository, kind, digests, youngest=youngest)
                left += len(digests) - len(known)
        every = sum(bool(job.open) for job in self.jobs)
        self._ahead = self.shared.client.counts.requests + round(left * every / max(1, len(ready)))

    def _windows(self) -> Iterator[list[Job]]:
        some = [job for job in self.jobs if job.open]
        for first in range(0, len(some), self.shared.wishes.window):
            yield some[first : first + self.shared.wishes.window]

    def _each(self, jobs: Sequence[Job], work: Callable[[Job], None]) -> None:
        """As a loop, some at once, but the first one alone: so that each registry asks only once who we are."""
        if not jobs:
            return
        connections = self.shared.wishes.connections
        first = 0
        if not self.shared.client.challenges:
            self._work.helpers, first = 1, 1
            self._guarded(jobs[0], work)
        rest = jobs[first:]
        if not rest:
            return
        many = min(connections, len(rest))
        self._work.helpers = max(1, connections // many)
        with ThreadPoolExecutor(many, thread_name_prefix="batch") as pool:
            futures = [pool.submit(self._guarded, job, work) for job in rest]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self.shared.stop.set()  # what the others are doing comes to its end; nothing new is begun
                pool.shutdown(cancel_futures=True)
                raise

    def _guarded(self, job: Job, work: Callable[[Job], None]) -> None:
        """Work on one job; how that fails is the job's own affair, but for what nobody can go on without."""
        self.shared.check()
        try:
            work(job)
            self._keep()
        except (StoppedError, JournalFailed):
            raise
        except StepError as error:
            if self.shared.stop.is_set():
                raise StoppedError("stopped") from None
            self._trouble.failed(job, error)

    def _keep(self) -> None:
        """Once for each token, for whoever takes this run up."""
        tokens = self.shared.client.counts.tokens
        with self.shared.lock:
            fresh, self._tokens = tokens > self._tokens, tokens
        if fresh:
            self._succeeded()

    def _come_back(self) -> None:
        """Take up parked jobs when their time has come, until none is left or patience has ended."""
        times, wishes = self.shared.times, self.shared.wishes
        last = times.clock()
        while parked := self._trouble.parked:
            due = self._trouble.due()
            if due:
                before = sum(len(job.open) for job in due)
                self._each(due, self._work.again)
                if sum(len(job.open) for job in due) < before:
                    last = times.clock()
                continue
            soonest = min(job.not_before for job in parked)
            if soonest - last > wishes.patience:
                return
            seconds = max(0.0, soonest - times.clock())
            registry = next(one.tag.registry for job in parked for one in job.open)
            self._waiting = Waiting(registry=registry, reason="parked", seconds=seconds)
            self.shared.pause(seconds)
            for job in parked:
                job.ledger.waited("parked", seconds)
            self._waiting = None

    def _end(self, stopped: str) -> BatchReport:
        report = self.report(stopped)
        state = "stopped" if stopped else "left" if any(tag.state in UNDONE for tag in report.tags) else "done"
        if not stopped:
            now = self.shared.times.now()
            self.journal.expire(known_before=now - _KNOWN_KEPT, runs_before=now - _RUNS_KEPT)
            self.journal.end(self.row.id, state, report.model_dump(mode="json", exclude={"tags"}))
        self.journal.flush()
        return report


def this_boot() -> str:
    """Which start of this machine it is, so that a process id can be told from an older one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
