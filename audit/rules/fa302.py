"""The buildx plugin runs."""

from __future__ import annotations

from audit.facts.buildx import Buildx
from audit.model import Severity
from audit.rule import Result, Rule, fail, not_applicable, ok
from audit.rules._buildx import seen

rule = Rule(
    id="FA302",
    title="The buildx plugin runs",
    severity=Severity.ERROR,
    why="A plugin that does not run counts as none: `docker build` falls back to the legacy builder with a warning "
    "that nobody reads, or fails where BuildKit is asked for.",
    symptom="ERROR: BuildKit is enabled but the buildx component is missing or broken.",
    remedy="Run `docker buildx version` as the account of the builds; reinstall the plugin's package.",
    refs=("docker/cli cmd/docker/builder.go",),
)


def check(buildx: Buildx) -> Result:
    """Only the copy that docker takes counts; a good one behind it is not looked for."""
    if buildx.state == "missing":
        return not_applicable("buildx is missing, see FA301")
    if buildx.state == "present":
        return ok("buildx runs", *seen(buildx))
    place = buildx.path or "the plugin"
    evidence = [f"{place}: {buildx.error}" if buildx.error else f"{place} gives no reason"]
    good = [copy for copy in buildx.copies if copy.version and not copy.in_use]
    evidence += [f"hidden behind it: {copy.path} {copy.version}" for copy in good]
    remedy = f"Remove {buildx.path}: it hides {good[0].path}, which runs." if good and buildx.path else ""
    return fail("buildx is there, but does not run", *evidence, remedy=remedy)
