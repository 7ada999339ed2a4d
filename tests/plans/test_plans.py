"""Walks every folder beside this file: the plan of its fleet and request is as kept, byte for byte.

FLEET_AUDIT_UPDATE_GOLDEN=1 rewrites what is kept.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from audit.cli.app import run as command
from audit.engines.build import STDIN
from audit.plan import Plan, Work, make_plan, parse_request
from audit.reports import Style
from audit.reports._plan import FORMATS, schema
from audit.shape import parse_how, predict
from tests.plans.fleets import RECORDED, run_of

HERE = Path(__file__).parent
CASES = sorted(file.parent.name for file in HERE.glob("*/request.json"))


def told(name: str, file: str) -> dict[str, Any]:
    """One file of a case."""
    found: dict[str, Any] = json.loads((HERE / name / file).read_text(encoding="utf-8"))
    return found


def plan_of(name: str) -> Plan:
    """The plan of one case."""
    return make_plan(run_of(told(name, "fleet.json")), parse_request(**told(name, "request.json")))


def compare(name: str, file: str, text: str) -> None:
    """Against the kept file; write it instead where that is asked for."""
    path = HERE / name / file
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{name}/{file} is not kept: run with FLEET_AUDIT_UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8")


def works_of(plan: Plan) -> list[Work]:
    """Every worker of a plan, chosen or standing by."""
    return [work for step in plan.steps for work in (step.work, *step.alternates)]


@pytest.mark.parametrize("name", CASES)
def test_the_plan_is_as_kept(name: str) -> None:
    """The same inputs give the same bytes, as JSON and as text with every command."""
    plan = plan_of(name)
    compare(name, "plan.json", "".join(FORMATS["json"](plan, Style())))
    compare(name, "plan.txt", "".join(FORMATS["text"](plan, Style(verbosity=1))))
    assert plan_of(name) == plan


@pytest.mark.parametrize("name", CASES)
def test_json_is_what_its_schema_says(name: str) -> None:
    """It validates, and is read back as the very plan, which is what a later build does."""
    plan = plan_of(name)
    text = "".join(FORMATS["json"](plan, Style()))
    jsonschema.validate(json.loads(text), schema(), cls=jsonschema.Draft202012Validator)
    assert Plan.model_validate_json(text) == plan


@pytest.mark.parametrize("name", CASES)
def test_the_shape_is_that_of_the_very_command(name: str) -> None:
    """Whoever reads the commands as printed and asks the predictor gets the shape that the plan expects."""
    run, plan = run_of(told(name, "fleet.json")), plan_of(name)
    assert bool(plan.steps) or plan.problems
    for work in works_of(plan):
        line = work.build.text + (f" && {work.push.text}" if work.push else "")
        assert predict(run.facts[work.host], parse_how(line)).shape == work.shape


@pytest.mark.parametrize("name", CASES)
def test_no_command_does_what_none_may(name: str) -> None:
    """Never --iidfile; provenance is asked of nobody who cannot; the platform, builder and file are always said."""
    for work in works_of(plan := plan_of(name)):
        words = work.build.argv
        assert not any("iidfile" in word for word in (*words, *(work.push.argv if work.push else ())))
        asked = [word for word in words if word.startswith(("--provenance", "--attest", "--sbom"))]
        assert asked == [] if work.engine == "legacy" else len(asked) <= 1
        if not work.attested:
            assert set(asked) <= {"--provenance=false"}
        assert sum(word.startswith("--platform=") for word in words) == 1
        assert (work.engine == "legacy") != any(word.startswith("--builder=") for word in words)
        assert words[-1] == (plan.request.context if plan.request.from_git else STDIN)
        assert work.build.stdin == ("nothing" if plan.request.from_git else "context")
        assert (work.read.how == "metadata-file") == (work.push is None) == ("--push" in words)


@pytest.mark.parametrize("name", CASES)
def test_every_host_has_its_place_or_its_reason(name: str) -> None:
    """Each host of the fleet once, in its order; who builds nothing is given a reason, and is in no step."""
    run, plan = run_of(told(name, "fleet.json")), plan_of(name)
    assert [placed.host for placed in plan.hosts] == list(run.fleet.names)
    for placed in plan.hosts:
        assert bool(placed.builds) != bool(placed.why), placed
        assert placed.builds == tuple(step.platform for step in plan.steps if step.host == placed.host)
    named = {problem.platform for problem in plan.problems}
    assert [step.platform for step in plan.steps] == [one for one in plan.request.platforms if one not in named]


@pytest.mark.parametrize("name", CASES)
def test_markdown_holds_the_same(name: str) -> None:
    """Every platform's host and staging tag, and every command."""
    plan = plan_of(name)
    text = "".join(FORMATS["markdown"](plan, Style()))
    for step in plan.steps:
        assert f"| {step.platform} | {step.host} |" in text
        assert step.staging in text
    assert text.count("docker push") == sum(step.work.push is not None for step in plan.steps)
    for problem in plan.problems:
        assert problem.text.split(":")[0] in text


