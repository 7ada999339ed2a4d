"""What becomes of each tag, kept in the journal as it happens."""

from __future__ import annotations

from audit.batching.jobs import Job, Outcome
from audit.batching.shared import Shared


def settled(shared: Shared, job: Job, one: Outcome) -> None:
    """A tag has come to a state; what was seen to stand under it is remembered for the next night."""
    noted(shared, job, one, one.state or "planned")
    if one.state in ("done", "unchanged") and one.digest is not None and one.before_known:
        shared.journal.stands(one.name, one.digest, unit=job.unit.key, run=shared.run)


def noted(shared: Shared, job: Job, one: Outcome, state: str) -> None:
    """Keep it; ``tagging`` is on the disk when this returns."""
    shared.journal.note(
        shared.run, one.name, unit=job.unit.key, state=state, digest=one.digest, before=one.before,
        before_known=one.before_known, why=one.why, detail=one.report().model_dump(mode="json"),
        wait=state == "tagging",
    )  # fmt: skip
