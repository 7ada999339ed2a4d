"""Who is fit to build for a platform, and in which order the fit ones come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.facts.engine import Engine
from audit.facts.machine import Machine
from audit.facts.reach import Reach
from audit.image.platform import Platform
from audit.model import Outcome, Severity, Status, Unknown, Verdict
from audit.rule import FleetView, Member, all_rules

OVERRIDDEN = {
    "FA301": "a missing buildx, where the builds' environment asks for it",
    "FA302": "a broken buildx",
    "FA310": "--iidfile, which no command of a plan uses",
    "FA401": "switches that are no booleans",
    "FA404": "the shape of a plain push",
    "FA407": "DOCKER_DEFAULT_PLATFORM",
    "FA408": "a plain build that leaves no image",
}
"""Errors about the defaults of a worker: the commands of a plan do not rest on them, and are foretold by themselves."""

HANDLERS = {
    "386": "i386", "amd64": "x86_64", "arm": "arm", "arm64": "aarch64", "loong64": "loongarch64", "mips64": "mips64",
    "mips64le": "mips64el", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
}  # fmt: skip
"""Architecture -> what binfmt_misc's handler of QEMU is called after."""


@dataclass(frozen=True)
class Standing:
    """What the audit says of one host as a worker.

    Attributes:
        member: the host.
        place: in the inventory's order.
        unfit: why it builds nothing at all; empty: it is fit.
        notes: findings that the plan's commands override, and what could not be told.
    """

    member: Member
    place: int
    unfit: str = ""
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the host."""
        return self.member.host.name

    @property
    def engine(self) -> tuple[str, str | None]:
        """Which engine it is: two logins of one machine are one worker."""
        engine = self.member.facts[Engine]
        return (self.member.host.address, None if isinstance(engine, Unknown) else engine.engine_id)

    @property
    def running(self) -> int | None:
        """Containers that run there; None: not known."""
        engine = self.member.facts[Engine]
        return None if isinstance(engine, Unknown) else engine.running


def standings(view: FleetView) -> tuple[Standing, ...]:
    """Every host's, in the inventory's order."""
    return tuple(_standing(view, member, place) for place, member in enumerate(view.members))


def _standing(view: FleetView, member: Member, place: int) -> Standing:
    verdicts = view.verdicts.get(member.host.name, ())
    reach = member.facts[Reach]
    bad = [_told(verdict) for verdict in verdicts if _stops(verdict)]
    if not bad and (isinstance(reach, Unknown) or reach.outcome not in (Outcome.OK, Outcome.PARTIAL)):
        said = str(reach) if isinstance(reach, Unknown) else f"{reach.outcome}: {reach.detail}".rstrip(": ")
        bad = [f"it was not reached ({said})"]
    engine = member.facts[Engine]
    if not bad and isinstance(engine, Unknown):
        bad = [f"its engine is not known ({engine})"]
    notes = [
        f"{_told(verdict)}: the commands do not rest on that"
        for verdict in verdicts
        if verdict.status is Status.FAIL and verdict.severity is Severity.ERROR and verdict.rule in OVERRIDDEN
    ]
    notes += [
        f"not told: {_told(verdict)}"
        for verdict in verdicts
        if verdict.status is Status.UNKNOWN and verdict.severity is Severity.ERROR and verdict.because is None
    ]
    return Standing(member, place, "; ".join(bad[:3]), tuple(notes))


def _stops(verdict: Verdict) -> bool:
    """An error that nobody has waived, or a cause of further UNKNOWNs: waived too, such a host does not build."""
    if verdict.status is Status.FAIL and verdict.severity is Severity.ERROR:
        return verdict.rule not in OVERRIDDEN
    check = all_rules().get(verdict.rule)
    if check is None or not check.rule.cause:
        return False
    return verdict.status is Status.WAIVED or (verdict.status is Status.UNKNOWN and verdict.because is None)


def _told(verdict: Verdict) -> str:
    said = f"{verdict.rule} {verdict.message}"
    if verdict.waiver is not None:
        said += f", waived until {verdict.waiver.until} by {verdict.waiver.owner} ({verdict.waiver.reason})"
    return said


def native(member: Member) -> Platform | None:
    """What its engine builds without further ado; None: not known."""
    engine, machine = member.facts[Engine], member.facts[Machine]
    if isinstance(engine, Unknown) or not engine.arch:
        return None
    own = Platform.of({"os": engine.os or "linux", "architecture": engine.arch})
    if isinstance(machine, Unknown):
        return own
    system, _, rest = machine.platform.partition("/")
    architecture, _, variant = rest.partition("/")
    seen = Platform.of({"os": system, "architecture": architecture, "variant": variant})
    return seen if (seen.os, seen.architecture) == (own.os, own.architecture) else own


def other_platform(member: Member, platform: Platform, *, told: bool) -> str | None:
    """Why this host does not build for a platform; None: it does.

    Args:
        member: the host.
        platform: the one wanted.
        told: the user named this host for it with --on, so that a handler of binfmt_misc will do.
    """
    declared = _declared(member)
    if member.host.emulated:
        if declared == platform:
            return None
        return f"it stands for {declared or 'no platform'} (emulated) and for no other"
    own = native(member)
    if own is None:
        return "its architecture is not known"
    if own == platform or (declared == platform and _runs(own, platform)):
        return None
    if told and (_runs(own, platform) or _emulates(member, own, platform)):
        return None
    if told:
        return f"it is {own}, and binfmt_misc there has no handler for {platform.architecture}"
    return f"it is {own}"


def _declared(member: Member) -> Platform | None:
    """The inventory has checked its form, a saved run has not."""
    text = member.host.platform
    system, _, rest = (text or "").partition("/")
    architecture, _, variant = rest.partition("/")
    found = Platform.of({"os": system, "architecture": architecture, "variant": variant})
    return found if found.known else None


def _runs(own: Platform, platform: Platform) -> bool:
    """What containerd's matcher takes as the machine's own beside its first platform."""
    if own.os != platform.os:
        return False
    pairs = {("amd64", "386"), ("arm64", "arm"), ("arm", "arm")}
    return own.architecture == platform.architecture or (own.architecture, platform.architecture) in pairs


def _emulates(member: Member, own: Platform, platform: Platform) -> bool:
    machine = member.facts[Machine]
    if isinstance(machine, Unknown) or own.os != platform.os:
        return False
    wanted = HANDLERS.get(platform.architecture)
    return wanted is not None and any(handler.removeprefix("qemu-") == wanted for handler in machine.binfmt)


def order(
    fit: tuple[Standing, ...],
    preferred: tuple[str, ...],
    placed: Mapping[str, int],
    first: frozenset[str] = frozenset(),
) -> tuple[Standing, ...]:
    """The fit ones as they are taken: preferred ones, those in `first`, the least loaded, the inventory's order.

    Args:
        fit: who may.
        preferred: by the user, the first one first.
        placed: builds that this plan has given to each host already.
        first: who can give what is wanted best.
    """

    def key(one: Standing) -> tuple[int, int, int, int, int]:
        liked = preferred.index(one.name) if one.name in preferred else len(preferred)
        running = one.running
        load = (running or 0) + placed.get(one.name, 0)
        return (liked, one.name not in first, running is None, load, one.place)

    return tuple(sorted(fit, key=key))


def load_text(one: Standing, placed: Mapping[str, int]) -> str:
    """How busy it is, for people."""
    here = placed.get(one.name, 0)
    running = "an unknown number of containers" if one.running is None else _count(one.running, "container")
    return f"{running} running" + (f", {_count(here, 'build')} of this plan" if here else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
