"""What a way of building and pushing on a worker will leave at the registry, and why.

    predict       facts and a way of building in, a Prediction out: every shape that the facts leave possible
    parse_how     a command line as a way of building
    differences   a predicted shape against what a registry serves

Pure. The order of evaluation is docker's own: `walk` says who builds (docker/cli cmd/docker/builder.go), `instance`
which builder and driver, `wanted` which attestations are asked for, `exports` what BuildKit's exporter makes of it
(docker/buildx build/opt.go, moby/buildkit exporter/containerimage), `arrival` what the push leaves (moby
daemon/containerd/image_push.go). What a version does stands in one table, `known`. `world` answers the questions, and
forks where a fact is unknown, so that the answer is a set and never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from audit import versions
from audit.fact import Fact, Facts
from audit.facts.build_env import BuildEnv
from audit.facts.builders import Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Reason, Unknown
from audit.shape.agree import differences
from audit.shape.how import Command, How, boolean
from audit.shape.line import parse_how
from audit.shape.result import Prediction, Shape
from audit.shape.walk import Walk
from audit.shape.world import Fork, Told, Untold, World, is_dark, said

__all__ = [
    "Command", "How", "Prediction", "Shape", "Told", "boolean", "differences", "parse_how", "predict", "refuses_empty",
    "said",
]  # fmt: skip

PLAIN = How()
MOST_READINGS = 3000
"""Readings of unknown facts that are looked at; where there are more, nothing is said."""

READ: tuple[type[Fact], ...] = (DockerClient, Buildx, Engine, ImageStore, BuildEnv, Builders)
"""The facts that a prediction rests on."""


def predict(facts: Facts, how: How = PLAIN) -> Prediction:
    """Every shape that a build and push of this kind may leave, as far as the worker's facts tell.

    Args:
        facts: of one worker; an Unknown one that decides makes the answer a set.
        how: the way of building and pushing; a plain `docker build` and `docker push` unless told otherwise.
    """
    client = facts[DockerClient]
    if not isinstance(client, Unknown) and client.kind != "docker":
        absent = client.kind == "absent"
        return Prediction(missing=("there is no docker command" if absent else NOT_DOCKERS,))
    known = [facts[kind] for kind in READ]
    dark = {kind: value for kind, value in zip(READ, known, strict=True) if isinstance(value, Unknown)}
    if not dark:
        return _predict(facts, how)
    if len(dark) == len(READ):  # every shape that there is, would be the answer
        return Prediction(missing=(is_dark(DockerClient, dark[DockerClient]),))
    # A fleet has many workers that are dark in one way and for reasons of their own: one answer, their own words.
    found = _dimmed(tuple(DARK if isinstance(value, Unknown) else value for value in known), how)
    return found.model_copy(update={"missing": tuple(_in_words(why, dark) for why in found.missing)})


DARK = Unknown(reason=Reason.NOT_ASKED, detail="the place of a reason")


@lru_cache(maxsize=1024)
def _dimmed(known: tuple[Fact | Unknown, ...], how: How) -> Prediction:
    """The prediction for workers with just these facts known."""
    return _predict(Facts({kind.fact_name(): value for kind, value in zip(READ, known, strict=True)}), how)


def _in_words(why: str, dark: Mapping[type[Fact], Unknown]) -> str:
    """A reason with what this very worker said."""
    for kind, unknown in dark.items():
        if why == is_dark(kind, DARK):
            return is_dark(kind, unknown)
    return why


def _predict(facts: Facts, how: How) -> Prediction:
    found: dict[tuple[object, ...], Shape] = {}
    why: dict[str, None] = {}
    assumed: dict[str, None] = dict.fromkeys([BAKE] if how.command == "docker buildx bake" else [])
    script: tuple[int, ...] = ()
    for _ in range(MOST_READINGS):
        fork = Fork(script)
        world = World(facts, how, fork)
        try:
            shape = Walk(world, how).shape()
        except Untold as end:
            return Prediction(missing=(str(end),))
        following = fork.after()
        if following is None and not found:  # nothing is unknown
            return Prediction.model_construct(shapes=(shape,), missing=(), assumed=(*assumed, *world.assumed))
        found.setdefault(tuple(value for name, value in shape.__dict__.items() if name != "steps"), shape)
        why.update(dict.fromkeys(fork.why))
        assumed.update(dict.fromkeys(world.assumed))
        if following is None:
            shapes = tuple(found.values())
            missing = tuple(why) if len(shapes) > 1 else ()
            return Prediction.model_construct(shapes=shapes, missing=missing, assumed=tuple(assumed))
        script = following
    return Prediction.model_construct(shapes=(), missing=(*why, "too much is unknown to say more"), assumed=())


NOT_DOCKERS = "the docker command is not Docker's own"
BAKE = "the bake file names no attestation, output or platform of its own"


def refuses_empty(client: DockerClient) -> bool:
    """Clients 23.0.0 to 23.0.4 take a DOCKER_BUILDKIT that is set but empty for a wrong one."""
    return bool(versions.within(client.version, ">=23.0.0,<23.0.5"))
