"""What a reader of the history gets: frozen values."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, InstanceOf

from audit.value import Model

Raw = InstanceOf[str]
"""Any text, lone surrogates too: a file's name may be no UTF-8, which pydantic's own `str` refuses."""
RunState = Literal["running", "done", "left", "stopped"]
"""``done``: nothing is left to do; ``left``: something is (the exit code is 5); ``stopped``: by a signal, in order."""
TagPhase = Literal["planned", "tagging", "done", "unchanged", "parked", "moved", "failed", "left"]
"""How far a tag came. ``tagging``: its manifest is about to be put; the others as in the report of a batch."""
RUN_STATES: tuple[str, ...] = get_args(RunState)
TAG_PHASES: tuple[str, ...] = get_args(TagPhase)


class MergeRun(Model):
    """One night of merges, with every process that took it up.

    Attributes:
        id: e.g. ``2026-11-26T02-00-05-ab12``: UTC, and four hex digits.
        plan: the plan's name, for people.
        plan_hash: of what the plan wants.
        began, ended: UNIX time; None: it has not ended, or was killed.
        pid, boot: the process that has it now, and the boot of the machine that the pid is of.
        tool: version of fleet-audit that has it now.
        resumed: how often it was taken up again.
        progress: the last beat's, as the live view shows it.
        beat: UNIX time of the last sign of life.
        totals: as it ended.
    """

    id: str
    plan: Raw
    plan_hash: Raw
    began: float
    ended: float | None = None
    state: RunState
    pid: int
    boot: Raw
    tool: Raw
    resumed: int = 0
    progress: dict[Raw, Any] = Field(default_factory=dict)
    beat: float
    totals: dict[Raw, Any] = Field(default_factory=dict)


class TagRow(Model):
    """One tag in one run.

    Attributes:
        tag: ``registry/repository:tag``.
        unit: key of what is merged for it.
        state: how far it came.
        digest: that was last noted for it in this run: wanted, or standing there.
        before: what stood there before this run first wrote it; None: nothing, or not known (`before_known`).
        touched: this run has announced that it writes the tag (``tagging``), so a rollback has to look at it.
        why: one sentence where it is not done.
        detail: the rest of what was noted.
        updated: UNIX time.
    """

    tag: Raw
    unit: Raw
    state: TagPhase
    digest: Raw | None = None
    before: Raw | None = None
    before_known: bool = False
    touched: bool = False
    why: Raw = ""
    detail: dict[Raw, Any] = Field(default_factory=dict)
    updated: float


class Stood(Model):
    """What we last left or saw under a tag.

    Attributes:
        tag: ``registry/repository:tag``.
        digest: that it stood for.
        unit: key of what had been merged for it.
        run: that noted it; it may have expired.
        updated: UNIX time.
    """

    tag: Raw
    digest: Raw
    unit: Raw
    run: Raw
    updated: float
