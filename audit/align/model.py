"""An alignment, as values."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field

from audit import __version__
from audit.value import SCHEMA_VERSION, Model

Wanted = Literal["flat", "index"]
Target = Literal["flat", "index", "majority"]
State = Literal["aligned", "change", "impossible", "undecided", "unknown"]
WayId = Literal["flag", "environment", "buildx", "engine", "store"]


class Way(Model):
    """One thing that could be changed on a worker, or several together, tried by the predictor."""

    id: WayId = Field(description="The most intrusive of its parts")
    parts: tuple[WayId, ...] = Field(description="Least intrusive first")
    what: str = Field(description="What is changed, one clause")
    works: bool = Field(description="A plain build and push leaves the wanted shape then")
    leaves: str = Field(description="What it leaves then; why it does not do, where it does not")
    several: str = Field(
        default="",
        description="What a build of several platforms at once leaves then, where the worker can do one; empty: it "
        "cannot, or that is of the wanted shape, too",
    )
    risks: tuple[str, ...] = Field(default=(), description="What breaks or changes with it, a sentence each")
    playbook: tuple[str, ...] = Field(
        default=(), description="Words for remediate.yml: tags and variables; empty: all of it is done by hand"
    )


class HostAlign(Model):
    """One worker."""

    host: str
    state: State
    now: str = Field(description="What a plain build and push leaves; why it is not known")
    why: str = Field(default="", description="What decides that; empty: nothing is to change, or it is not known")
    ways: tuple[Way, ...] = Field(default=(), description="Least intrusive first; the first that works is proposed")

    @property
    def proposed(self) -> Way | None:
        """The least intrusive way that works."""
        return next((way for way in self.ways if way.works), None)


class PoolAlign(Model):
    """One pool; every pool is aligned for itself."""

    pool: str
    to: Wanted | None = Field(description="The shape that all of it shall push; null: nothing says which")
    because: str = Field(description="Who wants that shape; why nothing says which")
    hosts: tuple[HostAlign, ...] = Field(description="In the inventory's order")

    @property
    def differs(self) -> bool:
        """Something is to change, or would be if anybody said to what."""
        return any(one.state in ("change", "impossible", "undecided") for one in self.hosts)


class Align(Model):
    """All of it."""

    kind: Literal["fleet-audit alignment"] = "fleet-audit alignment"
    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = __version__
    asked: Target
    pools: tuple[PoolAlign, ...] = Field(description="In the order of their first hosts")

    @property
    def hosts(self) -> tuple[HostAlign, ...]:
        """Of all pools."""
        return tuple(one for pool in self.pools for one in pool.hosts)

    @property
    def counts(self) -> Counter[State]:
        """Hosts by state."""
        return Counter(one.state for one in self.hosts)

    @property
    def apart(self) -> dict[Wanted, tuple[str, ...]]:
        """Pools by the shape that each will push, where they are not all the same; else empty."""
        found: dict[Wanted, tuple[str, ...]] = {}
        for pool in self.pools:
            if pool.to is not None:
                found[pool.to] = (*found.get(pool.to, ()), pool.pool)
        return found if len(found) > 1 else {}

    @property
    def exit_code(self) -> int:
        """0 all push one shape; 1 something is to change; 3 nothing is, but not everything could be told."""
        if any(pool.differs for pool in self.pools):
            return 1
        return 3 if self.counts["unknown"] else 0
