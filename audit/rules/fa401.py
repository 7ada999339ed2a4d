"""The switches in the builds' environment are booleans."""

from __future__ import annotations

from audit import versions
from audit.facts.build_env import BuildEnv
from audit.facts.docker_client import DockerClient
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, ok
from audit.shape import Prediction, boolean, refuses_empty, said

rule = Rule(
    id="FA401",
    title="The switches in the builds' environment are booleans",
    severity=Severity.ERROR,
    why="Docker takes 1, t, true, 0, f, false and nothing else: `yes`, `on` and an empty value end the build, at the "
    "latest when the worker moves to the containerd store.",
    symptom='invalid BUILDX_NO_DEFAULT_ATTESTATIONS: strconv.ParseBool: parsing "": invalid syntax',
    remedy="Write 1 or 0, or take the variable out of the place that the evidence names; then restart the build unit.",
    refs=("docker/buildx build/opt.go", "docker/cli cmd/docker/builder.go"),
)

SWITCHES = (
    "DOCKER_BUILDKIT",
    "BUILDX_NO_DEFAULT_ATTESTATIONS",
    "BUILDX_NO_DEFAULT_OCI_ARTIFACT",
    "BUILDX_NO_DEFAULT_LOAD",
)


def check(env: BuildEnv, push: Prediction, client: DockerClient | Unknown) -> Result:
    """Where a plain build is known to end well all the same, it is a warning: the day comes."""
    found = [setting for setting in env.builds if setting.name in SWITCHES]
    wrong = [setting for setting in found if boolean(setting.value) is None]
    blank = next((setting for setting in wrong if setting.name == "DOCKER_BUILDKIT" and not setting.value), None)
    if blank is not None:  # only clients 23.0.0 to 23.0.4 take it for more than unset
        if isinstance(client, Unknown) or versions.parse(client.version) is None:
            return cannot_tell("whether this client refuses an empty DOCKER_BUILDKIT is not known", said(blank))
        if not refuses_empty(client):
            wrong.remove(blank)
    if not wrong:
        return ok("every switch is a boolean", *([said(setting) for setting in found] or ["none of them is set"]))
    names = " and ".join(setting.name for setting in wrong)
    message = f"{names} {'is no boolean' if len(wrong) == 1 else 'are no booleans'}"
    evidence = tuple(said(setting) for setting in wrong)
    if push.kind in ("flat", "index", "none"):
        return fail(f"{message}; no plain build fails of it today", *evidence, severity=Severity.WARNING)
    return fail(message, *evidence)
