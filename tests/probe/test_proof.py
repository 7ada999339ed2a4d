"""Answers and the registry's word held against the prediction: agrees, differs, or cannot be told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from audit.image.arrived import Arrived
from audit.image.media import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, OCI_INDEX
from audit.model import Status
from audit.probe.answers import Answers, read
from audit.probe.proof import Asked, prove
from audit.probe.report import FORMATS, Finding, Report
from audit.probe.result import HostProof, Link
from audit.probe.script import Work
from audit.probe.ways import way_of
from audit.shape import How, Prediction, Shape

NONCE = "0123456789abcdef"
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
FLAT = Shape(
    kind="flat", media_type=DOCKER_MANIFEST, manifest=DOCKER_MANIFEST, config=DOCKER_CONFIG, layers=DOCKER_LAYER
)
INDEX = Shape(kind="index", media_type=OCI_INDEX)
FAILS = Shape(kind="fails", stage="build", error="Attestation is not supported")
SERVED = Arrived(
    kind="flat", media_type=DOCKER_MANIFEST, digest=DIGEST, manifest=DOCKER_MANIFEST, config=DOCKER_CONFIG,
    layers=(DOCKER_LAYER,),
)  # fmt: skip
BUILT = ("S graphdriver", "B 0", "E 0 0", f"I 0 {DIGEST} yes", f"P 0 0 {DIGEST}")


def answers(*lines: str) -> Answers:
    """Answers of one way."""
    return read([f"FP{NONCE} {line}" for line in lines], NONCE, 1)


def proved(
    shapes: tuple[Shape, ...], lines: tuple[str, ...] = BUILT, asked: Asked | None = None, *,
    missing: tuple[str, ...] = (), registry: str | None = "r.example/scratch", unknown: str | None = None,
) -> HostProof:  # fmt: skip
    """One way on one host."""
    work = Work(nonce=NONCE, ways=(way_of(How()),), registry=registry)
    prediction = Prediction(shapes=shapes, missing=missing)
    return prove("w1", work, [prediction], answers(*lines), {} if asked is None else {0: asked}, unknown=unknown)


def failed(*log: str, push: bool = False) -> tuple[str, ...]:
    """The lines of a way that failed."""
    ends = ("E 0 0", "P 0 1 -") if push else ("E 0 1",)
    return ("S graphdriver", "B 0", *ends, *(f"L 0 {line}" for line in log))


@pytest.mark.parametrize(
    ("proof", "agreement"),
    [
        (proved((FLAT,), asked=Asked(SERVED)), "agrees"),
        (proved((INDEX,), asked=Asked(SERVED)), "differs"),
        (proved((FLAT,), asked=Asked()), "differs"),
        (proved((FLAT,), asked=Asked(unknown="it is down")), "unknown"),
        (proved((FLAT,)), "unknown"),
        (proved((FLAT, INDEX), asked=Asked(SERVED), missing=("the store is not known",)), "unknown"),
        (proved((INDEX, FAILS), asked=Asked(SERVED), missing=("x",)), "differs"),
        (proved((), asked=Asked(SERVED), missing=("no docker",)), "unknown"),
        (proved((FLAT,), ()), "unknown"),
        (proved((FLAT,), ("S graphdriver", "B 0")), "unknown"),
        (proved((FLAT,), ("S graphdriver", "B 0"), unknown="timeout: x"), "unknown"),
        (proved((FAILS,), failed("ERROR: Attestation is not supported for the docker driver")), "agrees"),
        (proved((FAILS,), failed("ERROR: something else")), "differs"),
        (proved((FAILS,), asked=Asked(SERVED)), "differs"),
        (proved((FLAT,), failed("ERROR: something else")), "differs"),
        (proved((FLAT,), failed("ERROR: something else", push=True)), "differs"),
        (proved((FLAT,), failed("denied: requested access to the resource is denied", push=True)), "unknown"),
        (proved((FLAT,), failed("x509: certificate signed by unknown authority", push=True)), "unknown"),
        (proved((FLAT,), failed("write: no space left on device")), "unknown"),
        (proved((FLAT,), ("S graphdriver", "B 0", "E 0 0", "F 0 image -"), registry=None), "agrees"),
        (proved((INDEX,), ("S graphdriver", "B 0", "E 0 0", "F 0 image -"), registry=None), "differs"),
        (proved((FLAT,), ("S graphdriver", "B 0", "E 0 0"), registry=None), "differs"),
        (proved((FLAT,), ("S containerd", "B 0", "E 0 0", "F 0 index.json 7b7d"), registry=None), "unknown"),
    ],
)
def test_an_agreement(proof: HostProof, agreement: str) -> None:
    """What counts as proof, what as a contradiction, and what says nothing: the last never reads as agreement."""
    assert proof.agreement == agreement, proof
    (way,) = proof.ways
    assert bool(way.differences) == (agreement == "differs")
    assert bool(way.unknown) == (agreement == "unknown")


def test_digests_that_cannot_be_used_are_noted() -> None:
    """The image's id is not what arrived, and the push printed one that the registry does not serve."""
    lines = ("S graphdriver", "B 0", "E 0 0", f"I 0 {OTHER} no", f"P 0 0 {OTHER}")
    (way,) = proved((FLAT,), lines, Asked(SERVED, has_pushed=False)).ways
    assert way.agreement == "agrees"
    assert len(way.notes) == 3
    assert "does not serve" in way.notes[2]


