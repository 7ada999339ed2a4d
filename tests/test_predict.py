"""`predict`: what the recorded fleet of the lab, and the lab itself, will push."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from audit.cli.app import run
from audit.forecast import forecast
from audit.reports import _forecast
from audit.run import Run, SavedRun
from audit.shape import How, parse_how
from tests.lab import Lab

FLEET = Path(__file__).parent / "recorded" / "lab-fleet.json"
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Run `predict` on the recorded fleet: exit code and stdout."""

    def predicted(*arguments: str) -> tuple[int, str]:
        code = run(["predict", "--from", str(FLEET), *arguments])
        return code, capsys.readouterr().out

    return predicted


def test_the_founding_story(said: Said) -> None:
    """The one reinstalled worker is named, with the reason, the symptom that it causes, and the remedies."""
    code, out = said("builders")
    assert code == 1
    rows, _, closing = out.partition("\n\n")
    assert [line.split()[0] for line in rows.splitlines() if "OCI index" in line] == ["riscv64"]
    assert closing.startswith('riscv64 pushes an index: `docker manifest create` will say "… is a manifest list"')
    assert "containerd store" in closing
    assert "no BUILDX_NO_DEFAULT_ATTESTATIONS in the environment of the builds" in closing
    assert "imagetools create" in closing
    assert "--provenance=false" in closing


def test_reasons_are_shown_on_request(said: Said) -> None:
    """-v adds the steps, the media types and the digest to believe."""
    _, plain = said("riscv64")
    _, told = said("riscv64", "-v")
    assert len(told.splitlines()) > len(plain.splitlines()) + 4
    assert "why: buildx 0.29.1 runs `docker build`" in told
    assert "application/vnd.oci.image.index.v1+json" in told
    assert "trust the `digest: sha256:…` that docker push prints" in told


def test_what_is_alike_is_told_once(said: Said) -> None:
    """Hosts with one reason and one remedy share them, and a refusal that hides two facts is told once."""
    text = " ".join(said()[1].split())
    assert "riscv64, trixie-containerd push an index" in text
    assert "why: the engine and the image store are not known (denied" in text
    assert text.count("permission denied while trying") == 1


def test_another_way_of_building(said: Said) -> None:
    """--how answers for that command line: an explicit attestation fails on a graphdriver store."""
    code, out = said("amd64", "--how", "docker buildx build --provenance=mode=max --push")
    assert code == 1
    assert "Attestation is not supported for the docker driver." in out
    code, out = said("riscv64", "--how", "docker build --provenance=false")
    assert (code, "flat (schema2)" in out) == (0, True)


def test_json_is_what_its_schema_says(said: Said) -> None:
    """The document validates, and names the same hosts as the text."""
    code, out = said("--format", "json")
    document = json.loads(out)
    jsonschema.validate(document, _forecast.schema())
    assert document["exit_code"] == code == 1
    assert document["fleet"]["refused_by_docker_manifest"] == [
        host["name"] for host in document["hosts"] if host["kind"] == "index"
    ]
    assert {host["name"] for host in document["hosts"] if host["kind"] == "unknown"} == set(
        document["fleet"]["unknown"]
    )


def test_markdown_holds_the_same(said: Said) -> None:
    """A table and the closing lines, without a column's width."""
    _, out = said("builders", "--format", "markdown")
    assert "| riscv64 | linux-riscv64 |" in out
    assert "- riscv64 pushes an index" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--how", "make all"), "is no build command"),
        (("--how", "docker build --provenence=false"), "did you mean --provenance?"),
        (("--format", "xml"), "write text, json, markdown"),
        (("nobody",), "nobody"),
    ],
)
def test_wrong_input_is_one_sentence(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line on stderr, nothing on stdout."""
    assert run(["predict", "--from", str(FLEET), *arguments]) == 2
    seen = capsys.readouterr()
    assert message in seen.err
    assert (seen.out, len(seen.err.splitlines())) == ("", 1)


def test_a_split_pool_is_told() -> None:
    """Members of one pool that push different things are a finding, with who pushes what."""
    saved = SavedRun.parse(FLEET.read_text(encoding="utf-8"), str(FLEET))
    hosts = tuple(
        host.model_copy(update={"pool": "one"}) if host.name in ("amd64", "riscv64") else host
        for host in saved.fleet.hosts
    )
    judged = Run.of(saved.fleet.model_copy(update={"hosts": hosts}), saved.evidence)
    found = forecast(judged.view.members, How())
    assert found.split == {"one": {"flat (schema2)": ("amd64",), "OCI index (1 image + 1 attestation)": ("riscv64",)}}
    only = [member for member in judged.view.members if member.host.name in ("amd64", "arm64")]
    assert forecast(only, How()).exit_code == 0


def test_what_cannot_be_told_never_reads_as_fine() -> None:
    """A fleet of a host without Docker alone ends with 3."""
    saved = SavedRun.parse(FLEET.read_text(encoding="utf-8"), str(FLEET))
    members = [one for one in Run.of(saved.fleet, saved.evidence).view.members if one.host.name == "bastion"]
    assert forecast(members, parse_how("docker build")).exit_code == 3


@pytest.mark.lab
@pytest.mark.timeout(120)
@pytest.mark.xdist_group("lab")
def test_the_lab_itself(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Asked now, the lab's builders are foretold as they were recorded."""
    assert run(["predict", "-i", str(lab.inventory), "builders", "-q", "--format", "json"]) == 1
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["fleet"]["refused_by_docker_manifest"] == ["riscv64"]
    assert document["fleet"]["unknown"] == []