def test_the_cases_cover_what_they_must() -> None:
    """Both engines, both ways of reading a digest, every merge engine, and plans that are not whole."""
    plans = [plan_of(name) for name in CASES]
    works = [work for plan in plans for work in works_of(plan)]
    assert {work.engine for work in works} == {"buildx", "legacy"}
    assert {work.read.how for work in works} == {"push-line", "metadata-file"}
    assert {plan.merge.engine for plan in plans if plan.merge} == {"registry", "imagetools", "manifest"}
    assert {plan.exit_code for plan in plans} == {0, 1}
    assert {plan.attestations.asked for plan in plans} == {"auto", "keep", "drop", "require"}
    assert all(told(name, "fleet.json")["about"] for name in CASES)


def test_inputs_tell_what_decides_the_result() -> None:
    """The key moves with each thing that changes the image, and with none that does not."""
    run = run_of(told("prefer-on", "fleet.json"))
    base: dict[str, Any] = {"platforms": ["amd64"], "staging": "registry.example/app:t1", "attest": "drop"}

    def key(**more: object) -> str:
        return make_plan(run, parse_request(**{**base, **more})).steps[0].inputs

    same = [
        key(), key(context="other/folder"), key(staging="registry.example/app:t2"), key(prefer=["w2"]), key(retries=5),
        key(tags=["registry.example/live:1"]), key(build_args=[]), key(jobs=1),
    ]  # fmt: skip
    assert len(set(same)) == 1
    ordered = key(build_args=["A=1", "B=2"])
    assert key(build_args=["B=2", "A=1"]) == ordered
    others = [
        ordered, key(dockerfile="docker/Dockerfile"), key(target="final"), key(build_args=["A=1"]), key(labels=["A=1"]),
        key(secrets=["npm"]), key(context="https://git.example/app.git#v1"),
        key(context="https://git.example/app.git#v2"), key(platforms=["arm64"]),
    ]  # fmt: skip
    assert len({same[0], *others}) == 1 + len(others)
    kept = run_of(told("all-keep", "fleet.json"))
    asked = [make_plan(kept, parse_request(**{**base, "attest": word})) for word in ("keep", "drop", "require")]
    keys = [plan.steps[0].inputs for plan in asked]
    assert keys[0] == keys[2] != keys[1]


def test_a_private_folder_stands_only_in_flags_of_ours() -> None:
    """What a user wrote is not touched, even where it looks like our mark."""
    plan = make_plan(
        run_of(told("container-keep", "fleet.json")),
        parse_request(platforms=["amd64"], staging="r.example/a:1", secrets=["npm"], attest="require",
                      build_args=["X={scratch}/mine"]),
    )  # fmt: skip
    words = plan.steps[0].work.build.argv_in("/tmp/private")
    assert "--metadata-file=/tmp/private/metadata.json" in words
    assert "--secret=id=npm,src=/tmp/private/secret-npm" in words
    assert "--build-arg=X={scratch}/mine" in words


