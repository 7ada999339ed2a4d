"""The client speaks an API version that the engine accepts."""

from __future__ import annotations

from audit import versions
from audit.facts.build_env import BuildEnv
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._text import refusal

rule = Rule(
    id="FA107",
    title="The client speaks an API version that the engine accepts",
    severity=Severity.ERROR,
    why="Engine 29.0 to 29.2 accepts no API below 1.44, 29.3 and newer none below 1.40; a client of 24 speaks 1.43.",
    symptom="client version 1.43 is too old. Minimum supported API version is 1.44, please upgrade your client",
    remedy='Upgrade the client with the engine; for the time until then: daemon.json `"min-api-version": "1.24"`.',
    cause=True,
    refs=("moby daemon/config/config.go (MinAPIVersion)",),
)

PIN = "DOCKER_API_VERSION"


def check(client: DockerClient, engine: Engine | Unknown, env: BuildEnv | Unknown) -> Result:
    """Client against floor, and the version that the builds' environment pins against floor and ceiling."""
    if client.kind != "docker":
        return not_applicable("there is no docker command of Docker's own")
    pin = None if isinstance(env, Unknown) else env.get(PIN)
    pinned = (f"{PIN}={pin.value} from {pin.place}",) if pin else ()
    if isinstance(engine, Unknown):
        words = refusal(engine)
        if words:
            return fail("the engine refuses the client's API version", words, *pinned)
        return cannot_tell(f"the engine is not known: {engine.detail or engine.reason}")
    floor, ceiling = versions.parse(engine.min_api_version), versions.parse(engine.api_version)
    evidence = (
        f"client speaks up to {client.api_version or '?'}",
        f"engine accepts {engine.min_api_version or '?'} to {engine.api_version or '?'}",
        *pinned,
    )
    if floor is None:
        return cannot_tell("the engine does not say which API versions it accepts", *evidence)
    if pin is not None and pin.value:
        asked = versions.parse(pin.value)
        unset = f"Take {PIN} out of {pin.place}: the client finds a version by itself."
        if asked is None:
            return fail(f"{PIN} is not a version", *evidence, remedy=unset)
        if asked < floor:
            return fail(f"{PIN} is below the engine's floor {engine.min_api_version}", *evidence, remedy=unset)
        if ceiling is not None and asked > ceiling:
            return fail(f"{PIN} is above the engine's newest API {engine.api_version}", *evidence, remedy=unset)
    spoken = versions.parse(client.api_version)
    if spoken is None:
        return cannot_tell("the client does not say which API version it speaks", *evidence)
    if spoken < floor:
        message = f"the client speaks API {client.api_version}, the engine wants {engine.min_api_version} or newer"
        return fail(message, *evidence)
    return ok("client and engine have an API version in common", *evidence)
