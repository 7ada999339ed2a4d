"""A plain build leaves an image in the store."""

from __future__ import annotations

from audit.model import Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.shape import Prediction

rule = Rule(
    id="FA408",
    title="A plain build leaves an image to push",
    severity=Severity.ERROR,
    why="With BUILDX_NO_DEFAULT_LOAD, or a builder in a container of its own, the build exits 0 and the result stays "
    "in the build cache.",
    symptom="An image does not exist locally with the tag: …, from the push after a build that went well.",
    remedy="Unset BUILDX_NO_DEFAULT_LOAD and BUILDX_BUILDER for the builds, or build with --load or --push.",
    refs=("docker/buildx build/utils.go (noDefaultLoad)",),
)


def check(push: Prediction) -> Result:
    """Judged by the prediction; its last reason names the culprit."""
    match push.kind:
        case "unknown":
            return cannot_tell("what a plain build leaves is not known", *push.reasons, *push.missing)
        case "fails":
            return not_applicable("a plain build ends with an error, see FA404")
        case "none":
            return fail("a plain build exits 0 and leaves no image to push", *push.reasons)
        case _:
            return ok("a plain build leaves an image to push", *push.reasons)
