"""No copy of buildx hides another one."""

from __future__ import annotations

from audit.facts.buildx import Buildx
from audit.model import Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA303",
    title="No copy of buildx hides another version",
    severity=Severity.WARNING,
    why="Docker takes the first copy it finds, and the account's own folder comes before the packaged ones: upgrades "
    "of the package change nothing, and another account builds with another version.",
    symptom="`apt` says that buildx is upgraded, `docker buildx version` still says the old one.",
    remedy="Remove the copy that `docker info` shows as Path (mostly ~/.docker/cli-plugins), keep the packaged one.",
    refs=("docker/cli cli-plugins/manager/manager.go",),
)


def check(buildx: Buildx) -> Result:
    """Copies of one version (two system folders, a link) do no harm."""
    if buildx.state == "missing":
        return not_applicable("buildx is missing, see FA301")
    lines = tuple(
        f"{copy.path}: {copy.version or copy.error or 'version not known'}{' (in use)' if copy.in_use else ''}"
        for copy in buildx.copies
    )
    used = next((copy for copy in buildx.copies if copy.in_use), None)
    if used is None:
        return cannot_tell("which copies of buildx there are is not known", *lines)
    hidden = [copy for copy in buildx.copies if not copy.in_use]
    if not hidden:
        return ok("one copy of buildx", *lines)
    if used.version is not None and all(copy.version == used.version for copy in hidden):
        return ok("every copy of buildx is of the same version", *lines)
    other = next((copy for copy in hidden if copy.version), None)
    if used.version is None and buildx.state == "present":
        return cannot_tell("there are several copies of buildx, and the version in use is not known", *lines)
    if other is None:
        unread = next((copy for copy in hidden if copy.error is None), None)
        if unread is not None:
            return cannot_tell("there are several copies of buildx, of versions not known", *lines)
        return ok("the other copies of buildx do not run", *lines)
    message = f"buildx {used.version or '(broken)'} hides {other.version}"
    return fail(message, *lines, remedy=f"Remove {used.path}, or make it the version of {other.path}.")
