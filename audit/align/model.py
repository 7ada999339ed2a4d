"""An alignment, as values."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit import __version__
from audit.value import SCHEMA_VERSION, Model

Wanted = Literal["flat", "index"]
Target = Literal["flat", "index", "majority"]
State = Literal["aligned", "change", "impossible", "unknown"]
WayId = Literal["flag", "environment", "buildx", "engine", "store"]


class Way(Model):
    """One thing that could be changed on a worker, tried by the predictor."""

    id: WayId
    what: str = Field(description="What is changed, one clause")
    works: bool = Field(description="A plain build and push leaves the wanted shape then")
    leaves: str = Field(description="What it leaves then; why it does not do, where it does not")
    risks: tuple[str, ...] = Field(default=(), description="What breaks or changes with it, a sentence each")
    playbook: str = Field(default="", description="Tags and variables of remediate.yml; empty: done by hand")


class HostAlign(Model):
    """One worker."""

    host: str
    pool: str
    state: State
    now: str = Field(description="What a plain build and push leaves; why it is not known")
    ways: tuple[Way, ...] = Field(default=(), description="Least intrusive first; the first that works is proposed")

    @property
    def proposed(self) -> Way | None:
        """The least intrusive way that works."""
        return next((way for way in self.ways if way.works), None)


class Align(Model):
    """All of it."""

    kind: Literal["fleet-audit alignment"] = "fleet-audit alignment"
    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = __version__
    to: Wanted
    because: str = Field(description="Who wants that shape")
    hosts: tuple[HostAlign, ...] = Field(description="In the inventory's order")

    @property
    def exit_code(self) -> int:
        """0 all push one shape; 1 something is to change; 3 nothing is, but not everything could be told."""
        states = {one.state for one in self.hosts}
        return 1 if states & {"change", "impossible"} else 3 if "unknown" in states else 0
