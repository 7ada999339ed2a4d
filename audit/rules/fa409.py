"""The worker holds no other credentials than the wanted ones."""

from __future__ import annotations

from audit.facts.credentials import Credential, Credentials
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, fail, not_applicable, ok

rule = Rule(
    id="FA409",
    title="The worker holds credentials of the wanted registries only",
    severity=Severity.ERROR,
    why="A worker runs other people's Dockerfiles: whoever gets out of a build pushes to every registry that the "
    "worker can log in to.",
    symptom="None, until a tag changes that no release has written.",
    remedy="`docker logout REGISTRY` as the account that the evidence names, and revoke that token at the registry.",
)

HUB = {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"}


def check(credentials: Credentials, policy: HostPolicy) -> Result:
    """Against `wanted.registries`; an empty list wants none at all."""
    if policy.wanted.registries is None:
        return not_applicable("the policy names no registries")
    wanted = {_registry(name) for name in policy.wanted.registries}
    allowed = f"wanted: {', '.join(policy.wanted.registries) or 'none'}"
    extra = [found for found in credentials.found if _registry(found.registry) not in wanted]
    if not extra:
        return ok("no credentials but the wanted ones", *(line(found) for found in credentials.found), allowed)
    names = tuple(dict.fromkeys(found.registry for found in extra))
    logouts = " && ".join(f"docker logout {name}" for name in names)
    return fail(
        f"live credentials on the worker: {', '.join(names)}",
        *(line(found) for found in extra),
        allowed,
        remedy=f"As the account that the evidence names: `{logouts}`; revoke the token at the registry.",
    )


def line(found: Credential) -> str:
    """One evidence line; there is no value to show."""
    how = f"helper {found.helper or '?'}" if found.keeping == "helper" else f"{found.keeping} in the file"
    return f"{found.registry}: {how}, {found.path} (account of the {found.account})"


def _registry(name: str) -> str:
    """A registry as two spellings of it compare: without scheme and path, Docker Hub under one name."""
    host = name.lower().partition("://")[2] or name.lower()
    host = host.partition("/")[0]
    return "docker.io" if host in HUB else host
