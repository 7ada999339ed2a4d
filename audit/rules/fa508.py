"""The members of a pool push the same media types."""

from __future__ import annotations

from collections.abc import Sequence

from audit import versions
from audit.facts.build_env import BuildEnv
from audit.facts.buildx import Buildx
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Severity, StoreKind, Unknown
from audit.rule import Finding, FleetView, Member, Result, Rule, not_applicable
from audit.rules._peers import alike, each_pool, spread
from audit.shape import boolean

rule = Rule(
    id="FA508",
    title="The members of a pool push the same media types",
    severity=Severity.NOTE,
    why="On the containerd store flat images are of OCI's type from engine 29.6 on, and attestations OCI artifacts "
    "from 29.7 on: a registry or a scanner that takes the one may refuse the other.",
    symptom="manifest invalid, or `docker manifest create` of an old client that says … is not a manifest.",
    remedy="Bring the pool to one engine; or BUILDX_NO_DEFAULT_OCI_ARTIFACT=1 (buildx 0.36.1) for attestations of old.",
    refs=("docs/proofs.md", "BuildKit 0.31 and 0.32"),
)

DOCKER = "Docker's manifest"
LEGACY = "OCI's manifest with Docker's layers"
OCI = "OCI's manifest"
IMAGE = "index with the attestation as an image"
ARTIFACT = "index with the attestation as an artifact"


def check_fleet(view: FleetView) -> list[Finding]:
    """Only within one shape: where members push flat and index, FA502 says so."""
    return each_pool(view, _judge)


def _judge(members: Sequence[Member]) -> Finding | Result:
    if {"flat", "index"} <= {member.push.kind for member in members}:
        return not_applicable("the members push different shapes, see FA502")
    return alike(spread(members, _types), "the pool's media types")


def _types(member: Member) -> str | None:
    """What a plain push of this member is made of."""
    store, engine = member.facts[ImageStore], member.facts[Engine]
    if isinstance(store, Unknown) or member.push.kind not in ("flat", "index"):
        return None
    if store.kind is StoreKind.GRAPHDRIVER:
        return DOCKER
    if member.push.builder == "legacy":
        return LEGACY
    if isinstance(engine, Unknown):
        return None
    if member.push.kind == "flat":
        return {True: OCI, False: DOCKER, None: None}[versions.at_least(engine.version, "29.6")]
    new = versions.at_least(engine.version, "29.7")
    if new and (off := _artifact_off(member)) is not False:
        return None if off is None else IMAGE
    return {True: ARTIFACT, False: IMAGE, None: None}[new]


def _artifact_off(member: Member) -> bool | None:
    """Whether the builds' environment turns the artifact off; buildx knows the switch from 0.36.1 on."""
    env, buildx = member.facts[BuildEnv], member.facts[Buildx]
    if isinstance(env, Unknown) or isinstance(buildx, Unknown):
        return None
    setting = env.get("BUILDX_NO_DEFAULT_OCI_ARTIFACT")
    if setting is None or not boolean(setting.value):
        return False
    return versions.at_least(buildx.version, "0.36.1")
