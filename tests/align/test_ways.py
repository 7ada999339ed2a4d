"""What gives the wanted shape: tried another way, least intrusive first, with what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.align import Target, align
from audit.align.told import Drawn
from audit.facts.buildx import Buildx
from audit.facts.engine import Engine
from audit.shape import How, parse_how, predict
from audit.whatif.changes import parse_changes
from audit.whatif.then import facts_then
from tests.align.fleets import COMMAND, CONTAINER, altered, drawn, only, with_environment, working
from tests.onboard.test_assess import run

SETS = {
    "flat": {"environment": "env.BUILDX_NO_DEFAULT_ATTESTATIONS=1", "store": "features.containerd-snapshotter=false"},
    "index": {"store": "features.containerd-snapshotter=true"},
}


FLAG = {"flat": "--provenance=false", "index": "--provenance=mode=min"}


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


def test_every_command_is_one_that_the_playbook_knows() -> None:
    """Its tags stand there, and so do its variables."""
    book = (Path(__file__).parent.parent.parent / "playbooks" / "remediate.yml").read_text(encoding="utf-8")
    seen = set()
    for to in ("flat", "index"):
        for one in align(run(), to).hosts:
            for way in one.ways:
                words = iter(way.playbook)
                for word in words:
                    value = next(words)
                    if word == "--tags":
                        assert all(f"tags: [never, {tag}]" in book for tag in value.split(",")), value
                    else:
                        assert f"\n    {value.partition('=')[0]}: " in book, value
                    seen.add(word)
    assert seen == {"--tags", "-e"}
    assert "\n    images_may_vanish: false" in book


@pytest.mark.parametrize(("state", "tag"), [("missing", "FA301"), ("broken", "FA302")])
def test_the_remedy_of_the_plugin_is_that_of_its_fault(state: str, tag: str) -> None:
    """A package does not help where a broken copy stands before it."""
    plugin = Buildx.model_validate({"state": state})
    (way,) = [one for one in only(align(altered("ppc64le", plugin), "index")).ways if one.parts == ("buildx",)]
    assert way.playbook == ("--tags", tag)
