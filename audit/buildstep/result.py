"""What came of a build: frozen values, written as JSON for whoever merges or looks later."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit import __version__
from audit.image.arrived import Arrived
from audit.model import Model

SCHEMA_VERSION: Literal[1] = 1

State = Literal["built", "present", "failed", "stopped", "not-begun"]
"""built now; present already, under the same inputs; failed for good; ended by a signal; never begun."""
When = Literal["context", "connect", "timeout", "begin", "build", "push", "confirm", "conflict", "shape", "signal"]
"""Where an attempt failed: the context could not be read; the worker could not be reached or was lost; it took too
long; the script could not begin; docker build; docker push; the registry could not confirm it; the tag moved meanwhile;
what arrived is not what was foretold; somebody pressed Ctrl-C."""


class Attempt(Model):
    """One worker's try at one platform.

    Attributes:
        host: name in the inventory.
        user: as whom it ran there.
        failed: where it failed; None: it did not.
        why: one sentence for people.
        cause: what is known about such a failure, with what to do.
        symptom: its id (docs/symptoms.md).
        for_good: such a failure is the input's, and every other worker's as well.
        exit: exit status of what failed.
        seconds: in all.
        log: file with everything that it printed, redacted.
        left: what of ours may still be on the worker, and how to remove it.
    """

    host: str
    user: str | None = None
    failed: When | None = None
    why: str = ""
    cause: str = ""
    symptom: str | None = None
    for_good: bool = False
    exit: int | None = None
    seconds: float = Field(default=0.0, description="Seconds")
    log: str | None = None
    left: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> bool:
        """Another worker may do better: neither the input nor the registry's answer is at fault."""
        return self.failed in ("connect", "timeout", "begin", "build", "push") and not self.for_good


class Built(Model):
    """What came of one platform."""

    platform: str
    state: State
    tag: str = Field(description="Staging reference by tag, whole")
    host: str | None = Field(default=None, description="Who built what stands there")
    digest: str | None = Field(default=None, description="As the registry confirmed it")
    reference: str | None = Field(default=None, description="Staging reference by digest")
    media_type: str | None = None
    shape: str | None = Field(default=None, description="What arrived, in a few words")
    arrived: Arrived | None = Field(default=None, description="What arrived; None where it was there already")
    wanted: str = Field(description="The shape that was foretold")
    differences: tuple[str, ...] = Field(default=(), description="Where the two part")
    inputs: str = Field(description="sha256 over everything that decides the result, the context's bytes included")
    seconds: float = Field(default=0.0, description="Seconds, all attempts together")
    why: str = Field(default="", description="Why it was not built, or why it was built again")
    attempts: tuple[Attempt, ...] = ()

    @property
    def there(self) -> bool:
        """It can be merged."""
        return self.state in ("built", "present")


class Report(Model):
    """A whole build."""

    kind: Literal["fleet-audit build"] = "fleet-audit build"
    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = __version__
    staging: str
    platforms: tuple[Built, ...]
    merged: tuple[str, ...] = Field(default=(), description="REPO:TAG@DIGEST of every tag that was merged")
    interrupted: str | None = Field(default=None, description="The signal that ended it early")

    @property
    def whole(self) -> bool:
        """Every platform is there."""
        return all(one.there for one in self.platforms)


def shape_text(arrived: Arrived) -> str:
    """What arrived, in a few words."""
    if arrived.kind == "flat":
        return "flat (OCI)" if ".oci." in arrived.media_type else "flat (schema2)"
    images = sum(entry.role == "image" for entry in arrived.entries)
    attested = len(arrived.entries) - images
    more = f" + {attested} attestation{'s' * (attested != 1)}" if attested else ""
    word = "OCI index" if ".oci." in arrived.media_type else "Docker list"
    return f"{word} ({images} image{'s' * (images != 1)}{more})"
