"""JSON as every report writes it: two spaces, keys in the order given, UTF-8, inert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from audit import inert

_LONE = re.compile("[\ud800-\udfff]")


def dumps(value: Any, *, indent: int | None = 2) -> str:
    """Any tree of models, mappings, sequences and scalars as JSON, ending with a newline.

    A lone surrogate, which no UTF-8 can hold, becomes U+FFFD.
    """
    try:
        text = to_json(value, indent=indent)
    except (PydanticSerializationError, UnicodeEncodeError):
        text = to_json(_whole(value), indent=indent)
    return inert.json(text.decode()) + "\n"


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole(item) for item in value]
    if hasattr(value, "model_dump"):
        return _whole(value.model_dump(warnings=False))
    if is_dataclass(value) and not isinstance(value, type):
        return _whole({field.name: getattr(value, field.name) for field in fields(value)})
    return value
