"""What is asked of a plan, and what a plan says: frozen values, the same bytes for the same inputs."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from audit.engines.build import Attest, Command, Read
from audit.model import Model
from audit.shape import Shape

SCHEMA_VERSION: Literal[1] = 1
"""Version of the plan's JSON; raised when a reader of the old one would misread."""

Policy = Literal["keep", "drop", "require", "auto"]
MergeEngine = Literal["registry", "imagetools", "manifest"]


class Request(Model):
    """What is to be built, as the user asks for it; made by `parse_request`, which checks and normalises it."""

    context: str = Field(default=".", description="A folder here, or a git URL (URL#ref:dir) that the workers fetch")
    dockerfile: str = Field(default="Dockerfile", description="Path below the context's root")
    target: str | None = Field(default=None, description="Stage to stop at")
    build_args: tuple[tuple[str, str], ...] = Field(default=(), description="In name order")
    labels: tuple[tuple[str, str], ...] = Field(default=(), description="In name order")
    secrets: tuple[str, ...] = Field(default=(), description="Ids, in order; never their contents")
    platforms: tuple[str, ...] = Field(description="os/architecture[/variant], in the order of the merged index")
    staging: str = Field(description="REPO:TAG; each platform is pushed to REPO:TAG-ARCH")
    tags: tuple[str, ...] = Field(default=(), description="What the merged image is called; none: nothing is merged")
    attest: Policy = "auto"
    prefer: tuple[str, ...] = Field(default=(), description="Hosts to be taken before others, where they are fit")
    on: tuple[tuple[str, str], ...] = Field(default=(), description="(platform, host): that host and no other")
    engine: MergeEngine | Literal["auto"] = Field(default="auto", description="How to merge")
    jobs: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Builds at once; None: all")
    retries: Annotated[int, Field(ge=0)] = Field(default=1, description="Other workers to try a failed platform on")

    @property
    def from_git(self) -> bool:
        """The workers fetch the context; else it is streamed to them."""
        return is_git(self.context)


def is_git(context: str) -> bool:
    """Whether `docker build` takes this context for a git repository (moby pkg/urlutil IsGitURL; buildx the same)."""
    bare = context.partition("#")[0]
    if context.startswith(("git://", "git@", "ssh://", "github.com/")):
        return True
    return bare.startswith(("https://", "http://")) and bare.endswith(".git")


class Work(Model):
    """One platform's build on one worker."""

    host: str = Field(description="Name in the inventory")
    engine: str = Field(description="Build engine: buildx or legacy")
    builder: str = Field(description="Who builds, for people")
    build: Command
    push: Command | None = Field(description="None: the build pushes by itself")
    read: Read
    flags: tuple[str, ...] = Field(default=(), description="The flags that decide the push's shape")
    shape: Shape = Field(description="What exactly these commands will leave at the registry, and why")
    assumed: tuple[str, ...] = Field(default=(), description="What the prediction takes for granted")
    why: str = Field(description="Why this host stands at this place")
    notes: tuple[str, ...] = Field(default=(), description="What a person should know before saying yes")

    @property
    def attested(self) -> bool:
        """An attestation will stand beside the image."""
        return self.shape.attestations.fate in ("kept", "artifact")


class BuildStep(Model):
    """One platform: where it is built, by which commands, and what must arrive."""

    platform: str
    staging: str = Field(description="REPO:TAG-ARCH, whole")
    work: Work = Field(description="The worker chosen")
    alternates: tuple[Work, ...] = Field(default=(), description="Other fit workers, in the order to be tried")
    inputs: str = Field(
        description="sha256 over everything that decides the result except the bytes of a streamed context"
    )

    @property
    def host(self) -> str:
        """The worker chosen."""
        return self.work.host

    @property
    def shape(self) -> Shape:
        """What the worker chosen will leave."""
        return self.work.shape

    def attempts(self, retries: int) -> tuple[Work, ...]:
        """The workers to try, in order: the chosen one, then so many others."""
        return (self.work, *self.alternates[:retries])


class NotChosen(Model):
    """What was not taken, and why: a host, or a merge engine."""

    name: str
    why: str


class MergePlan(Model):
    """The merge that follows the builds; its sources are read by digest when the builds are there."""

    tags: tuple[str, ...]
    sources: tuple[str, ...] = Field(description="Staging references, in the order of the index")
    engine: MergeEngine
    host: str | None = Field(default=None, description="Where Docker's client would run; None: here")
    why: str
    not_chosen: tuple[NotChosen, ...] = ()
    notes: tuple[str, ...] = ()


class Problem(Model):
    """Why the plan is not whole."""

    platform: str | None = Field(default=None, description="None: the plan as a whole")
    text: str
    hosts: tuple[NotChosen, ...] = Field(default=(), description="What stands in the way of each one that could be")


class Placed(Model):
    """One host of the fleet: what it does in this plan, or why it does nothing."""

    host: str
    builds: tuple[str, ...] = Field(default=(), description="Platforms")
    stands_by: tuple[str, ...] = Field(default=(), description="Platforms that it would be tried for next")
    why: str = ""


class Attestations(Model):
    """What was decided about attestations, and why."""

    asked: Policy
    decided: Attest
    required: bool = Field(description="A worker that cannot keep them is no worker for this plan")
    why: str


class Plan(Model):
    """Who builds what with which commands, what will arrive, and how it is merged. Nothing has been run."""

    kind: Literal["fleet-audit plan"] = "fleet-audit plan"
    schema_version: Literal[1] = SCHEMA_VERSION
    facts_from: datetime = Field(description="When the workers were looked at, UTC")
    request: Request
    attestations: Attestations
    steps: tuple[BuildStep, ...] = Field(description="In the order of the platforms asked for")
    alike: bool = Field(description="Every push has one shape: kind and attestations")
    same_types: bool = Field(description="Every push has the same media types, too")
    merge: MergePlan | None
    hosts: tuple[Placed, ...] = Field(description="Every host of the fleet, in the inventory's order")
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Every platform has a worker that gives what is required."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """0: whole; 1: some platform has no fit worker, or a required attestation cannot be given."""
        return 0 if self.whole else 1


def digest_of(value: object) -> str:
    """``sha256:…`` over a tree's canonical JSON: keys sorted, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
