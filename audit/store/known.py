"""What is believed to be in repositories: a hint with an age, that saves requests."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select

from audit.store.database import Database
from audit.store.dialect import upsert
from audit.store.tables import known, repository
from audit.store.types import is_digest
from audit.store.writer import Item

KINDS = ("blob", "manifest")
CHUNK = 500
"""Values in one IN; SQLite takes 32,766 parameters, older ones 999."""

_fresh = select(known.c.digest).where(
    known.c.repository == bindparam("repository"),
    known.c.kind == bindparam("kind"),
    known.c.seen >= bindparam("youngest"),
    known.c.digest.in_(bindparam("digests", expanding=True)),
)
_number = select(repository.c.id).where(
    repository.c.registry == bindparam("registry"), repository.c.name == bindparam("name")
)
_gone = delete(known).where(
    known.c.repository == bindparam("in_repository"),
    known.c.kind == bindparam("of_kind"),
    known.c.digest == bindparam("of_digest"),
)


class Repositories:
    """Their short numbers, which never change.

    Args:
        database: that has them.
    """

    def __init__(self, database: Database) -> None:
        """None is known yet."""
        self._numbers: dict[tuple[str, str], int] = {}
        self._add = upsert(database.engine_name, repository)
        self._see = upsert(database.engine_name, known, lambda new: {"seen": new["seen"]})

    def number(self, connection: Connection, registry: str, name: str) -> int | None:
        """The number of a repository; None: nothing was ever known of it."""
        found = self._numbers.get((registry, name))
        if found is None:
            found = connection.execute(_number, {"registry": registry, "name": name}).scalar()
            if found is not None:
                # A writer's own may yet be rolled back; but then the journal has failed, and this goes with it.
                self._numbers[registry, name] = found
        return found

    def fresh(
        self, connection: Connection, registry: str, name: str, kind: str, digests: Sequence[str], youngest: int
    ) -> set[str]:
        """Those of the digests that are in the database and not older."""
        number = self.number(connection, registry, name)
        found: set[str] = set()
        if number is None:
            return found
        for start in range(0, len(digests), CHUNK):
            chunk = digests[start : start + CHUNK]
            values = {"repository": number, "kind": kind, "youngest": youngest, "digests": chunk}
            found.update(connection.execute(_fresh, values).scalars())
        return found

    def write(self, connection: Connection, last: Mapping[Item, int | None]) -> None:
        """Note what was seen, and forget what is to be forgotten."""
        seen, gone = [], []
        for (registry, name, kind, digest), when in last.items():
            number = self._made(connection, registry, name)
            if when is not None:
                seen.append({"repository": number, "kind": kind, "digest": digest, "seen": when})
            else:
                gone.append({"in_repository": number, "of_kind": kind, "of_digest": digest})
        if seen:
            connection.execute(self._see, seen)
        if gone:
            connection.execute(_gone, gone)

    def _made(self, connection: Connection, registry: str, name: str) -> int:
        found = self.number(connection, registry, name)
        if found is None:
            connection.execute(self._add, {"registry": registry, "name": name})
            found = connection.execute(_number, {"registry": registry, "name": name}).scalar_one()
        return int(found)


def items(registry: str, name: str, kinds: Collection[str], digests: Collection[str]) -> list[Item]:
    """Each digest as each kind; what is no digest is never known, so it is left out."""
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is neither blob nor manifest")
    return [Item(registry, name, kind, digest) for kind in kinds for digest in digests if is_digest(digest)]


def whole(seconds: float) -> int:
    """UNIX seconds as the table has them; infinities are its ends."""
    most = 1 << 62
    return math.floor(max(-most, min(most, seconds)))
