"""An alignment as it is told: to the letter, in every format, in commands that can be copied."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from audit.align import Align, HostAlign, PoolAlign, Target, Way, align
from audit.align.told import schema
from audit.cli.app import run as command
from audit.model import Fleet
from tests.align.fleets import drawn
from tests.onboard.test_assess import RECORDED, run

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("to", ["flat", "index", "majority"])
def test_the_recorded_fleet(to: Target) -> None:
    """The plan as it is printed, to the letter."""
    file = GOLDEN / f"{to}.txt"
    text = drawn(align(run(), to), width=110)
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_commands_are_quoted_and_on_one_line() -> None:
    """A copy into a shell is what was meant."""
    command = ("ansible-playbook", "-i", "my fleet/$(id)", "playbooks/remediate.yml")
    text = drawn(align(run("riscv64"), "flat"), command=command, width=60)
    line = next(line for line in text.splitlines() if "ansible-playbook" in line)
    assert "  # BUILDX_NO_DEFAULT_ATTESTATIONS=1 in image-builder.service\n" in text
    assert shlex.split(line) == [*command, "--limit", "riscv64", "--tags", "FA404", "-e", "attestations=suppress"]


def test_what_cannot_be_aligned() -> None:
    """No way does: what is left to do, and what was tried."""
    way = Way(id="flag", parts=("flag",), what="--x at each build", works=False, leaves="the build fails")
    host = HostAlign(host="w1", state="impossible", now="flat (schema2)", why="the store", ways=(way,))
    found = Align(asked="index", pools=(PoolAlign(pool="a", to="index", because="asked for", hosts=(host,)),))
    assert found.exit_code == 1
    text = drawn(found, width=200)
    assert text.startswith("pool a: index (asked for): 1 cannot be aligned\n  w1 push")
    assert "do: no change leads there" in text
    assert "no use: --x at each build: the build fails" in text
    assert "ansible-playbook" not in text


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
