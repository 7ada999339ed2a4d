"""An onboarding's outcome: steps, what is to be done, READY or not."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from pydantic import Field

from audit import __version__
from audit.value import SCHEMA_VERSION, Model

State = Literal["ok", "note", "todo", "unknown"]
"""ok: as it should be, and seen; note: worth reading, and no obstacle; todo: something is to be done; unknown: it could
not be told, which never counts as fine."""

StepId = Literal[
    "identity", "reach", "facts", "peers", "past", "verdicts", "pushes", "proof", "merge", "clock", "disks", "unit"
]
STEPS: tuple[StepId, ...] = get_args(StepId)
"""In the order in which they are shown; a step that could not be come to is unknown."""


class Step(Model):
    """One step."""

    id: StepId
    state: State
    text: str = Field(description="One sentence: what was seen")
    lines: tuple[str, ...] = Field(default=(), description="Evidence, or a tree: the cause, below it what follows")


class Todo(Model):
    """Something to be done."""

    what: str = Field(description="One sentence: what is wrong")
    rule: str | None = Field(default=None, description="Whose finding it is; null: of no rule")
    severity: Literal["error", "warning", "note", "unknown"]
    fix: str = Field(default="", description="What to do, in words")
    command: str = Field(default="", description="What does it; empty: it is done by hand")
    mended_by: str | None = Field(default=None, description="The rule whose remedy that is; mostly its own")
    by_hand: str = Field(default="", description="Why no playbook does it")


class Onboarding(Model):
    """Everything about one machine."""

    kind: Literal["fleet-audit onboarding"] = "fleet-audit onboarding"
    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = __version__
    when: datetime
    host: str
    address: str
    pool: str | None = None
    like: str = Field(default="", description="What it was held against: a peer, or the majority of its pool")
    steps: tuple[Step, ...] = ()
    todo: tuple[Todo, ...] = Field(default=(), description="Before it is ready")
    later: tuple[Todo, ...] = Field(default=(), description="Worth doing; no obstacle")
    applied: tuple[str, ...] = Field(default=(), description="What --apply changed, a line each")
    baseline: str | None = Field(default=None, description="The baseline that it now stands in")

    @property
    def ready(self) -> bool:
        """Every step is fine or only worth reading, and nothing is to be done."""
        return not self.todo and bool(self.steps) and all(step.state in ("ok", "note") for step in self.steps)

    @property
    def exit_code(self) -> int:
        """0 ready; 1 something is to be done; 3 nothing is, but not everything could be told."""
        if self.ready:
            return 0
        known = any(one.severity != "unknown" for one in self.todo) or any(step.state == "todo" for step in self.steps)
        return 1 if known else 3
