"""Alignment of the recorded fleet: each proposal holds when it is tried another way, and unknown is never aligned."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from audit.align import Align, Target, align
from audit.align.told import FORMATS, Drawn, schema
from audit.cli.app import run as command
from audit.errors import UsageError
from audit.onboarding.companions import part
from audit.reports._style import Style
from audit.shape import How, parse_how, predict
from audit.whatif.changes import parse_changes
from audit.whatif.then import facts_then
from tests.onboard.test_assess import RECORDED, run

GOLDEN = Path(__file__).parent / "golden"
SETS = {
    "flat": {"environment": "env.BUILDX_NO_DEFAULT_ATTESTATIONS=1", "store": "features.containerd-snapshotter=false"},
    "index": {"store": "features.containerd-snapshotter=true"},
}


def drawn(found: Align, *, plan: bool = True, form: str = "text", **style: Any) -> str:
    """As it is printed."""
    told = Drawn(found, plan, "ansible-playbook -i inventory playbooks/remediate.yml")
    return "".join(FORMATS[form](told, Style(**style)))


@pytest.mark.parametrize("to", ["flat", "index"])
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
            if way.id == "flag":
                flag = {"flat": "--provenance=false", "index": "--provenance=mode=min"}[to]
                kind = predict(facts, parse_how(f"docker build {flag}")).kind
            elif (said := SETS[to].get(way.id)) is not None and ", and " not in way.what:
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
            single = [way.id for way in one.ways if ", and " not in way.what]
            assert single == sorted(single, key=order.index)
            assert [", and " in way.what for way in one.ways] == sorted(", and " in way.what for way in one.ways)


def test_the_majority_and_the_policy() -> None:
    """Most push flat; a policy that all share goes before; of two that differ nobody is the majority."""
    assert align(run(), "majority").because == "7 of 12 do already"
    found = align(run(wanted="index"), "majority")
    assert (found.to, found.because) == ("index", "the policy wants it")
    assert align(run(wanted="index"), "flat").because == "asked for, though the policy wants index"
    with pytest.raises(UsageError, match="1 push flat images and 1 an index"):
        align(run("amd64", "riscv64"), "majority")
    with pytest.raises(UsageError, match="no host is selected"):
        align(part(run(), []), "flat")


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
    assert "run:" not in drawn(found, plan=False)
    base = ["align", "--from", str(RECORDED)]
    assert command([*base, "--to", "flat"]) == 1
    assert command([*base, "--pool", "linux-amd64"]) == 0
    capsys.readouterr()
    for words, told in (
        (["--pool", "nowhere"], "--pool nowhere: no host is in it; the pools are linux-amd64"),
        (["--to", "round"], "--to round: write flat, index, majority"),
        (["--format", "pdf"], "--format pdf: write text, json, markdown"),
    ):
        assert command([*base, *words]) == 2
        assert told in capsys.readouterr().err