def report(*proofs: HostProof, **more: object) -> Report:
    """A report of these."""
    return Report(when=datetime(2026, 11, 24, tzinfo=UTC), hosts=proofs, **more)  # type: ignore[arg-type]


AGREES = proved((FLAT,), asked=Asked(SERVED))
DIFFERS = proved((INDEX,), asked=Asked(SERVED))
UNTOLD = proved((FLAT,))


def finding(status: Status, severity: str = "error") -> dict[str, Finding]:
    """FA305 of the host."""
    return {"w1": Finding(status=status, severity=severity, message="m", remedy="r")}


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (report(AGREES, findings=finding(Status.PASS)), 0),
        (report(DIFFERS, findings=finding(Status.FAIL)), 1),
        (report(DIFFERS, UNTOLD, findings=finding(Status.FAIL)), 1),
        (report(UNTOLD, findings=finding(Status.UNKNOWN)), 3),
        (report(DIFFERS, findings=finding(Status.WAIVED)), 0),
        (report(DIFFERS, findings=finding(Status.FAIL, "warning")), 0),
        (report(AGREES.model_copy(update={"left": ("x",)})), 3),
        (report(AGREES, interrupted="SIGINT"), 3),
        (report(HostProof(host="w1", unknown="unreachable")), 3),
        (report(AGREES, notes=("the registry does not let us delete",)), 0),
    ],
)
def test_the_exit_code(made: Report, code: int) -> None:
    """A difference before what could not be told, and that before all is well."""
    assert made.exit_code == code


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_words_are_inert(name: str) -> None:
    """Escape sequences, markup and line breaks of a worker reach neither a terminal nor a page."""
    nasty = "\x1b]0;x\x07 <script>|`a\u202e\n::error::"
    proof = proved((FAILS,), failed("ERROR: x")).model_copy(
        update={"host": nasty, "left": (nasty,), "unknown": nasty, "link": Link(works=False, log=(nasty,))}
    )
    made = report(proof, findings={nasty: finding(Status.FAIL)["w1"]}, notes=(nasty,))
    text = "".join(FORMATS[name](made, 120, True))
    assert not set("\x1b\x07\u202e") & set(text)
    assert "\n::error::" not in text
    if name == "markdown":
        assert "<script>" not in text


def test_the_table_has_a_row_a_way() -> None:
    """Way, prediction, what was seen, and whether they agree; then what differs."""
    text = "".join(FORMATS["text"](report(AGREES, DIFFERS, UNTOLD, findings=finding(Status.FAIL)), 120, False))
    rows = [line.split("  ") for line in text.splitlines()[:4]]
    assert [row[-1].strip() for row in rows] == ["agrees", "yes", "NO", "?"]
    assert "FA305 error: m" in text
    assert "the registry was not asked" in text
