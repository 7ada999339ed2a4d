"""buildx is 0.13 or newer."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.model import Severity
from audit.rule import Result, Rule, fail, ok
from audit.rules._buildx import out_of_use, seen, unreadable

rule = Rule(
    id="FA304",
    title="buildx is 0.13 or newer",
    severity=Severity.WARNING,
    why="Older ones do other things than they are asked for: an attestation asked for is dropped without a word, a "
    "merged tag gets the wrong type, a switch in the environment is not known.",
    symptom="`--provenance=true` builds without error, and there is no provenance at the registry.",
    remedy="Upgrade buildx to 0.13 or newer; Debian has 0.13 from trixie on.",
    refs=("docker/buildx build/opt.go", "docker/buildx util/imagetools/create.go"),
)

LACKS = (
    ("0.10.0", "no --provenance, --sbom and --attest (0.10)"),
    ("0.10.4", "does not know BUILDX_NO_DEFAULT_ATTESTATIONS (0.10.4)"),
    ("0.11.0", "`imagetools create` writes Docker's list type round OCI images (0.11)"),
    ("0.12.0", "drops --provenance and --sbom silently on a graphdriver store (0.12)"),
    ("0.13.0", "`imagetools create` may leak annotations of a source into the merged index (0.13)"),
)
"""Version that put it right, and what is wrong before."""


def check(buildx: Buildx) -> Result:
    """The floor is one version; the evidence names what this one lacks."""
    if (out := out_of_use(buildx)) is not None:
        return out
    lacks = [text for floor, text in LACKS if versions.at_least(buildx.version, floor) is False]
    if lacks:
        return fail(f"buildx {versions.release(buildx.version)} is older than 0.13", *seen(buildx), *lacks)
    if versions.parse(buildx.version) is None:
        return unreadable(buildx)
    return ok("buildx is 0.13 or newer", *seen(buildx))
