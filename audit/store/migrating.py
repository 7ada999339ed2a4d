"""The schema: made where there is none, moved on where it is old, refused where it is newer.

A new database is made from `tables.py` and stamped, not walked through the migrations: Alembic takes 0.36 s of CPU to
load, which a build service that begins with an empty home every night would pay every night. That both ways end in the
same schema is tested.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table
from sqlalchemy.schema import SetColumnComment, SetTableComment

from audit.store.failures import StoreError
from audit.store.tables import HEAD, REVISIONS, VERSION_TABLE, VIEWS, metadata

MIGRATIONS = Path(__file__).parent / "migrations"
_version = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),  # as Alembic would make it
)


def make(connection: Connection) -> None:
    """Every table and view, in an empty database, within the caller's transaction."""
    _version.create(connection)
    connection.execute(_version.insert().values(version_num=HEAD))
    metadata.create_all(connection, checkfirst=False)
    for view in VIEWS:
        select = view.sqlite if connection.dialect.name == "sqlite" else view.postgresql
        connection.exec_driver_sql(f"CREATE VIEW {view.name} AS\n{select}")


def revision(connection: Connection) -> str:
    """The revision that the database says it has; empty: it says none. The table of versions must be there."""
    rows = connection.execute(_version.select()).all()
    return str(rows[0][0]) if len(rows) == 1 else ""


def check(found: str, place: str, *, read_only: bool) -> bool:
    """Whether a migration has to be run.

    Args:
        found: the revision that is there.
        place: of the database, for messages.
        read_only: it cannot be run.

    Raises:
        StoreError: this fleet-audit cannot use such a database.
    """
    if found == HEAD:
        return False
    if found not in REVISIONS:
        shown = "".join(char if char.isprintable() else "?" for char in found)[:40] or "none"
        raise StoreError(
            place,
            f"a newer fleet-audit wrote it (its schema is {shown}, this one knows those up to {HEAD})",
            "upgrade fleet-audit, or give another place",
            "newer",
        )
    if read_only:
        raise StoreError(
            place,
            f"an older fleet-audit wrote it (its schema is {found}, this one's is {HEAD})",
            "run a command that writes to it once, e.g. `check`",
            "older",
        )
    return True


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Run the migrations that are missing, within the caller's transaction; loads Alembic.

    Args:
        connection: in a transaction that keeps other writers out.
        to: revision to end at.
    """
    from alembic import command  # 0.36 s of CPU, only where there is something to do
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    if connection.dialect.supports_comments:
        for table in metadata.tables.values() if to == HEAD else ():
            connection.execute(SetTableComment(table))
            for column in table.columns:
                connection.execute(SetColumnComment(column))
