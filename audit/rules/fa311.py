"""The selected builder works."""

from __future__ import annotations

from audit.facts.builders import Builders
from audit.facts.buildx import Buildx
from audit.facts.engine import Engine
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, ok
from audit.rules._buildx import out_of_use

rule = Rule(
    id="FA311",
    title="The selected builder works",
    severity=Severity.WARNING,
    why="`docker buildx build` takes the selected builder: where a node is in error, the build waits or fails.",
    symptom='ERROR: no builder "…" found, or a build that hangs at `[internal] booting buildkit`.',
    remedy="Look at `docker buildx inspect --bootstrap` as the account of the builds; `docker buildx rm` the dead "
    "builder and `docker buildx use default`.",
    refs=("docs.docker.com/reference/cli/docker/buildx/ls",),
)


def check(buildx: Buildx, builders: Builders | Unknown, engine: Engine | Unknown) -> Result:
    """A stopped container builder starts at the next build: that is a note. A dead engine is another rule's finding."""
    if (out := out_of_use(buildx)) is not None:
        return out
    if isinstance(engine, Unknown):
        return cannot_tell(f"the engine is not known: {engine.detail or engine.reason}")
    if isinstance(builders, Unknown):
        return cannot_tell(f"the builders are not known: {builders.detail or builders.reason}")
    if builders.selected is None:
        return cannot_tell("which builder is selected is not known")
    builder = builders.named(builders.selected)
    if builder is None:
        known = ", ".join(one.name for one in builders.builders) or "none"
        return fail(f"the selected builder {builders.selected} does not exist", f"builders: {known}")
    evidence = [f"builder {builder.name}, driver {builder.driver}"]
    evidence += [
        f"node {node.name} {node.status or 'of unknown status'}{f': {node.error}' if node.error else ''}"
        for node in builder.nodes
    ]
    if builder.error:
        evidence.append(builder.error)
    statuses = {node.status for node in builder.nodes}
    if builder.error or "error" in statuses or any(node.error for node in builder.nodes):
        return fail(f"the selected builder {builder.name} is in error", *evidence)
    if "running" in statuses and statuses == {"running"}:
        return ok(f"the selected builder {builder.name} runs", *evidence)
    if builder.driver == "docker" and statuses <= {""}:
        return ok(f"the selected builder {builder.name} is the engine itself, which answers", *evidence)
    if not statuses or "" in statuses:
        return cannot_tell(f"the status of the selected builder {builder.name} is not known", *evidence)
    said = f"the selected builder {builder.name} does not run; the next build starts it"
    return fail(said, *evidence, severity=Severity.NOTE)
