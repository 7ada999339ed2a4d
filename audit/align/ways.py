"""What on one worker gives the wanted shape: each change tried by the predictor, the least intrusive first."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from audit import versions
from audit.align.model import Wanted, Way, WayId
from audit.fact import Facts
from audit.facts.build_env import BuildEnv
from audit.facts.builders import Builder, Builders
from audit.facts.buildx import Buildx
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Fleet, Host, Unknown
from audit.rule import Member
from audit.run import Run
from audit.shape import Prediction, parse_how, predict
from audit.shape.how import boolean
from audit.shape.instance import CONTAINER_DRIVERS
from audit.shape.known import NEWEST
from audit.whatif.changes import Changes
from audit.whatif.compare import compare, shape_text
from audit.whatif.then import facts_then

SWITCH, KIT = "BUILDX_NO_DEFAULT_ATTESTATIONS", "DOCKER_BUILDKIT"
_FLAG = {"flat": "--provenance=false", "index": "--provenance=mode=min"}
_SCRIPTS = "every script and pipeline that builds there must say it, each time"
_PUSHES = "the build pushes by itself: a `docker push` after it goes, and so may the image of `docker images`"
_NOTHING = Changes()
_PAIR = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True)
class _Step:
    """One change of a worker, in words, as `whatif` takes it, and as the playbooks do.

    Attributes:
        flags: of the build's command line, each a try of its own; other steps have none.
        words: for remediate.yml, beside the tag.
    """

    id: WayId
    what: str
    changes: Changes = _NOTHING
    flags: tuple[str, ...] = ()
    tag: str = ""
    words: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()


def ways(run: Run, member: Member, wanted: Wanted) -> Iterator[Way]:
    """Least intrusive first: at one build, of one service, of the worker's engine; two or three together at last.

    Args:
        run: the check.
        member: that pushes another shape.
        wanted: the shape.

    Returns:
        Every single change, also what does not do; of several together, which are tried only where no single one
        does, those that do.
    """
    steps = tuple(_steps(member, wanted))
    for many in range(1, len(steps) + 1):
        chosen = combinations(enumerate(steps), many)  # the most intrusive of two decides which of them comes first
        found = [
            _way(run, member, wanted, [step for _, step in some])
            for some in sorted(chosen, key=lambda some: [number for number, _ in reversed(some)])
        ]
        yield from (way for way in found if many == 1 or way.works)
        if any(way.works for way in found):
            return


def _steps(member: Member, wanted: Wanted) -> Iterator[_Step]:
    facts = member.facts
    yield _Step("flag", "", flags=tuple(_flags(facts, wanted)), risks=(_SCRIPTS,))
    yield from _environment(member, wanted)
    buildx = facts[Buildx]
    if not isinstance(buildx, Unknown) and buildx.state != "present":
        newest = NEWEST["buildx"]
        yield _Step(
            "buildx", "the buildx plugin installed", Changes(buildx=newest, said=(f"buildx={newest}",)),
            tag="FA302" if buildx.state == "broken" else "FA301",
            risks=("every build goes by buildx then, no longer by the legacy builder",),
        )  # fmt: skip
    engine = facts[Engine]
    if not isinstance(engine, Unknown) and versions.at_least(engine.version, NEWEST["engine"]) is False:
        newest = NEWEST["engine"]
        upgrade = Changes(engine=newest, client=NEWEST["client"], wipe="upgrade", said=(f"docker={newest}",))
        yield _Step("engine", f"docker upgraded to {newest}", upgrade)
    store = facts[ImageStore]
    if not isinstance(store, Unknown) and (store.kind == "containerd") is (wanted == "flat"):
        yield _store(facts, wanted)


def _flags(facts: Facts, wanted: Wanted) -> Iterator[str]:
    """From one flag to a builder of its own; a result that stays in the builder must be pushed by the build."""
    flag = _FLAG[wanted]
    yield from (flag, f"{flag} --push", "--push")
    for builder in _containers(facts):
        yield f"--builder {shlex.quote(builder.name)} {flag} --push"


def _environment(member: Member, wanted: Wanted) -> Iterator[_Step]:
    unit, env = member.host.build_unit, member.facts[BuildEnv]
    where = f"in {unit}" if unit else "where the builds get their environment"
    restart = (
        f"{unit} starts anew, which ends what it builds"
        if unit
        else "every login and pipeline that builds there must be given it"
    )
    lost = ("no build of that service attests its provenance any more",) if wanted == "flat" else ()
    value, word = ("1", f"{SWITCH}=1 {where}") if wanted == "flat" else (None, f"no {SWITCH} {where}")
    if wanted == "flat" or isinstance(env, Unknown) or env.get(SWITCH) is not None:
        yield _Step(
            "environment", word, Changes(env=((SWITCH, value),), said=(f"env.{SWITCH}",)),
            tag="FA404" if unit else "",
            words=("-e", f"attestations={'suppress' if wanted == 'flat' else 'keep'}"), risks=(*lost, restart),
        )  # fmt: skip
    kit = None if isinstance(env, Unknown) else env.get(KIT)
    if kit is not None and kit.value and boolean(kit.value) is not True:
        yield _Step(
            "environment", f"no {KIT} {where}", Changes(env=((KIT, None),), said=(f"env.{KIT}",)),
            risks=("every build goes by BuildKit then, no longer by the legacy builder", restart),
        )  # fmt: skip


def _store(facts: Facts, wanted: Wanted) -> _Step:
    """The playbook refuses while there are images or containers, so the command names what lets it go on."""
    name, on = ("overlay2", False) if wanted == "flat" else ("containerd", True)
    engine = facts[Engine]
    images, running = (None, None) if isinstance(engine, Unknown) else (engine.images, engine.running)
    empty = images == 0 and not running
    hidden: tuple[str, ...] = ()
    if not empty:
        many = "its images" if images is None else f"its {images} image{'s' * (images != 1)}"
        hidden = (f"{many} and all containers are not seen any more, and keep their space: push what is needed first",)
    said = f"features.containerd-snapshotter={str(on).lower()}"
    return _Step(
        "store", f"the image store {name}", Changes(features=(("containerd-snapshotter", on),), said=(said,)),
        tag="FA201", words=("-e", f"image_store={name}", *(() if empty else ("-e", "images_may_vanish=true"))),
        risks=hidden,
    )  # fmt: skip


def _containers(facts: Facts) -> tuple[Builder, ...]:
    """Builders with a BuildKit of their own."""
    builders = facts[Builders]
    if isinstance(builders, Unknown):
        return ()
    return tuple(one for one in builders.builders if one.driver in CONTAINER_DRIVERS and one.error is None)[:4]


# ---------------------------------------------------------------- one of them, tried


def _way(run: Run, member: Member, wanted: Wanted, steps: Sequence[_Step]) -> Way:
    changes = _together(steps)
    then = facts_then(member.facts, changes, member.host)
    tries = next((step.flags for step in steps if step.flags), ("",))
    found = [(flag, predict(then.facts, parse_how(f"docker build {flag}"))) for flag in tries]
    flag, leaves = next(((flag, one) for flag, one in found if one.kind == wanted), found[0])
    refused = f"the engine refuses it: {then.refuses}" if then.refuses else ""
    works = leaves.kind == wanted and not refused
    risks = [risk for step in steps for risk in step.risks]
    if works and changes.said:
        risks += _breaks(run, member.host, changes, without=any(step.id == "store" for step in steps))
    if "--push" in flag:
        risks.append(_PUSHES)
    rest = [step for step in steps if not step.flags]
    ours = all(step.tag for step in rest) and rest
    tags = ",".join(dict.fromkeys(step.tag for step in rest))
    return Way(
        id=steps[-1].id,
        parts=tuple(step.id for step in steps),
        what=", and ".join(step.what or f"{flag} at each build" for step in steps),
        works=works,
        leaves=refused or _leaves(leaves),
        several=_several(member.facts, then.facts, flag, wanted) if works else "",
        risks=tuple(dict.fromkeys(risks)) if works else (),
        playbook=("--tags", tags, *(word for step in rest for word in step.words)) if ours else (),
    )


def _together(steps: Sequence[_Step]) -> Changes:
    def first(name: str) -> str | None:
        return next((getattr(step.changes, name) for step in steps if getattr(step.changes, name)), None)

    return Changes.model_validate(
        {
            **{name: first(name) for name in ("engine", "client", "wipe", "buildx")},
            **{
                name: tuple(one for step in steps for one in getattr(step.changes, name))
                for name in ("env", "features", "said")
            },
        }
    )


def _several(now: Facts, then: Facts, flag: str, wanted: Wanted) -> str:
    """What a build of two platforms leaves after the change; empty: it cannot be done now, or is as wanted."""
    builders = _containers(now)
    lines = ["docker build --push", "docker buildx build --push"]
    lines += [f"docker buildx build --push --builder {shlex.quote(one.name)}" for one in builders]
    told = []
    for line in lines:
        asked = f"{line} --platform {','.join(_pair(now))}"
        if predict(now, parse_how(asked)).kind not in ("flat", "index"):
            continue
        after = predict(then, parse_how(f"{asked} {flag}"))
        told.append((after.kind, shape_text(after)))
    return next((text for kind, text in told if kind != wanted), "")


def _pair(facts: Facts) -> tuple[str, str]:
    """Two platforms that one of its builders has; for the store of the engine any two do."""
    for builder in _containers(facts):
        found = tuple(dict.fromkeys(platform for node in builder.nodes for platform in node.platforms))
        if len(found) > 1:
            return found[0], found[1]
    return _PAIR


def _leaves(found: Prediction) -> str:
    last = found.reasons[-1] if found.reasons and found.kind in ("fails", "none") else ""
    return f"{shape_text(found)}: {last}" if last else shape_text(found)


def _breaks(run: Run, host: Host, changes: Changes, *, without: bool) -> list[str]:
    """What `whatif` says breaks with it; `without` that images vanish, which the step itself says."""
    fleet = Fleet(hosts=(host,), policy=run.fleet.policy)
    (one,) = compare(fleet, {host.name: run.facts[host.name]}, changes, run.when).hosts
    said = {"manifest-list"} | ({"images-vanish"} if without else set())
    broken = [f"{found.what}{f' ({found.only})' if found.only else ''}" for found in one.breaks
              if not found.already and found.id not in said]  # fmt: skip
    return broken + (["the engine starts anew, which ends what builds"] if changes.restarts else [])
