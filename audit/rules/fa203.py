"""The store survives an upgrade to engine 29."""

from __future__ import annotations

from audit import versions
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._store import pin_store, store_evidence

rule = Rule(
    id="FA203",
    title="An upgrade to engine 29 leaves the store as it is",
    severity=Severity.WARNING,
    why="Engine 29 chooses anew at its first start: without graphdriver data that counts it takes containerd.",
    symptom="After `apt upgrade` all images are gone from `docker images`, and pushes become an index.",
    remedy="Write features.containerd-snapshotter into daemon.json before the upgrade.",
    refs=("moby daemon/image_store_choice.go (vfs does not count as prior data)",),
)


def check(store: ImageStore, engine: Engine) -> Result:
    """In place, with the data and the daemon.json that are there now."""
    evidence = (f"engine {engine.version}", *store_evidence(store))
    new = versions.at_least(engine.version, "29.0.0rc0")
    if new is None:
        return cannot_tell("the engine's version cannot be read", *evidence)
    if new:
        return not_applicable("the engine is 29 or newer already")
    if store.userns_remap and store.snapshotter_feature:
        return not_applicable("engine 29 would not start at all, see FA205")
    if store.after_upgrade is None:
        return cannot_tell("the store after an upgrade to 29 is not known", *evidence)
    if store.after_upgrade is store.kind:
        return ok(f"an upgrade to 29 leaves the store {store.kind}", *evidence)
    message = f"an upgrade to engine 29 turns the store from {store.kind} into {store.after_upgrade}"
    return fail(message, *evidence, remedy=pin_store(store))