def test_attempts_are_as_many_as_retries_allow() -> None:
    """The chosen worker, then the others in their order."""
    step = plan_of("prefer-on").steps[0]
    assert [work.host for work in step.attempts(0)] == [step.host] == ["w2"]
    assert [work.host for work in step.attempts(9)] == ["w2", "w1", "w3"]


def test_hostile_words_reach_no_terminal() -> None:
    """What a worker or an inventory wrote is inert in every format."""
    fleet = told("unhealthy", "fleet.json")
    evil = "\x1b]0;evil\x07<script>|`\u202e"
    fleet["hosts"][1]["facts"]["reach"]["detail"] = evil
    fleet["hosts"][2]["name"] = f"busy{evil}"
    plan = make_plan(run_of(fleet), parse_request(platforms=["amd64"], staging="r.example/a:1", attest="drop"))
    for render in FORMATS.values():
        text = "".join(render(plan, Style(verbosity=2)))
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "<script>" not in "".join(FORMATS["markdown"](plan, Style()))


def test_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code, and on stdout what the library gives; --limit narrows the fleet."""
    words = ["plan", "--from", str(RECORDED), "--staging", "r.example/a:1", "--platforms", "amd64,riscv64"]
    assert command([*words, "--limit", "builders", "--attest", "keep", "--format", "json"]) == 0
    plan = Plan.model_validate_json(capsys.readouterr().out)
    assert [(step.host, step.shape.kind) for step in plan.steps] == [("amd64", "flat"), ("riscv64", "index")]
    assert command([*words, "--limit", "builders", "--attest", "require"]) == 1
    assert "no fit worker for linux/amd64 with an attestation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--platforms", "amd65/x/y/z"], "is no platform"),
        (["--platforms", "amd64,x86_64"], "is named twice"),
        (["--platforms", ","], "name at least one"),
        (["--staging", "R.example/Upper:1"], "lower case"),
        (["--staging", "r.example/a@sha256:" + "0" * 64], "a digest cannot be pushed to"),
        (["--staging", "r.example/a:" + "x" * 125], "128 are allowed"),
        (["-t", "r.example/a:1-amd64"], "is the staging tag of linux/amd64"),
        (["--attest", "maybe"], "write keep, drop, require, auto"),
        (["--engine", "crane"], "write auto, registry"),
        (["--on", "amd64"], "write PLATFORM=HOST"),
        (["--on", "arm64=w1"], "none of --platforms"),
        (["--on", "amd64=nobody"], "--on nobody: not among the hosts"),
        (["--prefer", "nobody"], "--prefer nobody: not among the hosts"),
        (["--build-arg", "NAME"], "write NAME=VALUE"),
        (["--secret", "src=x"], "write id=NAME"),
        (["--secret", "id=a b"], "write id=NAME"),
        (["--target", "a b"], "no name of a stage"),
        (["-f", "../Dockerfile"], "below the context's root"),
        (["-f", "/etc/passwd"], "below the context's root"),
        (["--retries", "-1"], "write 0 or more"),
        (["--jobs", "0"], "write 1 or more"),
        (["--format", "xml"], "write text, json, markdown"),
        (["https://example.org/context.tar.gz"], "must be that of a git repository"),
        (["https://me:secret@git.example/a.git"], "holds a password"),
    ],
)
def test_wrong_input_is_one_sentence(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line on stderr that names what is wrong, nothing on stdout, and no password repeated."""
    first = ["plan", "--from", str(RECORDED), "--staging", "r.example/a:1", "--platforms", "amd64"]
    said = {"--staging", "--platforms"} & set(words)
    kept = [word for at, word in enumerate(first) if word not in said and first[at - 1] not in said]
    assert command([*kept, *words]) == 2
    seen = capsys.readouterr()
    assert message in seen.err
    assert (seen.out, len(seen.err.splitlines())) == ("", 1)
    assert "secret@" not in seen.err
