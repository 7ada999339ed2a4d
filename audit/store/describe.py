"""docs/database.md, from the comments that stand at the tables."""

from __future__ import annotations

from sqlalchemy import Column, Table
from sqlalchemy.dialects import sqlite

from audit.store.tables import HEAD, VIEWS, metadata

_HEAD = """# The history database

What each `check` found, since when it is so, and the baselines; and what a night of merges notes, so that the same
command goes on where it stopped. This page is written by `make docs` from `audit/store/tables.py` and
`check_tables.py`; the schema's revision is REVISION.

By default it is one SQLite file, for its owner only (0600), beside it its `-wal` and `-shm` while it is in use:

- Look at it at any time, also while something writes: `sqlite3 -readonly FILE 'SELECT * FROM finding_now'`, or
  `datasette FILE`. The views are made for that.
- Copy it with `sqlite3 FILE '.backup COPY'`; a plain copy of the file alone lacks what is still in its `-wal`.
- It may be removed when nothing runs. The checks and baselines are lost then (`history export` keeps the checks), and
  the next merge asks the registry for everything again, and knows nothing of earlier runs: neither their rollback, nor
  whether somebody else moved a tag meanwhile.
- A `kill -9` loses nothing that was committed. A power loss can cost the last transactions, never the file's
  consistency; what they did is done again. It lies on a local disk: over NFS, processes do not see each other's locks.
- A newer fleet-audit moves the schema on by itself. An older one refuses it then.

`--db postgresql+psycopg://HOST/NAME` keeps the same tables on a PostgreSQL server, for a team.

Times are UNIX time in the tables, and UTC in the views. No password, token or other secret is in it: evidence is
redacted before it comes here. A row of `content` is read by `zlib.decompress(data)`; where it has a base, by
`zlib.decompressobj(zdict=TEXT)` with the last 32,768 bytes of the base's own text.
"""


def describe() -> str:
    """Every table and view, as Markdown."""
    parts = [_HEAD.replace("REVISION", HEAD), *map(_table, metadata.tables.values())]
    parts.append("## Views\n\n" + "\n".join(f"- `{view.name}`: {view.comment}" for view in VIEWS) + "\n")
    return "\n".join(parts)


def _table(table: Table) -> str:
    rows = [f"## `{table.name}`", "", table.comment or "", "", "| column | type | null | what |", "|---|---|---|---|"]
    rows += [f"| `{column.name}`{_key(column)} | {_type(column)} | {'yes' if column.nullable else ''} "
             f"| {(column.comment or '').replace('|', chr(92) + '|')} |" for column in table.columns]  # fmt: skip
    return "\n".join(rows) + "\n"


def _key(column: Column[object]) -> str:
    refers = ", ".join(f"`{key.target_fullname}`" for key in column.foreign_keys)
    return (" (key)" if column.primary_key else "") + (f" → {refers}" if refers else "")


def _type(column: Column[object]) -> str:
    return str(column.type.compile(sqlite.dialect())).lower()
