"""What is known of repositories' blobs and manifests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

READABLE = """
SELECT r.registry, r.name AS repository, k.kind,
  CASE length(k.digest) WHEN 64 THEN 'sha512:' ELSE 'sha256:' END || {hexed} AS digest, {when}(k.seen{unit}) AS seen
FROM known AS k JOIN repository AS r ON r.id = k.repository
"""


def upgrade() -> None:
    """Repositories by short numbers, and digests as bytes."""
    op.create_table(
        "repository",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("registry", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.UniqueConstraint("registry", "name", name="repository_name"),
    )
    op.create_table(
        "known",
        sa.Column(
            "repository", sa.Integer, sa.ForeignKey("repository.id", name="known_repository"), primary_key=True,
            autoincrement=False,
        ),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )  # fmt: skip
    if op.get_bind().dialect.name == "sqlite":
        text = READABLE.format(when="datetime", unit=", 'unixepoch'", hexed="lower(hex(k.digest))")
    else:
        text = READABLE.format(when="to_timestamp", unit="", hexed="encode(k.digest, 'hex')")
    op.execute(f"CREATE VIEW known_readable AS\n{text.strip()}")


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("the history is not taken back to an older schema")
