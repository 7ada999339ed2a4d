"""What Alembic runs to carry out a migration: on the connection, and in the transaction, that `migrating.py` gives."""

from __future__ import annotations

from alembic import context

from audit.store.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # SQLite's too can be rolled back, which Alembic does not assume
)
with context.begin_transaction():
    context.run_migrations()
