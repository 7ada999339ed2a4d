"""docker build and docker buildx build leave the same shape."""

from __future__ import annotations

from audit.fact import Facts
from audit.facts.build_env import BuildEnv
from audit.facts.builders import Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, ok
from audit.rules._buildx import out_of_use
from audit.shape import Command, How, Prediction, predict

rule = Rule(
    id="FA403",
    title="`docker build` and `docker buildx build` leave the same shape",
    severity=Severity.WARNING,
    why="The first takes the engine's own builder, the second the selected one: two scripts that look alike push "
    "different things from one worker.",
    symptom="No output specified with docker-container driver. Build result will only remain in the build cache.",
    remedy="`docker buildx use default` as the account of the builds, or name the builder in every build (--builder).",
    refs=("docker/cli cmd/docker/builder.go", "docker/buildx build/opt.go"),
)


def check(
    client: DockerClient,
    buildx: Buildx,
    store: ImageStore,
    env: BuildEnv,
    builders: Builders | Unknown,
    engine: Engine | Unknown,
) -> Result:
    """The same worker, predicted twice."""
    if (out := out_of_use(buildx)) is not None:
        return out
    known = (client, buildx, store, env, builders, engine)
    facts = Facts({fact.fact_name(): fact for fact in known if not isinstance(fact, Unknown)})
    plain, explicit = (_predicted(facts, command) for command in ("docker build", "docker buildx build"))
    evidence = (*_lines("docker build", plain), *_lines("docker buildx build", explicit))
    if "unknown" in (plain.kind, explicit.kind):
        return cannot_tell("what one of the two commands leaves is not known", *evidence)
    if plain.kind == explicit.kind:
        return ok(f"both commands leave the same: {_WORDS[plain.kind]}", *evidence)
    message = f"`docker build` leaves {_WORDS[plain.kind]}, `docker buildx build` {_WORDS[explicit.kind]}"
    return fail(message, *evidence)


_WORDS = {
    "flat": "a flat manifest",
    "index": "an index",
    "none": "nothing to push",
    "fails": "an error",
}


def _predicted(facts: Facts, command: Command) -> Prediction:
    return predict(facts, How(command=command))


def _lines(command: str, push: Prediction) -> tuple[str, ...]:
    return tuple(f"{command}: {reason}" for reason in (*push.reasons, *push.missing))
