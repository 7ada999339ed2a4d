"""Alignment of the recorded fleet: each proposal holds when it is tried another way, and unknown is never aligned."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from audit.align import Align, HostAlign, Target, Way, align
from audit.align.told import FORMATS, Drawn, schema
from audit.cli.app import run as command
from audit.errors import UsageError
from audit.fact import Fact, Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.builders import Builder, BuilderNode, Builders
from audit.facts.engine import Engine
from audit.model import Fleet, PolicyLayer
from audit.reports._style import Style
from audit.run import Run
from audit.shape import How, parse_how, predict
from audit.whatif.changes import parse_changes
from audit.whatif.then import facts_then
from tests.onboard.test_assess import RECORDED, run

GOLDEN = Path(__file__).parent / "golden"
SETS = {
    "flat": {"environment": "env.BUILDX_NO_DEFAULT_ATTESTATIONS=1", "store": "features.containerd-snapshotter=false"},
    "index": {"store": "features.containerd-snapshotter=true"},
}
FLAG = {"flat": "--provenance=false", "index": "--provenance=mode=min"}
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


@pytest.mark.parametrize("to", ["flat", "index", "majority"])
def test_the_recorded_fleet(to: Target) -> None:
    """The plan as it is printed, to the letter."""
    file = GOLDEN / f"{to}.txt"
    text = drawn(align(run(), to), width=110)
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("to", ["flat", "index"])
def test_a_proposal_holds_when_it_is_tried_as_a_user_would(to: Target) -> None:
    """The flag by the predictor, the single changes by `whatif --set`: each leaves the wanted shape, or does not."""
    judged = run()
    tried = 0
    for one in align(judged, to).hosts:
        facts = judged.facts[one.host]
        for way in one.ways:
            if way.parts == ("flag",):
                kind = predict(facts, parse_how(f"docker build {FLAG[to]}")).kind
            elif len(way.parts) == 1 and (said := SETS[to].get(way.id)) is not None:
                kind = predict(facts_then(facts, parse_changes([said]), judged.hosts[one.host]).facts, How()).kind
            else:
                continue
            tried += 1
            assert (kind == to) is way.works, (one.host, way)
        assert (one.state == "change") is any(way.works for way in one.ways)
    assert tried > 3


def test_less_comes_before_more() -> None:
    """A flag before the environment before the store, single changes before several; every proposal has its risks."""
    order = ["flag", "environment", "buildx", "engine", "store"]
    for to in ("flat", "index"):
        for one in align(run(), to).hosts:
            ranks = [(len(way.parts), [order.index(part) for part in reversed(way.parts)]) for way in one.ways]
            assert ranks == sorted(ranks)
            assert all(way.risks for way in one.ways if way.works), one
            assert all(way.id == way.parts[-1] for way in one.ways)


def test_each_pool_for_itself() -> None:
    """Two pools get a majority each, and what they then push is held together; a worker alone is as it is."""
    found = align(pooled({"amd64": "a", "arm64": "a", "riscv64": "a", "trixie-containerd": "b"}), "majority")
    assert {pool.pool: (pool.to, pool.because) for pool in found.pools} == {
        "a": ("flat", "2 of 3 do already"), "b": ("index", "it is alone in its pool"),
    }  # fmt: skip
    assert [one.host for one in found.hosts if one.state == "change"] == ["riscv64"]
    text = drawn(found, width=200)
    assert text.startswith("align to majority (2 pools, each for itself): 3 aligned, 1 to change\n")
    assert "pool b" not in text, "nothing is to be done there"
    assert "different shapes even then (flat: a; index: b)" in text
    assert len(found.hosts) == len({one.host for one in found.hosts}), "nobody is told twice"


def test_nothing_to_do_is_one_line() -> None:
    """For one pool and for several."""
    assert drawn(align(pooled({"amd64": "a", "arm64": "a"}), "majority")) == (
        "pool a: flat (all do already): 2 aligned\n"
    )
    assert drawn(align(pooled({"amd64": "a", "arm64": "b"}), "flat")).count("\n") == 1


def test_a_host_in_no_pool_has_no_peers() -> None:
    """Neither pool nor platform: nobody says what it should push, unless somebody does."""
    judged = pooled({"amd64": None, "riscv64": None})
    found = align(judged, "majority")
    assert {one.state for one in found.hosts} == {"unknown"}
    assert found.exit_code == 3
    assert drawn(found, width=200).count("is in no pool, so it has no peers") == 2
    assert [one.state for one in align(judged, "flat").hosts] == ["aligned", "change"]
    assert align(pooled({"amd64": None}), "majority").exit_code == 3


def test_the_majority_and_the_policy() -> None:
    """Most push flat; a policy that all share goes before; of two that differ nobody is the majority."""
    three: dict[str, str | None] = {"amd64": "a", "arm64": "a", "riscv64": "a"}
    (pool,) = align(pooled(three, dict.fromkeys(three, "index")), "majority").pools
    assert (pool.to, pool.because) == ("index", "the policy wants it")
    (pool,) = align(pooled(three, dict.fromkeys(three, "index")), "flat").pools
    assert pool.because == "asked for, though the policy wants index"
    tie = align(pooled({"amd64": "a", "riscv64": "a"}), "majority")
    assert tie.pools[0].because == "1 flat, 1 index: no majority; say --to flat or --to index"
    assert {one.state for one in tie.hosts} == {"undecided"}
    assert tie.exit_code == 1, "they differ, whatever they should be"
    assert "riscv64 pushes OCI index" in drawn(tie)
    with pytest.raises(UsageError, match="no host is selected"):
        align(run().part([]), "flat")


def test_policies_that_differ_in_one_pool() -> None:
    """They are named, and what most push decides; where only some of a pool have one, it counts for all."""
    three: dict[str, str | None] = {"amd64": "a", "arm64": "a", "riscv64": "a"}
    (pool,) = align(pooled(three, {"amd64": "flat", "arm64": "index"}), "majority").pools
    assert (pool.to, pool.because) == (
        "flat", "the policy wants flat of amd64 and index of arm64, so it does not decide; 2 of 3 do already",
    )  # fmt: skip
    (pool,) = align(pooled(three, {"arm64": "index"}), "majority").pools
    assert (pool.to, pool.because) == ("index", "the policy wants it of arm64")
    (pool,) = align(pooled(three, {"amd64": "flat", "arm64": "index"}), "flat").pools
    assert pool.because == "asked for, though the policy wants index of arm64"


def test_a_way_says_when_it_holds_for_one_platform_only() -> None:
    """On the containerd store a build of two platforms is an index whatever its flags; on overlay2 there is none."""
    flag, *_, store = working(align(run("riscv64"), "flat"))
    assert (flag.id, flag.several) == ("flag", "Docker list (2 images)")
    assert (store.id, store.several) == ("store", "the build fails")
    assert all(not way.several for way in working(align(run("amd64"), "index"))), "an index is what is wanted"


def test_a_builder_of_its_own_is_tried_before_the_store() -> None:
    """A docker-container builder attests also where the engine's store cannot; its name is quoted for a shell."""
    flag, *others = working(align(altered("amd64", CONTAINER), "index"))
    assert flag.what == "--builder 'big one' --provenance=mode=min --push at each build"
    assert any("pushes by itself" in risk for risk in flag.risks)
    assert [way.id for way in others] == ["store"]
    flat = working(align(altered("riscv64", CONTAINER), "flat"))[0]
    assert (flat.what, flat.several) == ("--provenance=false at each build", "Docker list (2 images)")


