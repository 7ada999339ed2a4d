"""Predicted against observed: one case after the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.fact import Facts
from audit.image.arrived import Arrived, Entry
from audit.shape import differences, parse_how, predict
from audit.shape.result import Digests, Prediction, Shape

NOWHERE = "sha256:" + 64 * "0"
"""Stands for the digests that cases leave out."""


def disagreements(facts: Facts, case: Mapping[str, Any]) -> tuple[str, ...]:
    """Where the prediction for these facts and what was seen part, as clauses; empty where they agree."""
    prediction = predict(facts, parse_how(case["how"]))
    shape = prediction.shape
    if shape is None:
        return (f"predicted: cannot tell, because {'; '.join(prediction.missing) or 'of more than one shape'}",)
    expect = case["expect"]
    failed = expect.get("error")
    found = list(differences(shape, arrived_of(expect), failed))
    if shape.kind == "fails" and shape.stage != expect.get("stage"):
        found.append(f"predicted: the {shape.stage} fails; it was {expect.get('stage') or 'neither'}")
    if shape.kind == "none" and expect.get("stage") == "build":
        found.append(f"predicted: nothing to push; the build failed: {failed}")
    if shape.digests is not None and "digests" in expect:
        found += _digests(shape.digests, expect["digests"])
    return tuple(found)


def arrived_of(expect: Mapping[str, Any]) -> Arrived | None:
    """What arrived, as a registry's client would tell it."""
    if "media_type" not in expect:
        return None
    entries = tuple(Entry(digest=NOWHERE, size=0, **child) for child in expect.get("children", ()))
    return Arrived(
        kind=expect["kind"],
        media_type=expect["media_type"],
        digest=NOWHERE,
        entries=entries,
        manifest=expect["manifest"],
        config=expect["config"],
        layers=tuple(expect["layers"]),
    )


def _digests(told: Digests, seen: Mapping[str, Any]) -> list[str]:
    """Where the digest to trust is not the one served, or one called a lie is."""
    found = []
    for place, words in (("push_line", "docker push"), ("metadata", "--metadata-file")):
        if words in told.trust and seen.get(place, "same") != "same":
            found.append(f"predicted that {told.trust} can be trusted; it is {seen[place]}")
    if "iidfile" in seen:
        lies = any("--iidfile" in lie for lie in told.lies)
        if lies != (seen["iidfile"] != "same"):
            found.append(f"predicted that --iidfile {'lies' if lies else 'can be trusted'}; it is {seen['iidfile']}")
    after = any("RepoDigests" in lie and "still" in lie for lie in told.lies)
    if "push_line" in seen and after != (seen["repo_digests_after"] == "other"):
        word = "still name the index" if after else "name what was pushed"
        found.append(f"predicted that RepoDigests {word} after the push; they are {seen['repo_digests_after']}")
    return found


def told(prediction: Prediction) -> str:
    """A prediction in a few words."""
    shapes = sorted({_said(shape) for shape in prediction.shapes})
    return " or ".join(shapes) or "cannot tell"


def _said(shape: Shape) -> str:
    return f"{shape.text}: {shape.error}" if shape.error else shape.text


def seen(case: Mapping[str, Any]) -> str:
    """An observation in a few words."""
    expect = case["expect"]
    if "media_type" not in expect:
        return f"{expect['kind']} ({expect.get('error', '')})"
    children = ", ".join(f"{child['platform']} {child['role']}" for child in expect.get("children", ()))
    return f"{expect['media_type']} [{children}]" if children else str(expect["media_type"])
