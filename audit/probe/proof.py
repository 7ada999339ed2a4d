"""A probe's answers, and what the registry serves, held against the prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.image.arrived import Arrived, BadManifest
from audit.probe.answers import Answers, exported
from audit.probe.result import HostProof, Told, WayProof, arrived_text
from audit.probe.script import Work
from audit.shape.agree import differences
from audit.shape.result import Prediction, Shape


@dataclass(frozen=True)
class Asked:
    """What the registry said of one tag.

    Attributes:
        arrived: what it serves; None: it has no such tag, or `unknown` says why that is not known.
        unknown: why it could not be told.
        has_pushed: whether it serves the digest that the push printed; None: not asked, or not told.
    """

    arrived: Arrived | None = None
    unknown: str | None = None
    has_pushed: bool | None = None


def prove(
    host: str,
    work: Work,
    predictions: Sequence[Prediction],
    answers: Answers,
    asked: Mapping[int, Asked],
    *,
    unknown: str | None = None,
    user: str | None = None,
    seconds: float = 0.0,
) -> HostProof:
    """One host's proof.

    Args:
        host: its name.
        work: what it was to build.
        predictions: one a way.
        answers: what it printed.
        asked: what the registry said, by the way's number; for those ways whose push may have arrived.
        unknown: why the script did not come to its end, where it did not.
        user: as whom it ran.
        seconds: how long it took.
    """
    why = unknown or answers.refused or (None if answers.store else "the worker's answer is not whole")
    ways = [
        _prove(work, number, predictions[number], answers, asked.get(number), why)
        for number in range(len(work.ways))
    ]  # fmt: skip
    return HostProof(
        host=host,
        ways=tuple(ways),
        link=answers.link,
        unknown=why,
        user=user,
        left=answers.left,
        seconds=seconds,
    )


def _prove(
    work: Work, number: int, prediction: Prediction, answers: Answers, asked: Asked | None, why: str | None
) -> WayProof:
    told = answers.told.get(number, Told(number=number))
    base = WayProof(
        way=work.ways[number].text,
        reference=work.tag(number),
        where="registry" if work.registry else "export",
        prediction=prediction,
        told=told,
        agreement="unknown",
    )
    if told.build is None:
        return base.model_copy(update={"unknown": why or "the worker did not say how the build ended"})
    failed = "\n".join(told.log) if told.build or told.push else None
    arrived = None
    if failed is None:
        if work.registry is None:
            return _local(base, answers)
        if asked is None or asked.unknown:
            return base.model_copy(update={"unknown": (asked and asked.unknown) or why or "the registry was not asked"})
        arrived = asked.arrived
        base = base.model_copy(update={"arrived": arrived, "notes": _notes(told, asked)})
    elif (obstacle := _obstacle(failed)) is not None and not _foretold(prediction, failed):
        return base.model_copy(update={"unknown": obstacle})
    return _agreed(base, arrived, failed)


def _agreed(base: WayProof, arrived: Arrived | None, failed: str | None) -> WayProof:
    """Whether one of the predicted shapes is what was seen."""
    prediction = base.prediction
    parted = [differences(shape, arrived, failed) for shape in prediction.shapes]
    if not parted:
        missing = "; ".join(prediction.missing) or "no reason was given"
        return base.model_copy(update={"arrived": arrived, "unknown": f"nothing could be predicted: {missing}"})
    if all(parted):
        nearest = min(parted, key=len)
        return base.model_copy(update={"arrived": arrived, "agreement": "differs", "differences": nearest})
    if prediction.shape is None:
        seen = arrived_text(arrived) if arrived else "a failure"
        why = f"{seen} is one of several shapes that were possible: {'; '.join(prediction.missing)}"
        return base.model_copy(update={"arrived": arrived, "unknown": why})
    return base.model_copy(update={"arrived": arrived, "agreement": "agrees"})


def _local(base: WayProof, answers: Answers) -> WayProof:
    """Without a registry: a containerd store exports what it would push, a graphdriver store makes that at the push."""
    files = answers.files.get(base.told.number, {})
    if answers.store == "containerd":
        if not files:
            return _agreed(base, None, "\n".join(base.told.log) or None)
        try:
            return _agreed(base, exported(files), None)
        except BadManifest as bad:
            return base.model_copy(update={"unknown": str(bad)})
    kinds = {shape.kind for shape in base.prediction.shapes}
    seen = "flat" if files else "none"
    base = base.model_copy(update={"stored": bool(files)})
    note = "a graphdriver store makes the manifest only when it pushes: proved is that the image is one flat image"
    if seen in kinds and len(kinds) == 1:
        return base.model_copy(update={"agreement": "agrees", "notes": (note,) if files else ()})
    if seen in kinds or not kinds:
        return base.model_copy(update={"unknown": "; ".join(base.prediction.missing) or "nothing could be predicted"})
    words = "one flat image is in the store" if files else "no image is in the store"
    predicted = base.predicted_text
    return base.model_copy(update={"agreement": "differs", "differences": (f"predicted: {predicted}; {words}",)})


def _notes(told: Told, asked: Asked) -> tuple[str, ...]:
    """What somebody who goes by one of the printed digests should know."""
    notes = []
    if told.iid is None:
        notes.append("--iidfile stayed empty")
    elif told.iid_usable is False:
        notes.append("--iidfile holds a digest that the engine does not know")
    if asked.arrived is None:
        return tuple(notes)
    if told.iid is not None and told.iid != asked.arrived.digest:
        notes.append("--iidfile is not the digest of what arrived")
    if told.pushed is None:
        notes.append("the push printed no digest")
    elif told.pushed != asked.arrived.digest:
        served = {True: "serves that one too", False: "does not serve", None: "was not asked for"}[asked.has_pushed]
        notes.append(f"the push printed another digest than the tag has; the registry {served}")
    return tuple(notes)


OBSTACLES = (
    ("x509:", "the worker does not trust the registry's certificate"),
    ("connection refused", "the worker could not reach a registry"),
    ("no such host", "the worker could not find a registry's name"),
    ("i/o timeout", "the worker had no answer from the registry in time"),
    ("no route to host", "the worker could not reach a registry"),
    ("network is unreachable", "the worker could not reach a registry"),
    ("server gave http response to https client", "the registry does not speak HTTPS to the worker"),
    ("insufficient_scope", "the registry lets the worker's login not push there"),
    ("authorization failed", "the registry lets the worker's login not push there"),
    ("no basic auth credentials", "the worker has no login at the registry"),
    ("unauthorized", "the registry refused the worker's login"),
    ("denied:", "the registry lets the worker's login not push there"),
    ("requested access to the resource is denied", "the registry lets the worker's login not push there"),
    ("no space left on device", "there is no room left on the worker"),
    ("cannot connect to the docker daemon", "the engine does not answer"),
    ("permission denied while trying to connect to the docker daemon", "the user may not use the engine"),
    ("toomanyrequests", "the registry allowed no more requests"),
)
"""What a command may fail of that says nothing about the shape: lower-case words of its log, and why."""


def _obstacle(failed: str) -> str | None:
    low = failed.lower()
    return next((why for words, why in OBSTACLES if words in low), None)


def _foretold(prediction: Prediction, failed: str) -> bool:
    def of(shape: Shape) -> bool:
        return shape.kind == "fails" and bool(shape.error) and str(shape.error).lower() in failed.lower()

    return any(of(shape) for shape in prediction.shapes)