def test_a_flag_and_the_environment_together() -> None:
    """Where no single way does: the legacy builder is switched on, and attestations are off."""
    env = with_environment("riscv64", DOCKER_BUILDKIT="0", BUILDX_NO_DEFAULT_ATTESTATIONS="1")
    found = align(altered("riscv64", env), "index")
    first, second = working(found)
    assert first.what == "--provenance=mode=min at each build, and no DOCKER_BUILDKIT in image-builder.service"
    assert (first.parts, first.playbook) == (("flag", "environment"), ())
    assert second.parts == ("environment", "environment")
    assert {"every script and pipeline that builds there must say it, each time",
            "image-builder.service starts anew, which ends what it builds"} <= set(first.risks)  # fmt: skip
    assert not any(way.works for way in only(found).ways if len(way.parts) == 1)
    assert "DOCKER_BUILDKIT" in only(found).why


@pytest.mark.parametrize(("images", "running"), [(12, 0), (0, 1), (None, None)])
def test_a_store_with_images_needs_leave(images: int | None, running: int | None) -> None:
    """The command names what the playbook asks for, and the risk says what it means."""
    engine = run("amd64").facts["amd64"][Engine]
    assert isinstance(engine, Engine)
    full = engine.model_copy(update={"images": images, "running": running})
    found = align(altered("amd64", full), "index")
    assert Drawn(found, True, COMMAND).commands[0].endswith("-e image_store=containerd -e images_may_vanish=true")
    (store,) = working(found)
    assert "are not seen any more" in store.risks[0]
    assert sum("not seen any more" in risk or "vanish" in risk for risk in store.risks) == 1, "said once"
    assert "images_may_vanish" not in drawn(align(run("amd64"), "index"))


