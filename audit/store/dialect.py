"""What SQLite and PostgreSQL spell differently in a statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnCollection, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import Insert

New = ColumnCollection[str, Any]
"""The row that was to be inserted, in what is set when one with its key is there."""


def upsert(engine: str, table: Table, setting: Callable[[New], Mapping[str, Any]] | None = None) -> Insert:
    """Insert a row; where one with its primary key is there, change that.

    Args:
        engine: ``sqlite`` or ``postgresql``.
        table: with a primary key.
        setting: what to change, given the new row; None: leave the old row as it is, whichever key is taken.
    """
    if engine == "postgresql":
        from sqlalchemy.dialects import postgresql  # 20 ms, which a user of SQLite does not pay

        other = postgresql.insert(table)
        if setting is None:
            return other.on_conflict_do_nothing()
        return other.on_conflict_do_update(index_elements=list(table.primary_key), set_=dict(setting(other.excluded)))
    statement = sqlite.insert(table)
    if setting is None:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_=dict(setting(statement.excluded))
    )
