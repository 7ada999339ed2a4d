"""JSON texts that hardly change: each stands once, compressed, and what resembles an older one is told by it.

A worker's evidence is 8 KiB a check, of which some counters and times differ from the check before. So a text is
compressed with the older one as zlib's dictionary, and takes some 200 bytes. Nothing is told by what is itself told by
another, so reading costs two rows at most.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json
from sqlalchemy import Connection, bindparam, func, select

from audit.store.check_tables import content
from audit.store.dialect import upsert
from audit.store.known import CHUNK

WINDOW = 32_768
"""Bytes that zlib looks back."""
MOST = 1 << 30
"""Bytes of one text; more is nobody's check, but a bomb in a file that somebody gave us."""
_by_id = select(content.c.id, content.c.base, content.c.size, content.c.data).where(
    content.c.id.in_(bindparam("ids", expanding=True))
)
_by_hash = select(content.c.id, content.c.sha256).where(content.c.sha256.in_(bindparam("hashes", expanding=True)))
_base_of = select(content.c.id, func.coalesce(content.c.base, content.c.id).label("base")).where(
    content.c.id.in_(bindparam("ids", expanding=True))
)


class Text(NamedTuple):
    """A text to be kept.

    Attributes:
        raw: JSON, in ASCII.
        old: the content that stood at this place before; None: there was none.
    """

    raw: bytes
    old: int | None = None


def raw_of(value: object) -> bytes:
    """As a content has it: JSON in ASCII, keys in their order, so that lone surrogates and NULs pass too."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def put(connection: Connection, engine: str, texts: Collection[Text]) -> dict[bytes, int]:
    """Keep texts.

    Args:
        connection: in a transaction that keeps other writers out.
        engine: ``sqlite`` or ``postgresql``.
        texts: any number; the same one several times is kept once.

    Returns:
        The number of each, by text.
    """
    wanted = {hashlib.sha256(text.raw).digest(): text for text in texts}
    there = _ids(connection, list(wanted))
    fresh = {key: text for key, text in wanted.items() if key not in there}
    if fresh:
        bases = _bases(connection, {text.old for text in fresh.values() if text.old is not None})
        rows = [_row(key, text, bases.get(text.old or 0)) for key, text in fresh.items()]
        connection.execute(upsert(engine, content), rows)
        there |= _ids(connection, list(fresh))
    return {wanted[key].raw: number for key, number in there.items()}


def get(connection: Connection, ids: Iterable[int]) -> dict[int, Any]:
    """Contents by number, read from JSON; ValueError: one is missing or damaged."""
    return {number: _value(raw) for number, raw in texts_of(connection, ids).items()}


def _value(raw: bytes) -> Any:
    try:
        return from_json(raw)  # twice as fast as the standard library's, which it takes to read lone surrogates
    except ValueError:
        return json.loads(raw)


def texts_of(connection: Connection, ids: Iterable[int]) -> dict[int, bytes]:
    """Contents by number, as they were put; ValueError: one is missing or damaged."""
    wanted = set(ids)
    rows = _rows(connection, wanted)
    bases = {row.base for row in rows.values() if row.base is not None}
    rows |= _rows(connection, bases - set(rows))
    whole = {number: _unpacked(row.data, row.size) for number, row in rows.items() if row.base is None}
    found = {}
    for number in wanted:
        row = rows.get(number)
        if row is None:
            raise ValueError(f"content {number} is missing")
        if row.base is None:
            found[number] = whole[number]
        elif row.base in whole:
            found[number] = _unpacked(row.data, row.size, whole[row.base])
        else:
            raise ValueError(f"content {number} is told by {row.base}, which is missing")
    return found


class _Base(NamedTuple):
    """What a text can be told by: its number, its text, and the bytes that it takes."""

    number: int
    raw: bytes
    cost: int


def _row(key: bytes, text: Text, base: _Base | None) -> Mapping[str, Any]:
    told = _packed(text.raw, base.raw) if base is not None else b""
    if base is None or 2 * len(told) > base.cost:  # there is none, or they have grown apart
        return {"sha256": key, "base": None, "size": len(text.raw), "data": _packed(text.raw)}
    return {"sha256": key, "base": base.number, "size": len(text.raw), "data": told}


def _bases(connection: Connection, old: set[int]) -> dict[int, _Base]:
    """By the number of the content that stood there before."""
    found: dict[int, int] = {}
    for part in _parts(sorted(old)):
        found.update((row.id, row.base) for row in connection.execute(_base_of, {"ids": part}))
    rows = _rows(connection, set(found.values()))
    bases = {number: _Base(number, _unpacked(row.data, row.size), len(row.data)) for number, row in rows.items()}
    return {number: bases[base] for number, base in found.items() if base in bases}


def _ids(connection: Connection, hashes: list[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for part in _parts(hashes):
        found.update((bytes(row.sha256), row.id) for row in connection.execute(_by_hash, {"hashes": part}))
    return found


def _rows(connection: Connection, ids: set[int]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for part in _parts(sorted(ids)):
        found.update((row.id, row) for row in connection.execute(_by_id, {"ids": part}))
    return found


def _parts(values: list[Any]) -> Iterable[list[Any]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def _packed(raw: bytes, dictionary: bytes = b"") -> bytes:
    press = zlib.compressobj(6, zdict=dictionary[-WINDOW:]) if dictionary else zlib.compressobj(6)
    return press.compress(raw) + press.flush()


def _unpacked(data: bytes, size: int, dictionary: bytes = b"") -> bytes:
    """ValueError: it is not what was put there."""
    if not 0 <= size <= MOST:
        raise ValueError(f"a content of {size} bytes")
    press = zlib.decompressobj(zdict=dictionary[-WINDOW:]) if dictionary else zlib.decompressobj()
    try:
        raw = press.decompress(bytes(data), size + 1)
    except zlib.error as error:
        raise ValueError(f"a content is damaged ({error})") from error
    if len(raw) != size:
        raise ValueError("a content has another length than it says")
    return raw
