"""What --iidfile holds can be looked up in the engine."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.facts.image_store import ImageStore
from audit.model import Severity, StoreKind
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._buildx import out_of_use, seen, unreadable
from audit.shape import Prediction

rule = Rule(
    id="FA310",
    title="What --iidfile holds can be looked up in the engine",
    severity=Severity.ERROR,
    why="With attestations off, buildx before 0.36 writes the config's digest into --iidfile (and prints it with -q); "
    "the containerd store knows images by their manifest's digest.",
    symptom="No such image: sha256:…",
    remedy="Upgrade buildx to 0.36 or newer; until then tag the build and use the tag, or read containerimage.digest "
    "from --metadata-file.",
    refs=("docker/buildx#3952", "moby/moby#45458"),
)


def check(buildx: Buildx, store: ImageStore, push: Prediction) -> Result:
    """Three things together: the containerd store, a flat result of buildx, and buildx before 0.36."""
    if store.kind is not StoreKind.CONTAINERD:
        return not_applicable("a graphdriver store knows images by their config's digest")
    if (out := out_of_use(buildx)) is not None:
        return out
    fixed = versions.at_least(buildx.version, "0.36.0")
    if fixed:
        return ok("--iidfile holds a digest that the engine knows", *seen(buildx))
    if push.kind == "unknown":
        return cannot_tell("what a plain build leaves is not known", *push.reasons, *push.missing)
    if push.builder != "buildx" or push.kind not in ("flat", "index"):
        return not_applicable("a plain build leaves no image of buildx")
    if push.kind == "index":
        return ok("--iidfile holds the digest of the index, which the engine knows", *push.reasons)
    if fixed is None:
        return unreadable(buildx)
    said = f"buildx {versions.release(buildx.version)}"
    return fail(f"--iidfile of {said} holds a digest that the engine cannot look up", *seen(buildx), *push.reasons)
