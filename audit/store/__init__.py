"""The history database: SQLAlchemy Core over SQLite (by default) or PostgreSQL (by URL), its schema moved by Alembic.

    Database.open(place) --> Database      checks the file, makes or migrates the schema; transactions
    History(database)    --> History       what each check found, since when it is so, baselines
    Journal(database)    --> Journal       what a night of merges notes, and what it finds again after `kill -9`
    describe.describe()  --> text          docs/database.md, from the comments that stand at the tables

`tables.py` and `check_tables.py` say what is kept, `migrations/` how older files come to it, `sqlite.py` and
`dialect.py` hold what differs between the two engines. Everything else speaks SQLAlchemy's own language.
"""

from audit.store.checks import Baseline, CheckRun, Exported, Life, RunCounts, Standing, Turn
from audit.store.database import Database
from audit.store.failures import JournalFailed, StoreError
from audit.store.history import History
from audit.store.journal import Journal
from audit.store.rows import MergeRun, Stood, TagRow

__all__ = [
    "Baseline", "CheckRun", "Database", "Exported", "History", "Journal", "JournalFailed", "Life", "MergeRun",
    "RunCounts", "Standing", "Stood", "StoreError", "TagRow", "Turn",
]  # fmt: skip
