"""The tables of merges, and with `check_tables` all there are; docs/database.md is written from their comments.

A change here needs a migration (see `migrations/`): a test compares both. What must differ between SQLite and
PostgreSQL stands in `dialect.py`, or here as an option that names its engine.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from audit.store import check_tables
from audit.store.base import Number, view
from audit.store.base import metadata as metadata  # gathered here, with all tables in it
from audit.store.types import Digest, Exact

APPLICATION_ID = 0x666C6175
"""``flau`` in SQLite's header: this file is ours, whatever its name."""
VERSION_TABLE = "fleet_audit_schema"
"""Where Alembic notes the revision; not its default, since a PostgreSQL database may be shared with others."""
REVISIONS = ("0001", "0002", "0003")
"""Every schema there has been, oldest first; here, so that opening need not load Alembic. A test compares it."""
HEAD = REVISIONS[-1]

merge_run = Table(
    "merge_run",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True,
           comment="Counts up; the order of runs, whatever the clock did."),
    Column("id", Exact, nullable=False,
           comment="As `merge --rollback` takes it: UTC and four hex digits, e.g. 2026-11-26T02-00-05-ab12."),
    Column("plan", Exact, nullable=False, comment="The plan's name, for people."),
    Column("plan_hash", Exact, nullable=False,
           comment="Of what the plan wants; the same command finds its unfinished run by it."),
    Column("began", Double, nullable=False, comment="UNIX time."),
    Column("ended", Double, comment="UNIX time; null: it runs, or was killed."),
    Column("state", String(16), nullable=False,
           comment="running, done, left (something is still to do) or stopped (by a signal, in order)."),
    Column("pid", BigInteger, nullable=False, comment="Process that has it now, or had it last."),
    Column("boot", Exact, nullable=False, comment="Boot of the machine that the pid is of."),
    Column("tool", Exact, nullable=False, comment="Version of fleet-audit that had it last."),
    Column("resumed", Integer, nullable=False, server_default=text("0"), comment="How often it was taken up again."),
    Column("progress", Text, nullable=False, server_default=text("'{}'"),
           comment="JSON: what the live view last showed, for `merge --status`."),
    Column("beat", Double, nullable=False, comment="UNIX time of the last sign of life; retention is counted from it."),
    Column("totals", Text, nullable=False, server_default=text("'{}'"), comment="JSON: as it ended."),
    UniqueConstraint("id", name="merge_run_id"),
    Index("merge_run_plan", "plan_hash", "number"),
    comment="One night of merges, with every process that took it up.",
    sqlite_autoincrement=True,
)  # fmt: skip

merge_tag = Table(
    "merge_tag",
    metadata,
    Column("run", Exact, ForeignKey("merge_run.id", name="merge_tag_run", ondelete="CASCADE"), primary_key=True,
           comment="Which run; its tags go when it expires."),
    Column("tag", Exact, primary_key=True, comment="registry/repository:tag."),
    Column("unit", Exact, nullable=False, comment="Key of what is merged for it; tags of one unit have one index."),
    Column("state", String(16), nullable=False,
           comment="planned, tagging (about to be put), done, unchanged, parked, moved, failed or left."),
    Column("digest", Exact, comment="Last noted in this run: wanted, or standing there."),
    Column("before", Exact,
           comment="What stood there before this run first wrote it; null: nothing, or not known (before_known)."),
    Column("before_known", Boolean, nullable=False, server_default=false(), comment="Somebody looked."),
    Column("touched", Boolean, nullable=False, server_default=false(),
           comment="The run announced that it writes the tag; from then on `before` stays. A rollback looks at these."),
    Column("why", Exact, nullable=False, server_default=text("''"), comment="One sentence where it is not done."),
    Column("detail", Text, nullable=False, server_default=text("'{}'"),
           comment="JSON: requests, waits, attempts, errors."),
    Column("updated", Double, nullable=False, comment="UNIX time."),
    comment="One tag in one run: how far it came.",
    sqlite_with_rowid=False,
)  # fmt: skip

