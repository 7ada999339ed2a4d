"""What the rules that compare the members of a pool have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.facts.docker_client import DockerClient
from audit.model import Severity, Unknown
from audit.rule import Finding, FleetView, Member, Result, cannot_tell, fail, not_applicable, ok

NAMES = 3
"""Hosts that a message names of each kind; the evidence names them all."""

NO_POOL = "-"
"""The pool of hosts for which neither pool nor platform is declared: they are no peers of each other."""

Look = Callable[[Member], str | None]
"""What a member shows, or None where it could not be told."""


@dataclass(frozen=True)
class Spread:
    """What the members of a pool show.

    Attributes:
        values: value -> the hosts that show it, the commonest first.
        dark: the hosts that could not tell.
    """

    values: Mapping[str, tuple[str, ...]]
    dark: tuple[str, ...]

    @property
    def known(self) -> int:
        """How many could tell."""
        return sum(map(len, self.values.values()))

    @property
    def total(self) -> int:
        """How many there are."""
        return self.known + len(self.dark)

    def deviating(self, wanted: str | None = None) -> tuple[str, ...]:
        """Who is not as the wanted value, else as the majority; everybody where there is none."""
        counts = [len(hosts) for hosts in self.values.values()]
        usual = wanted if wanted in self.values else next(iter(self.values))
        if usual != wanted and counts.count(max(counts)) > 1:
            return tuple(host for hosts in self.values.values() for host in hosts)
        return tuple(host for value, hosts in self.values.items() for host in hosts if value != usual)

    @property
    def said(self) -> str:
        """``flat (w1, w2), index (w3)``."""
        return ", ".join(f"{value} ({some(hosts)})" for value, hosts in self.values.items())

    @property
    def lines(self) -> tuple[str, ...]:
        """Evidence: each value with everybody who shows it, and who could not tell."""
        shown = [f"{value}: {', '.join(hosts)}" for value, hosts in self.values.items()]
        return (*shown, *([f"could not tell: {', '.join(self.dark)}"] if self.dark else []))

    @property
    def gap(self) -> str:
        """``; 2 of 5 could not tell``, or nothing."""
        return f"; {len(self.dark)} of {self.total} could not tell" if self.dark else ""


def some(hosts: Sequence[str]) -> str:
    """The first names, and how many more."""
    more = len(hosts) - NAMES
    return ", ".join(hosts[:NAMES]) + (f" and {more} more" if more > 0 else "")


def spread(members: Iterable[Member], look: Look) -> Spread:
    """Ask every member that has a Docker of its own; the commonest value first, then in the inventory's order."""
    values: dict[str, list[str]] = {}
    dark: list[str] = []
    for member in members:
        if not concerned(member):
            continue
        value = look(member)
        if value is None:
            dark.append(member.host.name)
        else:
            values.setdefault(value, []).append(member.host.name)
    ordered = sorted(values.items(), key=lambda item: -len(item[1]))
    return Spread({value: tuple(hosts) for value, hosts in ordered}, tuple(dark))


def concerned(member: Member) -> bool:
    """Whether the questions about Docker arise on this member: not where it is known to have none of Docker's own."""
    client = member.facts[DockerClient]
    return isinstance(client, Unknown) or client.kind == "docker"


def each_pool(view: FleetView, judge: Callable[[Sequence[Member]], Finding | Result]) -> list[Finding]:
    """One finding a pool; hosts without a declared pool or platform are nobody's peers."""
    findings: list[Finding] = []
    for name, members in view.pools().items():
        subject = f"pool:{name}"
        if name == NO_POOL:
            findings.append(Finding(subject, not_applicable("no pool is declared for these hosts")))
            continue
        found = judge(members)
        result, hosts = (found.result, found.hosts) if isinstance(found, Finding) else (found, ())
        findings.append(Finding(subject, result, hosts))
    return findings


def too_few(seen: Spread, what: str) -> Result | None:
    """What to say where there is nothing to compare; None where at least two could tell."""
    if seen.total < 2:
        return not_applicable("there are no two members with Docker to compare")
    if seen.known < 2:
        return cannot_tell(f"{what}: only {seen.known} of {seen.total} could tell", *seen.lines)
    return None


def alike(seen: Spread, what: str, *, wanted: str | None = None, remedy: str = "") -> Finding | Result:
    """One value among those that could tell passes, and says how many could not."""
    if (few := too_few(seen, what)) is not None:
        return few
    if len(seen.values) == 1:
        return ok(f"{what}: {next(iter(seen.values))}{seen.gap}", *seen.lines)
    return split(seen, what, wanted=wanted, remedy=remedy)


def split(
    seen: Spread, what: str, *, wanted: str | None = None, remedy: str = "", severity: Severity | None = None
) -> Finding:
    """The members differ."""
    result = fail(f"{what} differ: {seen.said}{seen.gap}", *seen.lines, remedy=remedy, severity=severity)
    return Finding("", result, seen.deviating(wanted))


def common(members: Iterable[Member], wish: Callable[[Member], str | None]) -> str | None:
    """What the policy wants of all of them alike, or None."""
    wishes = {wish(member) for member in members}
    return wishes.pop() if len(wishes) == 1 else None
