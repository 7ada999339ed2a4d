"""The store does not migrate by itself at a restart."""

from __future__ import annotations

import json

from audit import versions
from audit.facts.daemon_config import DaemonConfig
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Severity, StoreKind
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA213",
    title="The store does not migrate by itself at a restart",
    severity=Severity.WARNING,
    why="With features.containerd-migration engine 29 moves to the containerd store at a start that finds no "
    "containers: nobody touched the configuration in between.",
    symptom="A worker that pushed flat yesterday pushes an index after a reboot.",
    remedy="Take containerd-migration out of daemon.json, or migrate on purpose: features.containerd-snapshotter true.",
    refs=("moby daemon/daemon.go (containerd-migration)",),
)

FEATURE = "containerd-migration"


def check(config: DaemonConfig, store: ImageStore, engine: Engine) -> Result:
    """Only a graphdriver under engine 29 or newer can migrate."""
    if store.kind is not StoreKind.GRAPHDRIVER:
        return not_applicable("the store is containerd already")
    new = versions.at_least(engine.version, "29.0.0rc0")
    if new is False:
        return not_applicable("engines before 29 do not migrate")
    if config.error is not None:
        return cannot_tell("daemon.json cannot be parsed", f"{config.path}: {config.error}")
    said = _said(config)
    if not said:
        return ok("the store does not migrate by itself", f"{FEATURE} is not set in {config.path}, nor as a flag")
    if new is None:
        return cannot_tell("the engine's version cannot be read", f"engine {engine.version}", said)
    return fail("the next restart may turn the store into containerd", f"engine {engine.version}", said)


def _said(config: DaemonConfig) -> str | None:
    """Where the feature is turned on."""
    for flag in config.flags:
        if FEATURE in flag and not flag.endswith("=false"):
            return f"dockerd {flag}"
    try:
        features = json.loads(config.settings.get("features", "{}"))
    except ValueError:
        features = {}
    on = isinstance(features, dict) and features.get(FEATURE) is True
    if on or config.settings.get(f"features.{FEATURE}") == "true":
        return f"{config.path}: features.{FEATURE} true"
    return None