tag_stood = Table(
    "tag_stood",
    metadata,
    Column("tag", Exact, primary_key=True, comment="registry/repository:tag."),
    Column("digest", Exact, nullable=False, comment="That it stood for."),
    Column("unit", Exact, nullable=False, comment="Key of what had been merged for it."),
    Column("run", Exact, nullable=False, comment="Run that noted it; it may have expired."),
    Column("updated", Double, nullable=False, comment="UNIX time; retention is counted from it."),
    comment="What we last left or saw under a tag: `unchanged` and `moved` are judged by it.",
    sqlite_with_rowid=False,
)  # fmt: skip

repository = Table(
    "repository",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True, comment="Short, since 100,000s of rows name it."),
    Column("registry", Exact, nullable=False, comment="Host, with its port if it has one."),
    Column("name", Exact, nullable=False, comment="Without the registry, e.g. library/debian."),
    UniqueConstraint("registry", "name", name="repository_name"),
    comment="Repositories that something is known of.",
)  # fmt: skip

known = Table(
    "known",
    metadata,
    Column("repository", Integer, ForeignKey("repository.id", name="known_repository"), primary_key=True,
           autoincrement=False, comment="Which one."),
    Column("kind", String(8), primary_key=True, comment="blob or manifest."),
    Column("digest", Digest, primary_key=True, comment="32 bytes: sha256; 64 bytes: sha512."),
    Column("seen", BigInteger, nullable=False,
           comment="UNIX time, whole seconds, when it was last seen or put there; believed for a while only."),
    comment="Blobs and manifests that are in a repository, as far as we know; a hint that saves requests.",
    sqlite_with_rowid=False,
)  # fmt: skip

_LATEST = """
SELECT t.tag, t.run, r.plan, t.state, t.digest, t.before, t.why, {when}(t.updated{unit}) AS updated
FROM (
  SELECT t2.tag AS tag, max(r2.number) AS number
  FROM merge_tag AS t2 JOIN merge_run AS r2 ON r2.id = t2.run GROUP BY t2.tag
) AS newest
JOIN merge_run AS r ON r.number = newest.number
JOIN merge_tag AS t ON t.run = r.id AND t.tag = newest.tag
""".strip()
_COUNTS = """
SELECT r.id AS run, r.plan, r.state, {when}(r.began{unit}) AS began, {when}(r.ended{unit}) AS ended, r.resumed,
  count(t.tag) AS tags,
  coalesce(sum(CASE WHEN t.state = 'done' THEN 1 ELSE 0 END), 0) AS done,
  coalesce(sum(CASE WHEN t.state = 'unchanged' THEN 1 ELSE 0 END), 0) AS unchanged,
  coalesce(sum(CASE WHEN t.state IN ('done', 'unchanged') THEN 0 WHEN t.tag IS NULL THEN 0 ELSE 1 END), 0) AS undone
FROM merge_run AS r LEFT JOIN merge_tag AS t ON t.run = r.id
GROUP BY r.number, r.id, r.plan, r.state, r.began, r.ended, r.resumed
""".strip()
_KNOWN = """
SELECT r.registry, r.name AS repository, k.kind,
  CASE length(k.digest) WHEN 64 THEN 'sha512:' ELSE 'sha256:' END || {hexed} AS digest, {when}(k.seen{unit}) AS seen
FROM known AS k JOIN repository AS r ON r.id = k.repository
""".strip()

VIEWS = (
    view("merge_tag_latest", "Each tag as its newest run left it; times in UTC.", _LATEST),
    view("merge_run_counts", "Each run with the number of its tags by outcome; times in UTC.", _COUNTS),
    view("known_readable", "What is known of repositories, with names and digests as people write them.", _KNOWN),
    *check_tables.VIEWS,
)
