"""What becomes of attestations: kept, dropped or required, on every worker alike, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.plan.model import Attestations, Work
from audit.plan.workers import Standing
from audit.plan.works import Works, keeps


def decide(works: Works, first: Mapping[str, Standing], fit: Sequence[Standing]) -> Attestations:
    """What to ask the workers for.

    Args:
        works: of the request.
        first: platform -> the worker that would be chosen if only images were wanted.
        fit: everyone who may build for some platform of the request.
    """
    asked = works.request.attest
    if asked == "drop":
        return Attestations(asked=asked, decided="drop", required=False, why="--attest drop: no push has one")
    if asked == "keep":
        why = "--attest keep: every worker that can attest does, the others push flat"
        return Attestations(asked=asked, decided="keep", required=False, why=why)
    if asked == "require":
        why = "--attest require: a worker that cannot attest is no worker for this plan"
        return Attestations(asked=asked, decided="keep", required=True, why=why)
    return _auto(works, first, fit)


def _auto(works: Works, first: Mapping[str, Standing], fit: Sequence[Standing]) -> Attestations:
    """The policy's wish where there is one and only one; else keep where every worker chosen can."""
    wished = sorted({push for one in fit if (push := one.member.policy.wanted.push) is not None})
    if wished == ["flat"]:
        return Attestations(asked="auto", decided="drop", required=False, why="auto: the policy wants flat pushes")
    if wished == ["index"]:
        why = "auto: the policy wants indexes, so that every worker must attest"
        return Attestations(asked="auto", decided="keep", required=True, why=why)
    split = "the policy wants flat of some and an index of others; " if wished else ""
    cannot = [one for platform, one in first.items() if not _by_own_engine(works.of(one, platform, "keep"))]
    if not first:
        return Attestations(asked="auto", decided="drop", required=False, why=f"auto: {split}there is no worker to ask")
    if not cannot:
        why = f"auto: {split}every worker chosen can attest"
        return Attestations(asked="auto", decided="keep", required=True, why=why)
    names = ", ".join(dict.fromkeys(keeps(one) for one in cannot))
    why = f"auto: {split}dropped everywhere, since these cannot keep one: {names}"
    return Attestations(asked="auto", decided="drop", required=False, why=why)


def _by_own_engine(work: Work | str) -> bool:
    """Another builder pushes with settings of its own (mirrors, certificates): that is asked for, and not chosen."""
    return isinstance(work, Work) and work.push is not None
