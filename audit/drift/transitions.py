"""Verdicts that turned between two checks: what people are told of."""

from __future__ import annotations

from audit.snapshot import Snapshot, VerdictRow
from audit.value import Model

_BAD = ("fail",)
_QUIET = ("n/a",)


class Transition(Model):
    """One rule's word on one subject that is another one now.

    Attributes:
        subject: a host's name, ``pool:NAME`` or ``fleet``.
        rule: its id.
        before, after: statuses; None: the subject or the rule was not there.
        severity: ``note``, ``warning``, ``error``: of the newer one.
        message, remedy: of the newer one; of the older one where it is gone.
    """

    subject: str
    rule: str
    before: str | None
    after: str | None
    severity: str
    message: str
    remedy: str = ""

    @property
    def worse(self) -> bool:
        """It fails now, and did not before."""
        return self.after in _BAD and self.before not in _BAD

    @property
    def better(self) -> bool:
        """It failed before, and does no longer; that it cannot be told any more is no better."""
        return self.before in _BAD and self.after not in (*_BAD, "unknown")


def transitions(before: Snapshot | None, after: Snapshot) -> tuple[Transition, ...]:
    """Every verdict that is another one than before, in the newer check's order, then those that are gone.

    Args:
        before: None: there was no earlier check, so only what fails now is new.
        after: the newer one.
    """
    old = {(row.subject, row.rule): row for row in before.verdicts} if before else {}
    found = []
    for row in after.verdicts:
        was = old.pop((row.subject, row.rule), None)
        if (was.status if was else None) == row.status or (was is None and row.status not in _BAD):
            continue
        if was is not None and {was.status, row.status} <= {"pass", *_QUIET}:
            continue
        found.append(_turned(row, was.status if was else None, row.status))
    found += [_turned(row, row.status, None) for row in old.values() if row.status in _BAD]
    return tuple(found)


def _turned(row: VerdictRow, before: str | None, after: str | None) -> Transition:
    return Transition(subject=row.subject, rule=row.rule, before=before, after=after, severity=row.severity,
                      message=row.message, remedy=row.remedy)  # fmt: skip
