"""Indexes as bytes: the one spelling in which Docker's own tools write them, so that equal merges have equal digests.

That spelling is Go's encoding/json with an indentation of two blanks: the members of the image specification's structs
in the order of their declaration (specs-go/v1 descriptor.go, index.go), empty ones left out, the keys of maps sorted,
and ``<``, ``>``, ``&`` and two line separators escaped. What the specification does not know is not written.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any


class NotWritable(ValueError):  # noqa: N818 - named after what was read
    """A member has a type that the specification does not allow; the text says which."""


def written(media_type: str, rows: Sequence[Mapping[str, Any]], annotations: Mapping[str, str]) -> bytes:
    """An index's bytes, without a newline at their end.

    Args:
        media_type: of the index.
        rows: its descriptors, as `members` gives them.
        annotations: of the index; none are written where it is empty.
    """
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type, "manifests": list(rows)}
    if annotations:
        body["annotations"] = _sorted(annotations)
    text = json.dumps(body, indent=2, ensure_ascii=False)
    for letter, escaped in _ESCAPED.items():
        text = text.replace(letter, escaped)
    # Go replaces half a surrogate pair when it reads it.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def members(row: Mapping[str, Any]) -> dict[str, Any]:
    """A descriptor's members in their order; what the specification does not know is left out.

    Raises:
        NotWritable: one has a type that it cannot have.
    """
    made: dict[str, Any] = {"mediaType": row["mediaType"], "digest": row["digest"], "size": row["size"]}
    urls, annotations, data = row.get("urls"), row.get("annotations"), row.get("data")
    if urls:
        made["urls"] = _texts(urls, "urls")
    if annotations:
        made["annotations"] = _sorted(_map(annotations, "annotations"))
    if data:
        made["data"] = _data(data)
    if row.get("platform") is not None:
        made["platform"] = _platform(_object(row["platform"], "platform"))
    if row.get("artifactType"):
        made["artifactType"] = _text(row["artifactType"], "artifactType")
    return made


def unknown(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The members of a descriptor that `members` leaves out."""
    platform = row.get("platform")
    inside = [f"platform.{key}" for key in platform if key not in _PLATFORM] if isinstance(platform, dict) else []
    return (*(key for key in row if key not in _MEMBERS), *inside)


_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_MEMBERS = ("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType")
_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant")


def _platform(said: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {key: _text(said.get(key) or "", key) for key in ("architecture", "os")}
    if said.get("os.version"):
        made["os.version"] = _text(said["os.version"], "os.version")
    if said.get("os.features"):
        made["os.features"] = _texts(said["os.features"], "os.features")
    if said.get("variant"):
        made["variant"] = _text(said["variant"], "variant")
    return made


def _sorted(said: Mapping[str, str]) -> dict[str, str]:
    return {key: said[key] for key in sorted(said, key=lambda key: key.encode("utf-8", "replace"))}


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise NotWritable(f"its {name} is no object")
    return value


def _map(value: object, name: str) -> Mapping[str, str]:
    said = _object(value, name)
    return {key: _text("" if text is None else text, f"{name}.{key[:60]}") for key, text in said.items()}


def _texts(value: object, name: str) -> list[str]:
    if not isinstance(value, list):
        raise NotWritable(f"its {name} is no list")
    return [_text(item, name) for item in value]


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise NotWritable(f"its {name} is no text")
    return value


def _data(value: object) -> str:
    try:
        return base64.b64encode(base64.b64decode(_text(value, "data"), validate=True)).decode()
    except binascii.Error:
        raise NotWritable("its data is no base64") from None
