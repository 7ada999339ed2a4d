"""What every table stands on: the metadata that they are gathered in, and views for a person."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()
Number = BigInteger().with_variant(Integer, "sqlite")
"""A number that counts up: SQLite numbers its rows by itself only where the type is spelled INTEGER."""


class View(NamedTuple):
    """A view for a person with `sqlite3` or `datasette`; nothing of ours reads it.

    Attributes:
        name: of the view.
        comment: what it shows.
        sqlite, postgresql: its SELECT.
    """

    name: str
    comment: str
    sqlite: str
    postgresql: str


def view(name: str, comment: str, text: str) -> View:
    """A view, spelled for both engines.

    Args:
        name: of the view.
        comment: what it shows, as a sentence.
        text: its SELECT; ``{when}(x{unit})`` makes a UTC time of UNIX time, ``{hexed}`` the digest in hex digits.
    """
    return View(
        name,
        comment,
        text.format(when="datetime", unit=", 'unixepoch'", hexed="lower(hex(k.digest))"),
        text.format(when="to_timestamp", unit="", hexed="encode(k.digest, 'hex')"),
    )
