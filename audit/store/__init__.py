"""The history database: SQLAlchemy Core over SQLite (by default) or PostgreSQL (by URL), its schema moved by Alembic.

    Database.open(place) --> Database      checks the file, makes or migrates the schema; transactions
    Journal(database)    --> Journal       what a night of merges notes, and what it finds again after `kill -9`
    describe.describe()  --> text          docs/database.md, from the comments that stand at the tables

`tables.py` says what is kept, `migrations/` how older files come to it, `sqlite.py` and `dialect.py` hold what differs
between the two engines. Everything else speaks SQLAlchemy's own language.
"""

from audit.store.database import Database
from audit.store.failures import JournalFailed, StoreError
from audit.store.journal import Journal
from audit.store.rows import MergeRun, Stood, TagRow

__all__ = ["Database", "Journal", "JournalFailed", "MergeRun", "Stood", "StoreError", "TagRow"]
