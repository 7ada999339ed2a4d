"""DOCKER_DEFAULT_PLATFORM leaves the builds on the worker's platform."""

from __future__ import annotations

from audit.facts.build_env import BuildEnv
from audit.facts.machine import Machine
from audit.model import Host, Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, ok
from audit.shape import said

rule = Rule(
    id="FA407",
    title="DOCKER_DEFAULT_PLATFORM leaves the builds on the worker's platform",
    severity=Severity.ERROR,
    why="The variable turns every plain build to its platform: the image goes out under the worker's own, or two "
    "platforms make an index.",
    symptom="exec format error on the user's machine, or builds that are suddenly ten times slower (emulation).",
    remedy="Take DOCKER_DEFAULT_PLATFORM out of the builds' environment, or make it the declared platform.",
    refs=("docker/buildx commands/build.go",),
)

NAME = "DOCKER_DEFAULT_PLATFORM"


def check(env: BuildEnv, host: Host, machine: Machine | Unknown) -> Result:
    """Against the declared platform, else the machine's own."""
    setting = env.get(NAME)
    if setting is None or not setting.value:
        return ok(f"{NAME} is not set", f"not among the {len(env.builds)} settings of the builds")
    own = host.platform or (None if isinstance(machine, Unknown) else machine.platform)
    if own is None:
        return cannot_tell(f"{NAME} is set, and the worker's platform is not known", said(setting))
    if _family(setting.value) == _family(own):
        return ok(f"{NAME} is the worker's platform", said(setting))
    remedy = f"Take {NAME} out of {setting.place}, or make it {own}."
    return fail(f"{NAME} turns the builds to {setting.value}", said(setting), f"the worker is {own}", remedy=remedy)


def _family(platform: str) -> str:
    """OS and architecture without the variant; the OS is linux where it is left out."""
    parts = platform.lower().split("/")
    return "/".join(parts[:2]) if len(parts) > 1 else f"linux/{parts[0]}"
