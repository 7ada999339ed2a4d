"""What checks found, each time, and since when it is so; baselines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RUNS = """
SELECT r.id AS run, {when}(r.at{unit}) AS at, r.hosts, r.reached, r.complete, r.errors, r.warnings, r.notes,
  r.exit_code, r.tool_version, r.inventory
FROM check_run AS r
"""
FINDINGS = """
SELECT t.subject, t.rule, t.severity, t.message, {when}(t.first_seen{unit}) AS first_seen,
  {when}(t.at{unit}) AS since, {when}(t.last_ok{unit}) AS last_ok,
  (SELECT {when}(max(r.at){unit}) FROM host AS h JOIN check_host AS c ON c.host = h.id
    JOIN check_run AS r ON r.number = c.run WHERE h.name = t.subject) AS last_checked
FROM (SELECT n.subject AS subject, n.rule AS rule, max(n.run) AS run FROM check_turn AS n
  GROUP BY n.subject, n.rule) AS newest
JOIN check_turn AS t ON t.subject = newest.subject AND t.rule = newest.rule AND t.run = newest.run
WHERE t.after = 'fail'
"""
TURNS = """
SELECT {when}(t.at{unit}) AS at, r.id AS run, t.subject, t.rule, t.before, t.after, t.severity, t.message
FROM check_turn AS t LEFT JOIN check_run AS r ON r.number = t.run
"""
LIFE = """
SELECT h.name AS host, {when}(r.at{unit}) AS at, r.id AS run, c.outcome, c.detail, c.pool, c.pushes, c.address
FROM check_host AS c JOIN host AS h ON h.id = c.host JOIN check_run AS r ON r.number = c.run
"""
BASELINES = """
SELECT b.name AS baseline, {when}(b.set_at{unit}) AS set_at, h.name AS host, r.id AS run, {when}(r.at{unit}) AS at
FROM baseline AS b JOIN baseline_host AS n ON n.baseline = b.name JOIN host AS h ON h.id = n.host
JOIN check_run AS r ON r.number = n.run
"""


def upgrade() -> None:
    """Checks, their hosts, what these said, verdicts that turned, baselines."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "content",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("base", sa.BigInteger),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("sha256", name="content_sha256"),
    )
    op.create_table(
        "check_run",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("tool_version", sa.Text, nullable=False),
        sa.Column("inventory", sa.Text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("hosts", sa.Integer, nullable=False),
        sa.Column("reached", sa.Integer, nullable=False),
        sa.Column("errors", sa.Integer, nullable=False),
        sa.Column("warnings", sa.Integer, nullable=False),
        sa.Column("notes", sa.Integer, nullable=False),
        sa.Column("exit_code", sa.Integer, nullable=False),
        sa.Column("mix", sa.Text, nullable=False),
        sa.Column("others", sa.BigInteger),
        sa.Column("fleet", sa.BigInteger),
        sa.Column("head", sa.Text),
        sa.UniqueConstraint("id", name="check_run_id"),
    )
    op.create_table(
        "host",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.UniqueConstraint("name", name="host_name"),
    )
    op.create_table(
        "check_host",
        sa.Column(
            "run", sa.BigInteger, sa.ForeignKey("check_run.number", name="check_host_run", ondelete="CASCADE"),
            primary_key=True, autoincrement=False,
        ),
        sa.Column(
            "host", sa.BigInteger, sa.ForeignKey("host.id", name="check_host_host"), primary_key=True,
            autoincrement=False,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("pool", sa.Text),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("pushes", sa.Text, nullable=False),
        sa.Column("facts", sa.BigInteger, nullable=False),
        sa.Column("verdicts", sa.BigInteger, nullable=False),
        sa.Column("evidence", sa.BigInteger),
        sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("check_host_life", "check_host", ["host", "run"])
    op.create_table(
        "check_turn",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("before", sa.String(16)),
        sa.Column("after", sa.String(16)),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("first_seen", sa.Double),
        sa.Column("last_ok", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_index("check_turn_rule", "check_turn", ["rule", "run"])
    op.create_index("check_turn_run", "check_turn", ["run"])
    _baselines()
    lite = op.get_bind().dialect.name == "sqlite"
    when, unit = ("datetime", ", 'unixepoch'") if lite else ("to_timestamp", "")
    for name, text in (
        ("check_readable", RUNS), ("finding_now", FINDINGS), ("turn_readable", TURNS), ("host_life", LIFE),
        ("baseline_readable", BASELINES),
    ):  # fmt: skip
        op.execute(f"CREATE VIEW {name} AS\n{text.format(when=when, unit=unit).strip()}")


def _baselines() -> None:
    op.create_table(
        "baseline",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("run", sa.BigInteger, sa.ForeignKey("check_run.number", name="baseline_run"), nullable=False),
        sa.Column("set_at", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "baseline_host",
        sa.Column(
            "baseline", sa.Text, sa.ForeignKey("baseline.name", name="baseline_host_baseline", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "host", sa.BigInteger, sa.ForeignKey("host.id", name="baseline_host_host"), primary_key=True,
            autoincrement=False,
        ),
        sa.Column("run", sa.BigInteger, sa.ForeignKey("check_run.number", name="baseline_host_run"), nullable=False),
        sqlite_with_rowid=False,
    )  # fmt: skip


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("the history is not taken back to an older schema")
