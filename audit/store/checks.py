"""What a reader of the history of checks gets: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from audit.store.rows import Raw
from audit.value import Model

SEVERITIES = ("error", "warning", "note")


class CheckRun(Model):
    """One check.

    Attributes:
        id: e.g. ``2026-11-26T02-00-05-ab12``: UTC, and four hex digits.
        number: the order of checks, whatever the clock did.
        at: UNIX time when the evidence was complete.
        tool_version: that collected it.
        inventory: where the hosts were declared.
        hosts, reached: how many were selected, and of them answered at least in part.
        complete: all were reached, and no signal ended it.
        findings: rules that fail, by severity (``error``, ``warning``, ``note``).
        exit_code: of the command.
        saved: its evidence is there, for `History.saved`.
    """

    id: str
    number: int
    at: float
    tool_version: Raw
    inventory: tuple[Raw, ...] = ()
    hosts: int
    reached: int
    complete: bool
    findings: Mapping[str, int]
    exit_code: int
    saved: bool = False


class RunCounts(Model):
    """What a chart shows of one check.

    Attributes:
        run: its id.
        at: UNIX time.
        hosts, reached: numbers of hosts.
        findings: rules that fail, by severity.
        engines, stores, outcomes: hosts by engine version, by image store and by outcome; ``unknown`` where it could
            not be told.
    """

    run: str
    at: float
    hosts: int
    reached: int
    findings: Mapping[str, int]
    engines: Mapping[Raw, int] = Field(default_factory=dict)
    stores: Mapping[Raw, int] = Field(default_factory=dict)
    outcomes: Mapping[Raw, int] = Field(default_factory=dict)


class Standing(Model):
    """A rule that fails on a subject, as of one check.

    Attributes:
        subject: a host's name, ``pool:NAME`` or ``fleet``.
        rule: its id.
        severity: ``error``, ``warning`` or ``note``.
        message: what the rule says in that check.
        first_seen: UNIX time when it first failed since it was last fine, also where it could not be told in between.
        since: UNIX time from which on it failed in every check of the subject.
        last_ok: UNIX time of the last check that found it fine; None: none did.
    """

    subject: Raw
    rule: Raw
    severity: Raw
    message: Raw
    first_seen: float
    since: float
    last_ok: float | None = None


class Turn(Model):
    """A verdict that began or ended to fail, or to be waived.

    Attributes:
        run: id of the check that found it; empty: it was pruned.
        at: UNIX time of that check.
        subject: a host's name, ``pool:NAME`` or ``fleet``.
        rule: its id.
        before, after: statuses; None: there was none.
        severity, message: as the rule said them then.
    """

    run: str
    at: float
    subject: Raw
    rule: Raw
    before: str | None
    after: str | None
    severity: Raw
    message: Raw


class Life(Model):
    """One check in the life of a host: it, or a rule there, turned.

    Attributes:
        run: id of the check.
        at: UNIX time.
        outcome, detail, pool, pushes, address: of the host then.
        changed: which of these differ from the check before; ``first`` where there is none.
        turns: its rules that turned.
    """

    run: str
    at: float
    outcome: Raw
    detail: Raw
    pool: Raw | None
    pushes: Raw
    address: Raw
    changed: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()


class Baseline(Model):
    """A state of the fleet that somebody called good.

    Attributes:
        name: of it.
        run: id of the check that it was last set from.
        set_at: UNIX time when it was last set.
        hosts: how many it has.
        runs: ids of all checks that its hosts are taken from, oldest first.
    """

    name: str
    run: str
    set_at: float
    hosts: int
    runs: tuple[str, ...] = ()


class Exported(Model):
    """A line of an export: one check, whole.

    Attributes:
        number: the order of checks.
        id: of the check.
        exit_code: of the command.
        snapshot: `audit.snapshot.Snapshot` as JSON.
        saved: `audit.run.SavedRun` as JSON; None: the evidence was not kept.
    """

    kind: Literal["fleet-audit history"] = "fleet-audit history"
    schema_version: Literal[1] = 1
    number: int = Field(ge=0, lt=1 << 60)
    id: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9a-f]{4}$")
    exit_code: int = Field(ge=0, le=255)
    snapshot: dict[str, Any]
    saved: dict[str, Any] | None = None
