"""Who can take which shape: the table of consumers, the judge, and the verb with hosts and images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from audit.cli.app import run
from audit.compat import CONSUMERS, FORMS, Form, Grade, consumers_of, form_of, judge_host
from audit.image.arrived import Arrived, Entry
from audit.image.media import DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from audit.reports import Style
from audit.reports._compat import FORMATS, schema_text
from audit.shape.result import Child, Prediction, Shape
from audit.symptoms import all_symptoms
from tests.farm.registry import Registry, serving
from tests.registry.images import digest, dumped, index, manifest

RECORDED = Path(__file__).parent.parent / "recorded" / "lab-fleet.json"
DIGEST = f"sha256:{'ab' * 32}"
_IMAGE = Child(media_type=OCI_MANIFEST, role="image", platform="linux/amd64")
_ATTESTATION = Child(media_type=OCI_MANIFEST, role="attestation", platform="unknown/unknown")
SHAPES: dict[Form, Shape] = {
    "schema2": Shape(kind="flat", media_type=DOCKER_MANIFEST, layers=DOCKER_LAYER),
    "oci": Shape(kind="flat", media_type=OCI_MANIFEST, layers=OCI_LAYER),
    "mixed": Shape(kind="flat", media_type=OCI_MANIFEST, layers=DOCKER_LAYER),
    "list": Shape(kind="index", media_type=DOCKER_LIST, children=(_IMAGE,)),
    "index": Shape(kind="index", media_type=OCI_INDEX, children=(_IMAGE,)),
    "attested": Shape(kind="index", media_type=OCI_INDEX, children=(_IMAGE, _ATTESTATION)),
}


def test_every_shape_has_its_form() -> None:
    """Each of the six, from a prediction."""
    assert set(SHAPES) == set(get_args(Form)) == set(FORMS)
    assert {form: form_of(shape) for form, shape in SHAPES.items()} == {form: form for form in SHAPES}
    assert form_of(Shape(kind="none")) is None
    assert form_of(Shape(kind="fails")) is None


def test_what_a_registry_serves_has_its_form() -> None:
    """Likewise from a registry; an attestation is told by its role."""
    entry = Entry(media_type=OCI_MANIFEST, digest=DIGEST, size=1, role="attestation")
    arrived = Arrived(kind="index", media_type=OCI_INDEX, digest=DIGEST, entries=(entry,))
    assert form_of(arrived) == "attested"
    flat = Arrived(kind="flat", media_type=OCI_MANIFEST, digest=DIGEST, layers=(OCI_LAYER, DOCKER_LAYER))
    assert form_of(flat) == "mixed"


def test_the_table_claims_what_the_symptoms_say() -> None:
    """Each refusal points to a symptom; no shape is both taken and refused; Nexus and Heroku are not claimed."""
    assert len(CONSUMERS) >= 19
    for consumer in CONSUMERS.values():
        assert set(consumer.symptoms) <= set(all_symptoms())
        assert not set(consumer.takes) & set(consumer.refuses)
        assert all(grade in (Grade.FAIL, Grade.WARN, Grade.BY_DIGEST) for grade, _ in consumer.refuses.values())
        assert "schema2" in consumer.takes
    assert not {"nexus", "heroku"} & set(CONSUMERS)
    assert "aws-lambda" in consumers_of("S3")


@pytest.mark.parametrize(
    ("target", "form", "grade", "symptom"),
    [
        ("docker-manifest", "attested", Grade.FAIL, "S1"),
        ("docker-manifest", "oci", Grade.OK, None),
        ("docker-manifest-20.10", "oci", Grade.FAIL, "S2"),
        ("docker-manifest-20.10", "list", Grade.FAIL, "S1"),
        ("docker-manifest-20.10", "schema2", Grade.OK, None),
        ("aws-lambda", "attested", Grade.FAIL, "S3"),
        ("aws-lambda", "mixed", Grade.UNKNOWN, None),
        ("ecr-scan", "attested", Grade.BY_DIGEST, "S6"),
        ("kind", "attested", Grade.WARN, "S21"),
        ("quay-old", "attested", Grade.FAIL, "S10"),
        ("quay-old", "oci", Grade.UNKNOWN, None),
        ("artifactory-6", "oci", Grade.FAIL, "S10"),
        ("imagetools", "attested", Grade.OK, None),
        ("opam-health-check", "list", Grade.OK, None),
    ],
)
def test_a_grade(target: str, form: Form, grade: Grade, symptom: str | None) -> None:
    """One consumer, one shape; what it cannot take comes with a fix, what nobody reported is not told."""
    found = judge_host("w1", Prediction(shapes=(SHAPES[form],)), [target])
    [row] = found.rows
    assert (row.grade, row.symptom) == (grade, symptom)
    assert bool(row.fixes) == (symptom is not None)
    assert found.exit_code == {Grade.FAIL: 1, Grade.BY_DIGEST: 1, Grade.UNKNOWN: 3}.get(grade, 0)


def test_several_possible_shapes() -> None:
    """Where they agree the answer is sure; where they differ it cannot be told, and why is said."""
    several = Prediction(shapes=(SHAPES["oci"], SHAPES["schema2"]), missing=("the engine is not known",))
    found = judge_host("w1", several, ["docker-manifest", "docker-manifest-20.10"])
    assert [row.grade for row in found.rows] == [Grade.OK, Grade.UNKNOWN]
    assert found.exit_code == 3
    assert found.missing == ("the engine is not known",)
    assert found.rows[1].because.startswith("cannot tell, because")


def test_a_shape_that_may_not_arrive_is_never_fine() -> None:
    """A build that may fail, leave nothing, or is not known at all, cannot be told."""
    fails = Shape(kind="fails", stage="build", error="boom")
    for prediction in (Prediction(), Prediction(shapes=(SHAPES["schema2"], fails)), Prediction(shapes=(fails,))):
        found = judge_host("w1", prediction, ["imagetools"])
        assert [row.grade for row in found.rows] == [Grade.UNKNOWN]
    assert any("boom" in one for one in found.missing)


@pytest.mark.parametrize("form", SHAPES)
def test_formats(form: Form) -> None:
    """JSON keeps to its schema; the text's first line is the answer; nothing of a name acts."""
    found = judge_host("w\x1b[31m1", Prediction(shapes=(SHAPES[form],)))
    jsonschema.validate(json.loads(FORMATS["json"](found, Style())), json.loads(schema_text()))
    text = FORMATS["text"](found, Style())
    assert text.splitlines()[0].startswith(f"w\\x1b[31m1 would push {FORMS[form]}")
    assert "\x1b" not in text + FORMATS["markdown"](found, Style())
    for row in found.rows:
        assert row.target in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compat"], "no image and no host"),
        (["compat", "x", "--image", "--host"], "exclude each other"),
        (["compat", "x", "--target", "nobody"], "--target nobody: not known"),
        (["compat", "x", "--target", ","], "names nobody"),
        (["compat", "x", "--format", "pdf"], "write text, json, markdown"),
        (["compat", "UPPER/x:y:z", "--image"], "is no name of an image"),
        (["compat", "registry.example/x", "--how", "docker build ."], "leave it out"),
        (["compat", "zz", "--host", "--from", str(RECORDED)], "not in this run"),
        (["compat", "riscv64", "--from", str(RECORDED), "--how", "make"], "make"),
        (["compat", "registry.example/x", "--registry-ca", "no-such"], "no such file"),
    ],
)
def test_wrong_usage(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence, nothing on stdout, exit 2."""
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


def test_a_host_of_a_saved_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The story's reinstalled worker fails a merge by `docker manifest create`; the others do not."""
    arguments = ["--from", str(RECORDED), "--target", "docker-manifest,imagetools"]
    assert run(["compat", "riscv64", *arguments]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("riscv64 would push an index with attestations")
    assert "docker-manifest  FAIL  S1" in out
    assert run(["compat", "amd64", *arguments]) == 0


def test_how_a_host_builds_decides(capsys: pytest.CaptureFixture[str]) -> None:
    """With provenance off the same worker pushes what everybody takes."""
    arguments = ["compat", "riscv64", "--from", str(RECORDED), "--target", "docker-manifest"]
    assert run([*arguments, "--how", "docker build --provenance=false ."]) == 0
    assert "would push a flat" in capsys.readouterr().out


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Every consumer, with its symptoms."""
    assert run(["compat", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in CONSUMERS)


def test_an_image_at_a_registry(capsys: pytest.CaptureFixture[str]) -> None:
    """The verb asks the registry: a flat image, an index, and one with BuildKit's attestation."""
    image, provenance = manifest(b"layer"), manifest(b"in-toto")
    marked = json.loads(index(image))
    marked["manifests"].append(
        {
            "mediaType": OCI_MANIFEST,
            "digest": digest(provenance),
            "size": len(provenance),
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        }
    )
    with serving(Registry()) as registry:
        for tag, media_type, raw in (
            ("image", OCI_MANIFEST, image),
            ("provenance", OCI_MANIFEST, provenance),
            ("index", OCI_INDEX, index(image)),
            ("attested", OCI_INDEX, dumped(marked)),
        ):
            registry.add("team/app", tag, media_type, raw)
        seen = {}
        for tag in ("image", "index", "attested"):
            name = f"{registry.address}/team/app:{tag}"
            code = run(["compat", name, "--plain-http", "-t", "aws-lambda", "-t", "ecr-scan", "--format", "json"])
            document = json.loads(capsys.readouterr().out)
            assert document["subject"] == name
            seen[tag] = (code, document["forms"], [row["grade"] for row in document["rows"]])
    assert seen == {
        "image": (0, ["oci"], ["OK", "OK"]),
        "index": (1, ["index"], ["FAIL", "BY DIGEST ONLY"]),
        "attested": (1, ["attested"], ["FAIL", "BY DIGEST ONLY"]),
    }


def test_an_image_that_cannot_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """A registry that has no such image, or is not there, is exit 3 and never fine."""
    with serving(Registry()) as registry:
        assert run(["compat", f"{registry.address}/team/none:1", "--plain-http", "--image"]) == 3
        gone = registry.address
    assert "cannot tell, because" in capsys.readouterr().err
    assert run(["compat", f"{gone}/team/none:1", "--plain-http", "--image"]) == 3
