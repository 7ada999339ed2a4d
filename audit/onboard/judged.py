"""What the rules say of the machine: a step for each group of them, and what is to be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from audit.facts.access import Access
from audit.model import Severity, Status, Verdict
from audit.onboard.model import State, Step, StepId, Todo
from audit.onboard.seen import Seen
from audit.rule import Member

REACH = ("FA001", "FA002", "FA003", "FA004", "FA005", "FA103")
CLOCK = ("FA006", "FA007")
DISKS = ("FA206", "FA207", "FA208", "FA209", "FA211", "FA212")
UNIT = ("FA401", "FA402", "FA405", "FA406", "FA407")
GROUPS: Mapping[str, tuple[str, ...]] = {"reach": REACH, "clock": CLOCK, "disks": DISKS, "unit": UNIT}
"""Rules whose verdicts have a step of their own; all others stand in ``verdicts``."""
_FINE = {
    "reach": "the login may do what an audit and a build need",
    "clock": "the clock is right and kept in time",
    "disks": "the images lie where there is room, and where the guard looks",
    "unit": "the build service runs with the environment that its files say",
}
FOLLOWS = {"FA501": "FA201", "FA502": "FA404", "FA506": "FA404"}
"""What a pool or the fleet finds of members that differ, and the machine's own finding whose remedy ends that."""
RANK = {"note": 0, "warning": 1, "error": 2}
_ALL = "no rule finds anything"


def _mine(seen: Seen) -> list[Verdict]:
    """The verdicts that speak of the machine: its own, and those on its pool and the fleet that name it."""
    assert seen.run is not None
    name = seen.host.name
    return [one for one in seen.run.verdicts if one.subject == name or name in one.hosts]


def _open(seen: Seen) -> list[Verdict]:
    """What fails, or could not be told and follows from nothing else."""
    return [one for one in _mine(seen) if one.status is Status.FAIL
            or (one.status is Status.UNKNOWN and one.because is None)]  # fmt: skip


def judged(seen: Seen, name: StepId, reached: Member | None) -> Step | None:
    """A step of rules; None: nothing could be judged.

    Args:
        seen: what was found out.
        name: of the step.
        reached: the machine as the run sees it; None: it was not reached.
    """
    if seen.run is None:
        return None
    own = GROUPS.get(name)
    taken = {rule for rules in GROUPS.values() for rule in rules}
    found = [one for one in _open(seen) if (one.rule in own if own is not None else one.rule not in taken)]
    if not found:
        if reached is None:
            return None
        looked = [one for one in _mine(seen) if own is None or one.rule in own]
        if own is not None and all(one.status is Status.NOT_APPLICABLE for one in looked):
            return Step(id=name, state="note", text=looked[0].message if looked else "turned off by the policy")
        return Step(id=name, state="ok", text=_said(name, reached))
    lines = tuple(f"{one.rule} {_word(one)}: {one.message}" for one in found)
    return Step(id=name, state=_worst(seen, found), text=_count(found), lines=lines)


def _said(name: str, one: Member) -> str:
    access = one.facts[Access]
    if name == "reach" and isinstance(access, Access):
        sudo = {"ok": ", sudo without a password", "not-asked": ""}.get(access.sudo, f", sudo: {access.sudo}")
        socket = ", may use the Docker socket" if access.socket_usable else ""
        return f"{access.user}{sudo}{socket}"
    return _FINE.get(name, _ALL)


def hinders(seen: Seen, rule: str | None, severity: str) -> bool:
    """Whether a finding keeps the machine from being ready.

    A build unit that does not run always does, whatever its severity: so a playbook that was cut off leaves a worker.
    """
    return rule == "FA405" or RANK[severity] >= RANK[seen.fail_on]


def _worst(seen: Seen, found: list[Verdict]) -> State:
    if any(one.status is Status.FAIL and hinders(seen, one.rule, str(one.severity)) for one in found):
        return "todo"
    if any(one.status is Status.UNKNOWN and RANK[str(one.severity)] >= RANK[seen.fail_on] for one in found):
        return "unknown"
    return "note"


def _word(one: Verdict) -> str:
    return "cannot be told" if one.status is Status.UNKNOWN else str(one.severity)


def _count(found: list[Verdict]) -> str:
    words = []
    for severity in (Severity.ERROR, Severity.WARNING, Severity.NOTE):
        many = sum(one.status is Status.FAIL and one.severity is severity for one in found)
        words += [f"{many} {severity}{'s' * (many > 1)}"] if many else []
    unknown = sum(one.status is Status.UNKNOWN for one in found)
    words += [f"{unknown} cannot be told"] if unknown else []
    return ", ".join(words)


def todo(seen: Seen) -> Iterator[Todo]:
    """What the rules find, in their order."""
    if seen.run is None or not seen.identity.trusted:
        return
    failing = {one.rule for one in _open(seen) if one.status is Status.FAIL and one.subject == seen.host.name}
    for one in _open(seen):
        if one.rule == "FA505" and failing:
            continue  # it is the machine itself that is not healthy, and its own findings say why
        unknown = one.status is Status.UNKNOWN
        if unknown and RANK[str(one.severity)] < RANK[seen.fail_on]:
            severity = str(one.severity)
        else:
            severity = "unknown" if unknown else str(one.severity)
        follows = FOLLOWS.get(one.rule)
        by = follows if follows in failing else one.rule
        command = seen.offers.of(by, seen.host.name)
        yield Todo(
            what=f"{one.rule} {_word(one)}: {one.message}", rule=one.rule, severity=severity,  # type: ignore[arg-type]  # a Severity's word
            fix=one.remedy, command=command, mended_by=by if command else None,
            by_hand="" if command else seen.offers.by_hand.get(one.rule, ""),
        )  # fmt: skip
