"""What is done with one set of sources: its tags looked at, its sources read, the rest brought, its tags written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from audit.batching.jobs import Job
from audit.batching.noting import noted, settled
from audit.batching.placing import Placing
from audit.batching.reading import Reader
from audit.batching.shared import Shared
from audit.batching.standing import Standing
from audit.batching.tagging import before, look, write
from audit.batching.trouble import Trouble
from audit.batching.unit import Bringing
from audit.image.reference import Reference
from audit.merging import prepare
from audit.registry.ledger import charged


class Work:
    """Works on jobs, in many threads at once.

    Args:
        shared: what the batch shares.
        trouble: is asked before each job.
        jobs: all of them.
        fresh: the run was not taken up.

    Attributes:
        reader: of the sources.
        helpers: threads that each job may have for its blobs.
    """

    def __init__(self, shared: Shared, trouble: Trouble, jobs: Sequence[Job], *, fresh: bool) -> None:
        """Nothing is asked yet."""
        self._shared, self._trouble = shared, trouble
        self.reader = Reader(shared)
        self.helpers = 1
        self._placing = Placing(shared.journal, youngest=shared.times.now() - shared.wishes.known_for)
        self._standing = Standing(shared.client, [tag for job in jobs for tag in job.unit.tags])
        self._known = {one.tag.name for job in jobs for one in job.outcomes if one.name in job.stood}
        self._fresh = fresh
        self._belief: dict[str, float] = {}

    def read(self, job: Job) -> None:
        """Settle what needs no merge; of the rest, have the sources' manifests at hand.

        Raises:
            StepError: a source cannot be had, or the registry does not say what stands there.
        """
        if self._trouble.refused(job):
            return
        job.attempts += 1
        for one in job.open:
            one.attempts += 1
        for one in job.open:
            with charged(one.ledger):
                look(self._shared, self._standing, job, one)
            if one.state is not None:
                settled(self._shared, job, one)
        if not job.open:
            return
        with charged(job.ledger):
            self.reader.require(job.unit.entry.sources)
            for source in job.unit.entry.sources:
                self.reader.digest_of(source, attestations=job.unit.entry.attest != "drop")

    def merge(self, job: Job) -> None:
        """Bring what its index needs, and write its tags.

        Raises:
            StepError: these sources make no right index, or the registry did not take it.
        """
        if self._trouble.refused(job):
            return
        opened, entry = job.open, job.unit.entry
        with charged(job.ledger):
            step = prepare(
                self.reader.sources(job.unit), [one.tag for one in opened], attest=entry.attest,
                orphans=entry.orphans, annotations=entry.annotations, prefer_index=entry.prefer_index,
            )  # fmt: skip
        for one in opened:
            with charged(one.ledger):
                before(self._standing, one)
            self._belief.setdefault(one.tag.name, self._believed(one.tag))
        bringing = Bringing(self._shared, self._placing, step, self.helpers, self._belief)
        if any(one.before != step.merged.digest for one in opened):
            with charged(job.ledger):
                bringing.bring()
        for one in opened:
            with charged(one.ledger):
                write(self._shared, self._standing, job, one, step, bringing, partial(noted, self._shared, job))
            settled(self._shared, job, one)

    def again(self, job: Job) -> None:
        """A parked job, from its beginning: what it has read and placed is not asked for again, its tags are.

        Raises:
            StepError: as `read` and `merge`.
        """
        for one in job.open:
            one.before_known = False
        self.read(job)
        if job.open and job not in self._trouble.parked:
            self.merge(job)

    def _believed(self, tag: Reference) -> float:
        """Whether to try if a repository has what the journal knows nothing of: where others have filled it before."""
        strange = self._fresh and tag.name not in self._known
        return 1.0 if strange and self._standing.has_any(tag) else 0.0
