"""The tables of checks: what `fleet-audit check` found, each time, and since when it is so.

What a host said hardly changes from one check to the next, so its facts, evidence and verdicts stand in `content`, once
each, and a row of `check_host` names them by number. Verdicts that turned have a row of their own in `check_turn`;
those that stay as they were cost nothing.
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
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from audit.store.base import Number, metadata, view
from audit.store.types import Exact

content = Table(
    "content",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True,
           comment="Short, since each host of each check names three."),
    Column("sha256", LargeBinary, nullable=False, comment="32 bytes: of the JSON text; what is the same stands once."),
    Column("base", BigInteger,
           comment="The content that this one is told by: zlib's preset dictionary; null: it is whole in itself."),
    Column("size", BigInteger, nullable=False, comment="Bytes of the JSON text."),
    Column("data", LargeBinary, nullable=False, comment="The JSON text, compressed with zlib."),
    UniqueConstraint("sha256", name="content_sha256"),
    comment="Facts, evidence and verdicts, as JSON. No foreign key guards it, which would make pruning take hours.",
)  # fmt: skip

check_run = Table(
    "check_run",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False,
           comment="The order of checks: their time in ms, or one more than the last where a clock went back."),
    Column("id", Exact, nullable=False, comment="UTC and four hex digits, e.g. 2026-11-26T02-00-05-ab12."),
    Column("at", Double, nullable=False, comment="UNIX time when the evidence was complete."),
    Column("tool_version", Exact, nullable=False, comment="Version of fleet-audit that collected it."),
    Column("inventory", Text, nullable=False, comment="JSON: where the hosts were declared."),
    Column("complete", Boolean, nullable=False, comment="Every selected host was reached, and no signal ended it."),
    Column("hosts", Integer, nullable=False, comment="Hosts that were selected."),
    Column("reached", Integer, nullable=False, comment="Of them, those that answered, at least in part."),
    Column("errors", Integer, nullable=False, comment="Rules that fail, of that severity."),
    Column("warnings", Integer, nullable=False, comment="Likewise."),
    Column("notes", Integer, nullable=False, comment="Likewise."),
    Column("exit_code", Integer, nullable=False, comment="Of the command."),
    Column("mix", Text, nullable=False, comment="JSON: hosts by engine version, by image store and by outcome."),
    Column("others", BigInteger, comment="Content: the verdicts on pools and on the fleet, as a JSON list."),
    Column("fleet", BigInteger, comment="Content: hosts and policy as declared; null: evidence was not kept."),
    Column("head", Text, comment="JSON: what a saved run holds besides the fleet and its hosts' evidence."),
    UniqueConstraint("id", name="check_run_id"),
    comment="One check.",
)  # fmt: skip

host = Table(
    "host",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True, comment="Short, since 100,000s of rows name it."),
    Column("name", Exact, nullable=False, comment="In the inventory."),
    UniqueConstraint("name", name="host_name"),
    comment="Hosts that were ever checked, by name: one that is renamed is another one.",
)

check_host = Table(
    "check_host",
    metadata,
    Column("run", BigInteger, ForeignKey("check_run.number", name="check_host_run", ondelete="CASCADE"),
           primary_key=True, autoincrement=False, comment="Which check; its hosts go when it is pruned."),
    Column("host", BigInteger, ForeignKey("host.id", name="check_host_host"), primary_key=True, autoincrement=False,
           comment="Which host."),
    Column("position", Integer, nullable=False, comment="In the inventory's order, from 0."),
    Column("outcome", Exact, nullable=False, comment="ok, partial, or why it was not reached."),
    Column("detail", Exact, nullable=False, comment="One sentence about anything but ok."),
    Column("address", Exact, nullable=False, comment="That was dialled."),
    Column("pool", Exact, comment="Null: it has none."),
    Column("groups", Text, nullable=False, comment="JSON: its groups in the inventory."),
    Column("pushes", Exact, nullable=False, comment="What a plain build and push there leaves, in words."),
    Column("facts", BigInteger, nullable=False, comment="Content: its facts by name."),
    Column("verdicts", BigInteger, nullable=False, comment="Content: the rules' words on it, as a JSON list."),
    Column("evidence", BigInteger, comment="Content: what the host answered, redacted; null: it was not kept."),
    Index("check_host_life", "host", "run"),
    comment="One host in one check.",
    sqlite_with_rowid=False,
)  # fmt: skip

check_turn = Table(
    "check_turn",
    metadata,
    Column("subject", Exact, primary_key=True, comment="A host's name, pool:NAME or fleet."),
    Column("rule", Exact, primary_key=True, comment="The rule's id."),
    Column("run", BigInteger, primary_key=True, autoincrement=False,
           comment="Number of the check that found it turned; it may have been pruned."),
    Column("at", Double, nullable=False, comment="UNIX time of that check."),
    Column("before", String(16), comment="Status until then; null: there was none."),
    Column("after", String(16), comment="Status from then on; null: the rule or the subject is gone."),
    Column("severity", String(16), nullable=False, comment="error, warning or note."),
    Column("message", Exact, nullable=False, comment="What the rule said then."),
    Column("first_seen", Double,
           comment="UNIX time when it first failed since it was last fine; null: it does not fail, or is fine again."),
    Column("last_ok", Double, comment="UNIX time of the last check that found it fine; null: none did."),
    Index("check_turn_rule", "rule", "run"),
    Index("check_turn_run", "run"),
    comment="Verdicts that began or ended to be fail or waived. The newest row of a subject and rule is what holds.",
    sqlite_with_rowid=False,
)  # fmt: skip

baseline = Table(
    "baseline",
    metadata,
    Column("name", Exact, primary_key=True, comment="As `drift --since` takes it."),
    Column("run", BigInteger, ForeignKey("check_run.number", name="baseline_run"), nullable=False,
           comment="The check that it was last set from; its verdicts on pools and the fleet count."),
    Column("set_at", Double, nullable=False, comment="UNIX time when it was last set."),
    comment="A state of the fleet that somebody called good; its checks are not pruned.",
    sqlite_with_rowid=False,
)  # fmt: skip

baseline_host = Table(
    "baseline_host",
    metadata,
    Column("baseline", Exact, ForeignKey("baseline.name", name="baseline_host_baseline", ondelete="CASCADE"),
           primary_key=True, comment="Which baseline."),
    Column("host", BigInteger, ForeignKey("host.id", name="baseline_host_host"), primary_key=True,
           autoincrement=False, comment="Which host."),
    Column("run", BigInteger, ForeignKey("check_run.number", name="baseline_host_run"), nullable=False,
           comment="The check that it is taken from: hosts may come from several."),
    comment="One host of a baseline.",
    sqlite_with_rowid=False,
)  # fmt: skip

_RUNS = """
SELECT r.id AS run, {when}(r.at{unit}) AS at, r.hosts, r.reached, r.complete, r.errors, r.warnings, r.notes,
  r.exit_code, r.tool_version, r.inventory
