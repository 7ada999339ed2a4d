"""The schema: one, however a file came to it; documented; and no way back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from audit.store import Database, StoreError, migrating, statements
from audit.store.describe import describe
from audit.store.dialect import upsert
from audit.store.tables import APPLICATION_ID, HEAD, REVISIONS, VERSION_TABLE, VIEWS, known, metadata, repository

ROOT = Path(__file__).parent.parent.parent
OURS = """
INSERT INTO merge_run (id, plan, plan_hash, began, state, pid, boot, tool, beat)
VALUES ('r', 'night', 'h', 1, 'running', 7, 'b', '1', 1);
INSERT INTO merge_tag (run, tag, unit, state, updated) VALUES ('r', 'x/y:1', 'u', 'planned', 1);
"""


def schema(path: Path) -> dict[str, str]:
    """What SQLite was told to make, by name."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return dict(rows)


def bare(path: Path) -> None:
    """An empty database of ours, without a table."""
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.close()


def migrated(path: Path, to: str) -> None:
    """A file as the fleet-audit of that revision left it, with a run in it."""
    Database.open(path).close()
    path.unlink()
    bare(path)
    from sqlalchemy import create_engine, event

    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        migrating.upgrade(connection, to)
    engine.dispose()
    other = sqlite3.connect(path)
    other.executescript(OURS)
    other.close()


@pytest.mark.parametrize("revision", REVISIONS)
def test_however_a_file_came_to_it_the_schema_is_the_same(tmp_path: Path, revision: str) -> None:
    """A new one, and one that an older fleet-audit left, which keeps what is in it."""
    Database.open(tmp_path / "new.db").close()
    old = tmp_path / "old.db"
    migrated(old, revision)
    assert (schema(old) == schema(tmp_path / "new.db")) is (revision == HEAD)
    Database.open(old).close()
    assert schema(old) == schema(tmp_path / "new.db")
    connection = sqlite3.connect(old)
    assert connection.execute(f"SELECT * FROM {VERSION_TABLE}").fetchall() == [(HEAD,)]
    assert connection.execute(
        "SELECT run, tag, done FROM merge_tag, (SELECT done FROM merge_run_counts)"
    ).fetchall() == [("r", "x/y:1", 0)]
    connection.close()


def test_alembic_finds_nothing_to_do(database: Database) -> None:
    """What it would generate against the tables is empty, types included."""
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True},
        )
        assert compare_metadata(context, metadata) == []


def test_the_revisions_are_alembics() -> None:
    """`REVISIONS` saves loading it, so it must say the same, in one line without branches."""
    config = Config()
    config.set_main_option("script_location", str(migrating.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert tuple(one.revision for one in script.walk_revisions())[::-1] == REVISIONS
    assert script.get_heads() == [HEAD]


def test_there_is_no_way_back(database: Database) -> None:
    """A downgrade is refused, and the file stays as it is."""
    before = schema(Path(database.place))
    config = Config()
    config.set_main_option("script_location", str(migrating.MIGRATIONS))
    for target in (REVISIONS[-2], "base"):
        with database.writing() as connection:
            config.attributes["connection"] = connection
            with pytest.raises(NotImplementedError, match="not taken back"):
                command.downgrade(config, target)
    assert schema(Path(database.place)) == before
    Database.open(database.place).close()


@pytest.mark.parametrize("revision", ["0999", "", "zz\x1b[2J" + "y" * 25])
def test_a_newer_file_is_refused(place: Path, revision: str) -> None:
    """With its revision, and untouched."""
    Database.open(place).close()
    connection = sqlite3.connect(place)
    connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = ?", (revision,))
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"newer fleet-audit wrote it.*; upgrade fleet-audit") as caught:
        Database.open(place)
    assert (caught.value.kind, caught.value.exit_code) == ("newer", 2)
    assert str(caught.value).isprintable()
    connection = sqlite3.connect(place)
    assert connection.execute(f"SELECT * FROM {VERSION_TABLE}").fetchall() == [(revision,)]
    connection.close()


def test_an_older_file_is_not_migrated_for_a_reader(tmp_path: Path) -> None:
    """It says who will do it."""
    migrated(tmp_path / "old.db", "0001")
    with pytest.raises(StoreError, match=r"an older fleet-audit wrote it.*run a command that writes") as caught:
        Database.open(tmp_path / "old.db", read_only=True)
    assert caught.value.kind == "older"


def test_a_migration_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    """One transaction: a table that is in the way is no half-way house."""
    migrated(tmp_path / "old.db", "0001")
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.execute("CREATE TABLE known (x)")
    connection.close()
    before = schema(tmp_path / "old.db")
    with pytest.raises(StoreError, match="known already exists"):
        Database.open(tmp_path / "old.db")
    assert schema(tmp_path / "old.db") == before


def test_an_installed_package_finds_its_migrations(tmp_path: Path) -> None:
    """What the packager takes (packages and their modules) is enough to move an old file on."""
    for folder in sorted((ROOT / "audit").rglob("")):
        if (folder / "__init__.py").exists():
            target = tmp_path / "site" / folder.relative_to(ROOT)
            target.mkdir(parents=True)
            for file in folder.glob("*.py"):
                shutil.copy(file, target)
    migrated(tmp_path / "old 100%.db", "0001")
    search = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    code = (
        "import audit, sys; from audit.store import Database\n"
        "assert audit.__file__.startswith(sys.argv[1]), audit.__file__\n"
        "Database.open(sys.argv[2]).close(); assert 'alembic' in sys.modules"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "site"), str(tmp_path / "old 100%.db")]
    subprocess.run(arguments, check=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": search})
    Database.open(tmp_path / "new.db").close()
    assert schema(tmp_path / "old 100%.db") == schema(tmp_path / "new.db")


def test_everything_is_documented() -> None:
    """Each table, column and view has a sentence."""
    for table in metadata.tables.values():
        assert table.comment
        for column in table.columns:
            assert (column.comment or "").endswith((".", "12.")), f"{table.name}.{column.name}"
    assert all(view.comment.endswith(".") for view in VIEWS)


def test_the_page_is_up_to_date() -> None:
    """docs/database.md is what `describe` says."""
    assert (ROOT / "docs" / "database.md").read_text(encoding="utf-8") == describe()


def test_postgresql_is_not_made_impossible() -> None:
    """Every table, index and upsert can be said in its language."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped
    for table in metadata.tables.values():
        text = str(CreateTable(table).compile(dialect=dialect))
        assert "ROWID" not in text
        assert "AUTOINCREMENT" not in text
        for index in table.indexes:
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))
    for statement in (
        statements.note("postgresql"),
        statements.stand("postgresql"),
        upsert("postgresql", known, lambda new: {"seen": new["seen"]}),
        upsert("postgresql", repository),
    ):
        assert "ON CONFLICT" in str(statement.compile(dialect=dialect))
    for view in VIEWS:
        assert "datetime(" not in view.postgresql
        assert "hex(" not in view.postgresql


def test_the_views_can_be_read(database: Database) -> None:
    """Each of them, on an empty database."""
    with database.reading() as connection:
        for view in VIEWS:
            assert connection.exec_driver_sql(f"SELECT * FROM {view.name}").all() == []
