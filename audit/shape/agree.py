"""A predicted shape against what really arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from audit.image.arrived import Arrived
from audit.shape.result import Role, Shape


def differences(shape: Shape, arrived: Arrived | None, failed: str | None = None) -> tuple[str, ...]:
    """Where the prediction and the proof part, as clauses; empty where they agree.

    Args:
        shape: as predicted.
        arrived: what the registry serves; None: nothing arrived.
        failed: what the failing command printed; None: every command ended well.
    """
    if shape.kind == "fails":
        if failed is None:
            return (f"predicted: {shape.text} ({shape.error}); it ended well",)
        wanted = (shape.error or "").lower()
        return () if wanted in failed.lower() else (f"predicted the error {shape.error!r}, and it was another",)
    if shape.kind == "none":
        return (f"predicted: nothing to push; {arrived.kind} arrived",) if arrived else ()
    if failed is not None and arrived is None:
        return (f"predicted: {shape.text}; the command failed",)
    if arrived is None:
        return (f"predicted: {shape.text}; nothing arrived",)
    return tuple(_parts(shape, arrived))


def _parts(shape: Shape, arrived: Arrived) -> list[str]:
    found = []
    if shape.media_type != arrived.media_type:
        found.append(f"predicted {shape.media_type}, arrived {arrived.media_type}")
    wanted = Counter((child.role, child.media_type) for child in shape.children)
    seen = Counter((entry.role, entry.media_type) for entry in arrived.entries)
    if wanted != seen:
        found.append(f"predicted children {_counted(wanted)}, arrived {_counted(seen)}")
    elif [child.role for child in shape.children] != [entry.role for entry in arrived.entries]:
        order = ", ".join(entry.role for entry in arrived.entries)
        found.append(f"predicted the same children in another order; they arrived as {order}")
    platforms = [child.platform for child in shape.children if child.role == "image" and child.platform]
    there = [entry.platform for entry in arrived.entries if entry.role == "image"]
    if platforms and shape.kind == "index" and sorted(platforms) != sorted(str(name) for name in there):
        found.append(f"predicted platforms {', '.join(platforms)}, arrived {', '.join(map(str, there))}")
    artifacts = {child.artifact for child in shape.children if child.role == "attestation"}
    kept = {entry.artifact for entry in arrived.entries if entry.role == "attestation" and entry.artifact is not None}
    if kept and artifacts != kept:
        words = {True: "as OCI artifacts", False: "not as OCI artifacts"}
        found.append(f"predicted attestations {words[True in artifacts]}, arrived {words[True in kept]}")
    for name, predicted, seen_ in (
        ("manifest", shape.manifest, arrived.manifest),
        ("config", shape.config, arrived.config),
        ("layers", shape.layers, arrived.layers[-1] if arrived.layers else None),
    ):
        if seen_ is not None and predicted != seen_:
            found.append(f"predicted {name} {predicted}, arrived {seen_}")
    return found


def _counted(children: Mapping[tuple[Role, str], int]) -> str:
    return ", ".join(f"{count} {role} ({media})" for (role, media), count in sorted(children.items())) or "none"