FROM check_run AS r
""".strip()
_FINDINGS = """
SELECT t.subject, t.rule, t.severity, t.message, {when}(t.first_seen{unit}) AS first_seen,
  {when}(t.at{unit}) AS since, {when}(t.last_ok{unit}) AS last_ok,
  (SELECT {when}(max(r.at){unit}) FROM host AS h JOIN check_host AS c ON c.host = h.id
    JOIN check_run AS r ON r.number = c.run WHERE h.name = t.subject) AS last_checked
FROM (SELECT n.subject AS subject, n.rule AS rule, max(n.run) AS run FROM check_turn AS n
  GROUP BY n.subject, n.rule) AS newest
JOIN check_turn AS t ON t.subject = newest.subject AND t.rule = newest.rule AND t.run = newest.run
WHERE t.after = 'fail'
""".strip()
_TURNS = """
SELECT {when}(t.at{unit}) AS at, r.id AS run, t.subject, t.rule, t.before, t.after, t.severity, t.message
FROM check_turn AS t LEFT JOIN check_run AS r ON r.number = t.run
""".strip()
_LIFE = """
SELECT h.name AS host, {when}(r.at{unit}) AS at, r.id AS run, c.outcome, c.detail, c.pool, c.pushes, c.address
FROM check_host AS c JOIN host AS h ON h.id = c.host JOIN check_run AS r ON r.number = c.run
""".strip()
_BASELINES = """
SELECT b.name AS baseline, {when}(b.set_at{unit}) AS set_at, h.name AS host, r.id AS run, {when}(r.at{unit}) AS at
FROM baseline AS b JOIN baseline_host AS n ON n.baseline = b.name JOIN host AS h ON h.id = n.host
JOIN check_run AS r ON r.number = n.run
""".strip()

VIEWS = (
    view("check_readable", "Each check, times in UTC.", _RUNS),
    view("finding_now", "What fails, by the last check of each subject, and since when; times in UTC.", _FINDINGS),
    view("turn_readable", "Every verdict that turned, times in UTC.", _TURNS),
    view("host_life", "Each host in each check: reached or not, and what it pushes; times in UTC.", _LIFE),
    view("baseline_readable", "Each host of each baseline, and the check it is taken from; times in UTC.", _BASELINES),
)
