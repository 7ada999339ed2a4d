"""userns-remap and an explicit containerd-snapshotter do not stand together."""

from __future__ import annotations

from audit import versions
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA205",
    title="userns-remap does not stand beside an explicit containerd-snapshotter",
    severity=Severity.ERROR,
    why="Engine 29 refuses to start with both: the worker is dead after an upgrade or at its next restart.",
    symptom="containerd-snapshotter is explicitly enabled, but is not compatible with userns remapping.",
    remedy="Take one of the two out of daemon.json: userns-remap, or features.containerd-snapshotter.",
    refs=("moby daemon/command/daemon_linux.go", "moby/moby#47377"),
)


def check(store: ImageStore, engine: Engine | Unknown) -> Result:
    """An error where the engine is 29, a warning where the next upgrade makes it one."""
    if not store.userns_remap:
        return not_applicable("userns-remap is off")
    if store.snapshotter_feature is not True:
        return ok("userns-remap alone is accepted", f"userns-remap {store.userns_remap}", store.why_text)
    evidence = [f"userns-remap {store.userns_remap}", "features.containerd-snapshotter: true"]
    if isinstance(engine, Unknown):
        return cannot_tell("userns-remap and containerd-snapshotter are both set, the engine is not known", *evidence)
    new = versions.at_least(engine.version, "29.0.0rc0")
    evidence.insert(0, f"engine {engine.version}")
    if new is None:
        return cannot_tell(
            "userns-remap and containerd-snapshotter are both set, the version cannot be read", *evidence
        )
    if new:
        return fail("userns-remap and containerd-snapshotter are both set: the engine will not start again", *evidence)
    return fail(
        "userns-remap and containerd-snapshotter are both set: engine 29 will not start",
        *evidence,
        severity=Severity.WARNING,
    )
