"""What a probe build pushed is what was predicted."""

from __future__ import annotations

from audit.model import Severity
from audit.probe.result import Proof
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA305",
    title="What a probe build pushed is what was predicted",
    severity=Severity.ERROR,
    why="Every other answer about what a worker will push rests on the prediction. Where a real build shows something "
    "else, a fact was read wrongly, something on the worker is set in a way that nobody looks at, or this version of "
    "Docker does what no older one did.",
    symptom="A merge that was foretold to work fails with `… is a manifest list`, or the other way round.",
    remedy="Believe the proof, not the prediction, and report it: `fleet-audit check --save run.json` on that host and "
    "the output of `fleet-audit probe --format json`.",
)


def check(proof: Proof) -> Result:
    """Judged by `probe` alone: no other verb builds anything."""
    if not proof.ways:
        return not_applicable("no probe was run: `fleet-audit probe` builds and pushes for real")
    differing = [way for way in proof.ways if way.agreement == "differs"]
    if differing:
        first = differing[0]
        message = f"`{first.way}` was predicted to push: {first.predicted_text}; seen: {first.arrived_text}"
        return fail(message, *(f"{way.way}: {text}" for way in differing for text in way.differences))
    untold = [way for way in proof.ways if way.agreement == "unknown"]
    if untold:
        message = f"`{untold[0].way}`: {untold[0].unknown}"
        return cannot_tell(
            message,
            *(f"{way.way}: {way.unknown}" for way in untold),
            remedy="Clear away what stood in the way of the probe, and run it again.",
        )
    return ok(
        "every probe build pushed what was predicted", *(f"{way.way}: {way.arrived_text}" for way in proof.ways)
    )  # fmt: skip
