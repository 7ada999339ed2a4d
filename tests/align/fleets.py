"""Parts of the recorded fleet in pools of a test's own, or with facts of its own, and how they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from audit.align import Align, HostAlign, Way
from audit.align.told import FORMATS, Drawn
from audit.fact import Fact, Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.builders import Builder, BuilderNode, Builders
from audit.model import Fleet, PolicyLayer
from audit.reports._style import Style
from audit.run import Run
from audit.shape import How, predict
from tests.onboard.test_assess import run

COMMAND = ("ansible-playbook", "-i", "inventory", "playbooks/remediate.yml")


def drawn(
    found: Align, *, plan: bool = True, form: str = "text", command: tuple[str, ...] = COMMAND, **style: Any
) -> str:
    """As it is printed."""
    return "".join(FORMATS[form](Drawn(found, plan, command), Style(**style)))


def pooled(pools: Mapping[str, str | None], wants: Mapping[str, str] | None = None) -> Run:
    """Workers of the recorded fleet in these pools; the policy wants a shape of some of them."""
    judged = run(*pools)
    hosts = tuple(host.model_copy(update={"pool": pools[host.name], "platform": None}) for host in judged.fleet.hosts)
    layers = [
        PolicyLayer.model_validate(
            {"scope": f"host:{name}", "source": {"file": "p"}, "wanted": {"push": shape}}, strict=False
        )
        for name, shape in (wants or {}).items()
    ]
    policy = judged.fleet.policy.model_copy(update={"layers": (*judged.fleet.policy.layers, *layers)})
    return Run.of(Fleet(hosts=hosts, policy=policy), judged.evidence)


def altered(name: str, *facts: Fact, host: Mapping[str, Any] | None = None) -> Run:
    """One worker of the recorded fleet, alone, with other facts."""
    judged = run(name)
    (member,) = judged.view.members
    known = Facts({**dict(member.facts.items()), **{type(fact).fact_name(): fact for fact in facts}})
    new = replace(member, host=member.host.model_copy(update=host or {}), facts=known, push=predict(known, How()))
    return replace(judged, facts={name: known}, view=replace(judged.view, members=(new,)))


def only(found: Align) -> HostAlign:
    """Its one host."""
    (one,) = found.hosts
    return one


def working(found: Align) -> list[Way]:
    """The ways of its one host that do."""
    return [way for way in only(found).ways if way.works]


def with_environment(name: str, **variables: str) -> BuildEnv:
    """What the builds get."""
    env = run(name).facts[name][BuildEnv]
    assert isinstance(env, BuildEnv)
    settings = tuple(Setting(name=key, value=value, where="unit") for key, value in variables.items())
    return env.model_copy(update={"service" if env.service is not None else "shell": settings, "all": settings})


CONTAINER = Builders(
    builders=(
        Builder(name="default", driver="docker", selected=True),
        Builder(name="big one", driver="docker-container",
                nodes=(BuilderNode(name="n", buildkit="v0.20.0", platforms=("linux/riscv64", "linux/amd64")),)),
    ),
    selected="default",
)  # fmt: skip
