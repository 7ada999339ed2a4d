"""Column types that both engines know, and that give back exactly what was put in."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Dialect, LargeBinary, Text, TypeDecorator

_MARK = "\ufdd0"
"""A noncharacter, which no text of the field uses; it stands before what no database takes."""
_ODD = re.compile("[\0\ud800-\udfff\ufdd0]")
_MARKED = re.compile("\ufdd0([0-9a-f]{4})")
_SIZES = {"sha256": 32, "sha512": 64}
_NAMES = {size: name for name, size in _SIZES.items()}
_HEX = re.compile(r"(sha256|sha512):((?:[0-9a-f]{2})+)")


class Exact(TypeDecorator[str]):
    """Any Python text.

    A file's name that is no UTF-8 holds lone surrogates, which SQLite's driver refuses; PostgreSQL refuses NUL. Both
    stand in the file as U+FDD0 and four hex digits, and come back as they were.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Into the database."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return _ODD.sub(lambda odd: f"{_MARK}{ord(odd[0]):04x}", value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Out of it."""
        if not isinstance(value, str) or _MARK not in value:
            return value  # what a stranger put there is refused by the row's model
        return _MARKED.sub(lambda mark: chr(int(mark[1], 16)), value)


class Digest(TypeDecorator[str]):
    """``sha256:…`` as 32 bytes, ``sha512:…`` as 64: half the room of text, where there are 100,000s of them."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's
        """Into the database; ValueError: it is no digest (`is_digest`)."""
        if value is None:
            return None
        if not is_digest(value):
            raise ValueError(f"{value[:100]!r} is no digest")
        return bytes.fromhex(value[7:])

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Out of it; what has neither size comes back as an empty text, which is nobody's digest."""
        if not isinstance(value, bytes):
            return None
        name = _NAMES.get(len(value))
        return f"{name}:{value.hex()}" if name else ""


def is_digest(text: str) -> bool:
    """Whether it can stand in a column of digests."""
    found = _HEX.fullmatch(text)
    return found is not None and len(found[2]) == 2 * _SIZES[found[1]]