def test_commands_are_quoted_and_on_one_line() -> None:
    """A copy into a shell is what was meant."""
    command = ("ansible-playbook", "-i", "my fleet/$(id)", "playbooks/remediate.yml")
    text = drawn(align(run("riscv64"), "flat"), command=command, width=60)
    line = next(line for line in text.splitlines() if "ansible-playbook" in line)
    assert shlex.split(line) == [*command, "--limit", "riscv64", "--tags", "FA404", "-e", "attestations=suppress"]


def test_workers_that_are_alike_are_told_once() -> None:
    """Their names stand side by side."""
    judged = run("amd64")
    (member,) = judged.view.members
    members = tuple(
        replace(member, host=member.host.model_copy(update={"name": f"w{n}", "pool": "a"})) for n in range(9)
    )
    (evidence,) = judged.evidence.hosts.values()
    nine = replace(
        judged,
        fleet=Fleet(hosts=tuple(one.host for one in members), policy=judged.fleet.policy),
        evidence=judged.evidence.model_copy(update={"hosts": {one.host.name: evidence for one in members}}),
        facts={one.host.name: one.facts for one in members},
        view=replace(judged.view, members=members),
    )
    text = drawn(align(nine, "index"), width=110)
    assert text.count("w[0-8] (9 hosts) push flat (schema2)") == 1
    assert text.count("why:") == 1
    assert "--limit w0,w1,w2,w3,w4,w5,w6,w7,w8 " in text


def test_what_is_not_known_is_never_aligned() -> None:
    """No docker, a shim, a login without rights: not known, exit code 3 alone, 1 beside what is to change."""
    found = align(run("bastion", "podman", "bookworm-nosocket"), "flat")
    assert {one.state for one in found.hosts} == {"unknown"}
    assert found.exit_code == 3
    assert align(run("bastion", "riscv64"), "flat").exit_code == 1
    assert align(run("amd64"), "flat").exit_code == 0


def test_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is of its schema and has the commands; Markdown a row a host; the verb's exit code is the report's."""
    found = align(run(), "flat")
    document = json.loads(drawn(found, form="json"))
    jsonschema.validate(document, schema())
    assert document["commands"][0].endswith("--limit riscv64 --tags FA404 -e attestations=suppress")
    assert len(document["commands"]) == 1, "a store is not flipped where a flag does"
    assert drawn(found, form="markdown").count("\n|") == 2 + len(found.hosts)
    assert "ansible-playbook" not in drawn(found, plan=False)
    assert "least change: --provenance=false at each build" in drawn(found, plan=False)
    base = ["align", "--from", str(RECORDED)]
    assert command([*base, "--to", "flat"]) == 1
    assert command([*base, "--pool", "linux-amd64"]) == 0
    assert command(base) == 3
    capsys.readouterr()
    for words, told in (
        (["--pool", "nowhere"], "--pool nowhere: no host is in it; the pools are linux-amd64"),
        (["--to", "round"], "--to round: write flat, index, majority"),
        (["--format", "pdf"], "--format pdf: write text, json, markdown"),
    ):
        assert command([*base, *words]) == 2
        assert told in capsys.readouterr().err
