"""What the rules that compare versions within a pool have in common."""

from __future__ import annotations

from collections.abc import Sequence

from audit import versions
from audit.model import Severity
from audit.rule import Finding, Member, Result, ok
from audit.rules._peers import Look, split, spread, too_few


def alike_versions(
    members: Sequence[Member], version: Look, what: str, words: frozenset[str] = frozenset()
) -> Finding | Result:
    """Major and minor differ: the rule's severity; only patches differ: a note.

    Args:
        members: of one pool.
        version: a member's version as it says, or one of the `words`, or None.
        what: what is compared, in the plural.
        words: values that are no versions, but can be compared all the same.
    """

    def shown(member: Member) -> str | None:
        text = version(member)
        return text if text in words else str(versions.parse(text) or "") or None

    def line(member: Member) -> str | None:
        text = shown(member)
        return text if text is None or text in words else ".".join(text.split(".")[:2])

    releases, lines = spread(members, shown), spread(members, line)
    if (few := too_few(releases, what)) is not None:
        return few
    if len(releases.values) == 1:
        return ok(f"{what}: {next(iter(releases.values))}{releases.gap}", *releases.lines)
    if len(lines.values) == 1:
        return split(releases, f"the patch levels of {what}", severity=Severity.NOTE)
    finding = split(releases, what)
    return Finding("", finding.result, lines.deviating())
