"""A plain build and push leaves the wanted shape."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.facts.image_store import ImageStore
from audit.model import Host, HostPolicy, Severity, StoreKind, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.shape import Prediction

rule = Rule(
    id="FA404",
    title="A plain build and push leaves the wanted shape",
    severity=Severity.ERROR,
    why="`docker manifest create` merges flat images only; one worker that pushes an index breaks the merge of all.",
    symptom="docker.io/… is a manifest list",
    remedy="Merge with an index-aware tool (`docker buildx imagetools create`), or build with --provenance=false.",
    refs=("docker/buildx#1509", "docs/proofs.md"),
)

SHAPES = {"flat": "a flat manifest", "index": "an OCI index"}


def check(
    push: Prediction, policy: HostPolicy, host: Host, store: ImageStore | Unknown, buildx: Buildx | Unknown
) -> Result:
    """Against `wanted.push`; without it an index is a warning, since a merge with `docker manifest` refuses it."""
    wanted = policy.wanted.push
    if push.kind == "unknown":
        possible = (f"possible: {', '.join(push.possible)}",) if push.possible else ()
        said = (*push.reasons, *push.missing, *possible)
        return cannot_tell("what a plain build and push leaves is not known", *said)
    if push.kind == "none":
        return not_applicable("a plain build leaves nothing to push, see FA408")
    if push.kind == "fails":
        remedy = "Mend what the last line of the evidence names; until then every plain `docker build` fails."
        return fail("a plain `docker build` ends with an error", *push.reasons, remedy=remedy)
    if wanted == push.kind:
        return ok(f"a plain push leaves {SHAPES[push.kind]}, as wanted", *push.reasons)
    if wanted is not None:
        remedy = _to_index(store) if wanted == "index" else _to_flat(host, buildx)
        return fail(f"a plain push leaves {SHAPES[push.kind]}, wanted is {wanted}", *push.reasons, remedy=remedy)
    if push.kind == "flat":
        return ok("a plain push leaves a flat manifest", *push.reasons)
    message = 'a plain push leaves an OCI index; `docker manifest create` will say "… is a manifest list"'
    remedy = f"Merge with an index-aware tool (`docker buildx imagetools create`). Or flat: {_to_flat(host, buildx)}"
    return fail(message, *push.reasons, severity=Severity.WARNING, remedy=remedy)


def _to_flat(host: Host, buildx: Buildx | Unknown) -> str:
    """The switch, where this buildx knows it, and the trap behind it."""
    version = None if isinstance(buildx, Unknown) else buildx.version
    if not versions.at_least(version, "0.10.4"):
        return "build with --provenance=false."
    where = f"in {host.build_unit} (`systemctl edit`, then restart it)" if host.build_unit else "for the builds"
    trap = "" if versions.at_least(version, "0.36.0") else "; --iidfile needs buildx 0.36 then, see FA310"
    return f"set BUILDX_NO_DEFAULT_ATTESTATIONS=1 {where}, or build with --provenance=false{trap}."


def _to_index(store: ImageStore | Unknown) -> str:
    if not isinstance(store, Unknown) and store.kind is StoreKind.GRAPHDRIVER:
        return "Move the drained worker to the containerd store (see FA201), or push from a container builder (--push)."
    return "Build with buildx, without BUILDX_NO_DEFAULT_ATTESTATIONS in the environment of the builds."
