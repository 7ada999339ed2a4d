"""The engine's API floor lets older clients in."""

from __future__ import annotations

from audit import versions
from audit.facts.engine import Engine
from audit.model import Severity
from audit.rule import Result, Rule, cannot_tell, fail, ok

rule = Rule(
    id="FA113",
    title="The engine's API floor lets older clients in",
    severity=Severity.NOTE,
    why="Build tools and libraries that pin an older API version stop working; 29.3 lowered the floor again to 1.40.",
    symptom="client version 1.32 is too old. Minimum supported API version is 1.44 (testcontainers, traefik)",
    remedy='Upgrade the engine to 29.3 or newer, or set daemon.json `"min-api-version": "1.24"` (before 29: '
    "DOCKER_MIN_API_VERSION=1.24 in the environment of docker.service).",
    refs=("moby v29.2.1 and v29.3.0 daemon/config/config.go", "traefik/traefik#12253"),
)

USUAL = "1.40"


def check(engine: Engine) -> Result:
    """The docker command itself is FA107's business; this is about everything else on the worker."""
    evidence = (f"engine {engine.version} accepts API {engine.min_api_version or '?'} and newer",)
    higher = versions.within(engine.min_api_version, f">{USUAL}")
    if higher is None:
        return cannot_tell("the engine does not say its lowest API version", *evidence)
    if higher:
        return fail(f"clients below API {engine.min_api_version} are refused", *evidence)
    return ok("the API floor is low enough for older clients", *evidence)
