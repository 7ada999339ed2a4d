"""The batch: its journal taken up, its sets of sources worked off some at once, its parked tags taken up at the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from audit import __version__
from audit.batch import UNDONE, BatchPlan, BatchReport, TagState, Unit
from audit.batch.order import base_first
from audit.batch.progress import Waiting
from audit.batching.jobs import Job, Outcome, jobs_of
from audit.batching.placing import Placing
from audit.batching.reading import Reader
from audit.batching.shared import Shared, StoppedError, Times, Wishes
from audit.batching.standing import Standing
from audit.batching.tagging import before, look, write
from audit.batching.unit import Bringing
from audit.batching.verdicts import verdict
from audit.errors import StepError
from audit.image.reference import Reference
from audit.kept import Kept
from audit.merging import expect, prepare
from audit.registry import RegistryError
from audit.registry.confirmed import ConfirmingClient
from audit.registry.ledger import charged
from audit.registry.pace import PaceNow
from audit.store import Journal, JournalFailed

_MOST_SCOPES = 10
"""Repositories that one token is asked for at once; token servers have limits of their own."""
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
        self.parked: list[Job] = []
        self.phase = "beginning"
        self._waiting: Waiting | None = None
        self._tags = [tag for job in self.jobs for tag in job.unit.tags]
        self._placing = Placing(journal, youngest=times.now() - wishes.known_for)
        self._reader = Reader(self.shared)
        self._standing = Standing(client, self._tags)
        self._succeeded, self._tokens = succeeded, 0
        self._belief: dict[str, float] = {}
        self._helpers = 1
        self._recall()

    def run(self) -> BatchReport:
        """Merge all of it; returns when every tag has come to its end, patience has, or a signal came.

        Raises:
            JournalFailed: the journal can no longer be written; the same command goes on later.
        """
        stopped = ""
        try:
            for window in self._windows():
                self.phase = "reading"
                self._each(window, self._read)
                self.phase = "merging"
                blobs = {job.unit.key: self._reader.blobs_of(job.unit) for job in window if job.open}
                ready = {job.unit.key: job for job in window if job.open and job not in self.parked}
                ordered = base_first([job.unit for job in ready.values()], blobs)
                self._each([ready[unit.key] for unit in ordered], self._merge)
                self._reader.forget()
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
        return (*((pause,) if pace.slug not in ("", "rate") else ()), *((parked,) if parked else ()))

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
            self._helpers, first = 1, 1
            self._guarded(jobs[0], work)
        rest = jobs[first:]
        if not rest:
            return
        many = min(connections, len(rest))
        self._helpers = max(1, connections // many)
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
            self._failed(job, error)

    def _keep(self) -> None:
        """Once for each token, for whoever takes this run up."""
        tokens = self.shared.client.counts.tokens
        with self.shared.lock:
            fresh, self._tokens = tokens > self._tokens, tokens
        if fresh:
            self._succeeded()

    def _read(self, job: Job) -> None:
        """Settle what needs no merge; of the rest, have the sources' manifests at hand."""
        if self._refused(job):
            return
        job.attempts += 1
        for one in job.open:
            one.attempts += 1
        for one in job.open:
            with charged(one.ledger):
                look(self.shared, self._standing, job, one)
            if one.state is not None:
                self._note(one, job)
        if not job.open:
            return
        with charged(job.ledger):
            for source in job.unit.entry.sources:
                self._reader.digest_of(source, attestations=job.unit.entry.attest != "drop")

    def _merge(self, job: Job) -> None:
        opened, entry = job.open, job.unit.entry
        if self._refused(job):
            return
        with charged(job.ledger):
            step = prepare(
                self._reader.sources(job.unit), [one.tag for one in opened], attest=entry.attest,
                orphans=entry.orphans, annotations=entry.annotations, prefer_index=entry.prefer_index,
            )  # fmt: skip
        for one in opened:
            with charged(one.ledger):
                before(self._standing, one)
            self._belief.setdefault(one.tag.name, self._believed(one.tag))
        bringing = Bringing(self.shared, self._placing, step, self._helpers, self._belief)
        if any(one.before != step.merged.digest for one in opened):
            with charged(job.ledger):
                bringing.bring()
        for one in opened:
            with charged(one.ledger):
                write(self.shared, self._standing, job, one, step, bringing, partial(self._noted, job=job))
            self._note(one, job)

    def _believed(self, tag: Reference) -> float:
        """Whether to try if a repository has what the journal knows nothing of: where others have filled it before."""
        strange = not self.row.resumed and not any(one.tag.name == tag.name for job in self.jobs if job.stood
                                                   for one in job.outcomes)  # fmt: skip
        return 1.0 if strange and self._standing.has_any(tag) else 0.0

    def _again(self, job: Job) -> None:
        """A parked job, from its beginning: what it has read and placed is not asked for again."""
        self._read(job)
        if job.open:
            self._merge(job)

    def _refused(self, job: Job) -> bool:
        """Whether its repository takes nothing from us, as another tag has found out."""
        for one in job.open:
            why = self.shared.closed_for(one.tag)
            if why is not None:
                one.state, one.why = "failed", why
                self._note(one, job)
        return not job.open

    def _failed(self, job: Job, error: StepError) -> None:
        found = verdict(error, max(1, job.attempts))
        if found.closes and isinstance(error, RegistryError):
            tag = job.open[0].tag if job.open else job.unit.tags[0]
            if found.closes == "registry":
                self.shared.close(error.call.host, str(error))
            self.shared.close(tag.name if found.closes == "repository" else tag.registry, str(error))
        for one in job.open:
            one.state, one.why = ("parked" if found.what == "park" else "failed"), str(error)
            self._note(one, job)
        if found.what == "park":
            job.not_before = self.shared.times.clock() + found.seconds
            with self.shared.lock:
                if job not in self.parked:
                    self.parked.append(job)

    def _come_back(self) -> None:
        """Take up parked jobs when their time has come, until none is left or patience has ended."""
        times, wishes = self.shared.times, self.shared.wishes
        last = times.clock()
        while self.parked:
            now = times.clock()
            due = [job for job in self.parked if job.not_before <= now]
            if not due:
                soonest = min(job.not_before for job in self.parked)
                if soonest - last > wishes.patience:
                    return
                tag = next(one.tag for job in self.parked for one in job.open)
                self._waiting = Waiting(registry=tag.registry, reason="parked", seconds=soonest - now)
                self.shared.pause(soonest - now)
                for job in self.parked:
                    job.ledger.waited("parked", soonest - now)
                self._waiting = None
                continue
            with self.shared.lock:
                self.parked = [job for job in self.parked if job not in due]
            before = sum(len(job.open) for job in due)
            self._each(due, self._again)
            if sum(len(job.open) for job in due) < before:
                last = times.clock()

    def _note(self, one: Outcome, job: Job) -> None:
        """Keep in the journal what became of a tag."""
        self._noted(one, one.state or "planned", job=job)
        if one.state in ("done", "unchanged") and one.digest is not None:
            self.journal.stands(one.name, one.digest, unit=job.unit.key, run=self.row.id)

    def _noted(self, one: Outcome, state: str, *, job: Job) -> None:
        self.journal.note(
            self.row.id, one.name, unit=job.unit.key, state=state, digest=one.digest, before=one.before,
            before_known=one.before_known, why=one.why, detail=one.report().model_dump(mode="json"),
            wait=state == "tagging",
        )  # fmt: skip

    def _end(self, stopped: str) -> BatchReport:
        report = self.report(stopped)
        state = "stopped" if stopped else "left" if any(tag.state in UNDONE for tag in report.tags) else "done"
        if not stopped:
            self.journal.end(self.row.id, state, report.model_dump(mode="json", exclude={"tags"}))
        self.journal.flush()
        return report


def this_boot() -> str:
    """Which start of this machine it is, so that a process id can be told from an older one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
