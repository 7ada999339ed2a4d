"""The last step: what a tag stands for is looked at and noted, then it is written, then it is seen to stand."""

from __future__ import annotations

from collections.abc import Callable

from audit.batching.jobs import Job, Outcome
from audit.batching.shared import Shared
from audit.batching.standing import Standing
from audit.batching.unit import LAG, Bringing
from audit.engines.merge import MergeStep
from audit.errors import StepError
from audit.registry import Denied, Invalid, NotAllowed, RegistryError
from audit.store import TagRow

Note = Callable[[Outcome, str], None]


def look(shared: Shared, standing: Standing, job: Job, outcome: Outcome) -> None:
    """Settle a tag that the journal knows to stand for these very sources: one HEAD, none where it is trusted.

    Raises:
        RegistryError: the registry does not say.
    """
    stood = job.stood.get(outcome.name)
    if stood is None or stood.unit != job.unit.key or not job.pinned or outcome.earlier is not None:
        return
    if shared.wishes.trust_journal:
        outcome.state, outcome.digest = "unchanged", stood.digest
        return
    now = standing.head(outcome.tag)
    outcome.before, outcome.before_known = now, True
    if now == stood.digest:
        outcome.state, outcome.digest = "unchanged", now
    elif now is not None and not shared.wishes.force:
        moved(outcome, now, stood.digest)


def moved(outcome: Outcome, now: str, ours: str) -> None:
    """Somebody else has written the tag: it is told, not overwritten."""
    outcome.state, outcome.digest = "moved", now
    outcome.why = (
        f"somebody else has moved it: it stands for {now}, where we last left {ours}; "
        "see who writes it, or overwrite it with --force"
    )


def begun(outcome: Outcome) -> TagRow | None:
    """What the journal has of a tag that was about to be written when this run was cut off."""
    return outcome.earlier if outcome.earlier is not None and outcome.earlier.state == "tagging" else None


def before(standing: Standing, outcome: Outcome) -> None:
    """Find out what a tag stands for, unless that is known already.

    Raises:
        RegistryError: the registry does not say.
    """
    if not outcome.before_known:
        known = standing.head if begun(outcome) else standing.digest
        outcome.before, outcome.before_known = known(outcome.tag), True


def write(
    shared: Shared, standing: Standing, job: Job, outcome: Outcome, step: MergeStep, bringing: Bringing, note: Note
) -> None:
    """Write one tag, whose `before` is known, unless it stands already or somebody else has moved it.

    Raises:
        StepError: it cannot be written, or does not stand afterwards.
    """
    wanted, tag = step.merged.digest, outcome.tag
    outcome.platforms = tuple(map(str, step.merged.platforms))
    there, earlier = outcome.before, begun(outcome)
    if earlier is not None and there in (wanted, earlier.before):
        outcome.before, outcome.before_known = earlier.before, earlier.before_known
    if there == wanted:
        outcome.state, outcome.digest = "done" if earlier is not None else "unchanged", wanted
        return
    stood = job.stood.get(outcome.name)
    ours = {one for one in (stood.digest if stood else None, earlier.before if earlier else None) if one}
    if there is not None and stood is not None and there not in ours and not shared.wishes.force:
        moved(outcome, there, stood.digest)
        return
    outcome.digest = wanted
    note(outcome, "tagging")  # on the disk before the tag is written: what stood there can be had back
    try:
        bringing.tag(tag)
    except (NotAllowed, Denied, Invalid):
        if _head(standing, outcome) != wanted:
            raise
    else:
        _seen(shared, standing, outcome, wanted)
    outcome.state = "done"


def _seen(shared: Shared, standing: Standing, outcome: Outcome, wanted: str) -> None:
    """The registry's own word when it took the manifest, else a HEAD, and some more where it is slow to show it."""
    if shared.client.acknowledged(outcome.tag) == wanted:
        return
    for pause in (0.0, *LAG):
        shared.pause(pause, "lag" if pause else "")
        found = standing.head(outcome.tag)
        if found == wanted:
            return
    raise StepError(
        f"{outcome.tag.familiar} stands for {found or 'nothing'} after it was written, where {wanted} was wanted; "
        "see whether somebody else writes that tag, then merge again"
    )


def _head(standing: Standing, outcome: Outcome) -> str | None:
    try:
        return standing.head(outcome.tag)
    except RegistryError:
        return None
