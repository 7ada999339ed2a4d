"""The journal of merges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LATEST = """
SELECT t.tag, t.run, r.plan, t.state, t.digest, t.before, t.why, {when}(t.updated{unit}) AS updated
FROM (
  SELECT t2.tag AS tag, max(r2.number) AS number
  FROM merge_tag AS t2 JOIN merge_run AS r2 ON r2.id = t2.run GROUP BY t2.tag
) AS newest
JOIN merge_run AS r ON r.number = newest.number
JOIN merge_tag AS t ON t.run = r.id AND t.tag = newest.tag
"""
COUNTS = """
SELECT r.id AS run, r.plan, r.state, {when}(r.began{unit}) AS began, {when}(r.ended{unit}) AS ended, r.resumed,
  count(t.tag) AS tags,
  coalesce(sum(CASE WHEN t.state = 'done' THEN 1 ELSE 0 END), 0) AS done,
  coalesce(sum(CASE WHEN t.state = 'unchanged' THEN 1 ELSE 0 END), 0) AS unchanged,
  coalesce(sum(CASE WHEN t.state IN ('done', 'unchanged') THEN 0 WHEN t.tag IS NULL THEN 0 ELSE 1 END), 0) AS undone
FROM merge_run AS r LEFT JOIN merge_tag AS t ON t.run = r.id
GROUP BY r.number, r.id, r.plan, r.state, r.began, r.ended, r.resumed
"""


def upgrade() -> None:
    """Runs, their tags, and what stood under each tag last."""
    op.create_table(
        "merge_run",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("plan_hash", sa.Text, nullable=False),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("resumed", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("progress", sa.Text, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("beat", sa.Double, nullable=False),
        sa.Column("totals", sa.Text, nullable=False, server_default=sa.text("'{}'")),
        sa.UniqueConstraint("id", name="merge_run_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("merge_run_plan", "merge_run", ["plan_hash", "number"])
    op.create_table(
        "merge_tag",
        sa.Column(
            "run", sa.Text, sa.ForeignKey("merge_run.id", name="merge_tag_run", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("before", sa.Text),
        sa.Column("before_known", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("touched", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("why", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("detail", sa.Text, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("updated", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tag_stood",
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    lite = op.get_bind().dialect.name == "sqlite"
    when, unit = ("datetime", ", 'unixepoch'") if lite else ("to_timestamp", "")
    for name, text in (("merge_tag_latest", LATEST), ("merge_run_counts", COUNTS)):
        op.execute(f"CREATE VIEW {name} AS\n{text.format(when=when, unit=unit).strip()}")


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("the history is not taken back to an older schema")
