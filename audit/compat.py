"""Which consumers can take what stands (or will stand) under a tag, from the table of symptoms.

A consumer's row says what it makes of each of six shapes. Only what users reported is claimed: where nobody reported a
shape either way, the answer is that it cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from audit import __version__
from audit.image.arrived import Arrived
from audit.image.media import DOCKER_LAYER, DOCKER_LIST, OCI_MANIFEST
from audit.model import Model
from audit.shape.result import Prediction, Shape
from audit.symptoms import all_symptoms
from audit.symptoms._consumers import CONSUMERS, FORMS, Consumer, Form, Grade, consumers_of


class Row(Model):
    """What one consumer makes of the image."""

    target: str
    about: str
    grade: Grade
    symptom: str | None = Field(default=None, description="The symptom that its users see")
    because: str = Field(description="Why, in one sentence")
    fixes: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()


class Compatibility(Model):
    """What every target makes of one image, or of what one host would push."""

    kind: Literal["fleet-audit compatibility"] = "fleet-audit compatibility"
    schema_version: Literal[1] = 1
    tool_version: str = __version__
    subject: str = Field(description="The image's reference, or the host's name")
    of: Literal["image", "host"]
    digest: str | None = Field(default=None, description="Of an image: what the registry serves")
    forms: tuple[Form, ...] = Field(description="The shapes that it has, or may have; empty: none can be told")
    missing: tuple[str, ...] = Field(default=(), description="Why the shape is not known for sure")
    rows: tuple[Row, ...]

    @property
    def exit_code(self) -> int:
        """1 where a target fails (also where only the tag does), 3 where one cannot be told, else 0."""
        grades = {row.grade for row in self.rows}
        return 1 if grades & {Grade.FAIL, Grade.BY_DIGEST} else 3 if Grade.UNKNOWN in grades else 0


def form_of(shape: Shape | Arrived) -> Form | None:
    """Which of the six it is; None where nothing arrives, or the media type cannot be told."""
    if shape.kind == "flat":
        layers = (shape.layers,) if isinstance(shape.layers, str) else (shape.layers or ())
        if shape.media_type is None:
            return None
        if shape.media_type != OCI_MANIFEST:
            return "schema2"
        return "mixed" if DOCKER_LAYER in layers else "oci"
    if shape.kind == "index":
        children = shape.entries if isinstance(shape, Arrived) else shape.children
        if any(child.role == "attestation" for child in children):
            return "attested"
        return "list" if shape.media_type == DOCKER_LIST else "index"
    return None


def judge_image(subject: str, arrived: Arrived, targets: Sequence[str] = ()) -> Compatibility:
    """What the targets make of what a registry serves.

    Args:
        subject: the reference, for people.
        arrived: what the registry serves under it.
        targets: ids of consumers, each of `CONSUMERS`; none: all of them.
    """
    form = form_of(arrived)
    missing = () if form else (f"the registry serves {arrived.media_type}",)
    forms = (form,) if form else ()
    return Compatibility(
        subject=subject,
        of="image",
        digest=arrived.digest,
        forms=forms,
        missing=missing,
        rows=_rows(forms, targets, whole=bool(form)),
    )


def judge_host(subject: str, prediction: Prediction, targets: Sequence[str] = ()) -> Compatibility:
    """What the targets would make of what a host would push.

    Where several shapes are possible, a target on which they all agree is answered; the others cannot be told.
    """
    forms: dict[Form, None] = {}
    missing = list(prediction.missing)
    whole = bool(prediction.shapes)
    for shape in prediction.shapes:
        form = form_of(shape)
        if form is None:
            whole = False
            missing.append(_nothing(shape))
        else:
            forms[form] = None
    rows = _rows(tuple(forms), targets, whole=whole)
    return Compatibility(
        subject=subject, of="host", forms=tuple(forms), missing=tuple(dict.fromkeys(missing)), rows=rows
    )


def _nothing(shape: Shape) -> str:
    if shape.kind == "fails":
        return f"the {shape.stage or 'build'} fails there" + (f": {shape.error}" if shape.error else "")
    return "the build leaves nothing to push" if shape.kind == "none" else "the media type is not known"


def _rows(forms: tuple[Form, ...], targets: Sequence[str], *, whole: bool) -> tuple[Row, ...]:
    chosen = [CONSUMERS[target] for target in dict.fromkeys(targets)] if targets else list(CONSUMERS.values())
    return tuple(_row(consumer, forms, whole=whole) for consumer in chosen)


def _row(consumer: Consumer, forms: tuple[Form, ...], *, whole: bool) -> Row:
    answers = {form: _answer(consumer, form) for form in forms}
    grade, symptom = Grade.UNKNOWN, None
    shapes = " or ".join(FORMS[form] for form in forms)
    if not whole or len(set(answers.values())) != 1:
        parts = [f"{FORMS[form]} would be {graded}" for form, (graded, _) in answers.items()]
        because = "; ".join(["cannot tell, because what would arrive there is not known", *parts])
    else:
        grade, symptom = next(iter(answers.values()))
        because = f"it takes {shapes}"
        if grade is Grade.UNKNOWN:
            because = f"cannot tell, because nobody reported how it takes {shapes}"
    if symptom is None:
        if consumer.note and not consumer.refuses:
            because += f" ({consumer.note})"
        return Row(target=consumer.id, about=consumer.about, grade=grade, because=because)
    page = all_symptoms()[symptom]
    note = f" ({consumer.note})" if consumer.note else ""
    return Row(
        target=consumer.id,
        about=consumer.about,
        grade=grade,
        symptom=symptom,
        because=f"{page.title}{note}",
        fixes=page.fixes,
        refs=page.refs,
    )


def _answer(consumer: Consumer, form: Form) -> tuple[Grade, str | None]:
    if form in consumer.refuses:
        return consumer.refuses[form]
    return (Grade.OK if form in consumer.takes else Grade.UNKNOWN), None


__all__ = [
    "CONSUMERS",
    "FORMS",
    "Compatibility",
    "Consumer",
    "Form",
    "Grade",
    "Row",
    "consumers_of",
    "form_of",
    "judge_host",
    "judge_image",
]
