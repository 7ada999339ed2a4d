"""What the rules about the buildx plugin have in common."""

from __future__ import annotations

from audit.facts.buildx import Buildx
from audit.rule import Result, cannot_tell, not_applicable


def out_of_use(buildx: Buildx) -> Result | None:
    """What to say where no buildx runs, so that its version does not matter; None where one does."""
    if buildx.state == "missing":
        return not_applicable("buildx is missing, see FA301")
    if buildx.state == "broken":
        return not_applicable("buildx does not run, see FA302")
    return None


def seen(buildx: Buildx) -> tuple[str, ...]:
    """Evidence: the version in use, where it stands, and the package that brought it."""
    place = f" at {buildx.path}" if buildx.path else ""
    package = (f"package {buildx.package}",) if buildx.package else ()
    return (f"buildx {buildx.version or '?'}{place}", *package)


def unreadable(buildx: Buildx) -> Result:
    """A version that cannot be compared, e.g. of a build by hand."""
    return cannot_tell("the version of buildx cannot be read", *seen(buildx))
