"""A run taken back: each tag that it wrote stands again for what it stood for before."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from audit import __version__
from audit.batch import UNDONE, BatchReport
from audit.batching.jobs import Outcome
from audit.batching.shared import Times
from audit.batching.tagging import moved
from audit.errors import StepError, UsageError
from audit.image.reference import Reference
from audit.registry import NotFound
from audit.registry.confirmed import ConfirmingClient
from audit.registry.ledger import charged
from audit.store import Journal, MergeRun, TagRow

UNIT = "rollback"
"""Stands in the journal where a set of sources would: the next night finds that its tags are to be written again."""


def roll_back(
    client: ConfirmingClient,
    journal: Journal,
    run: str,
    *,
    connections: int = 6,
    force: bool = False,
    wanted: Callable[[Reference], bool] = lambda _tag: True,
    times: Times | None = None,
    stop: threading.Event | None = None,
) -> BatchReport:
    """Let every tag that a run wrote stand for what it stood for before; a run of its own in the journal.

    What the tags stood for is still in the repository unless it was cleaned meanwhile. A tag that has been moved since
    is left alone, unless `force`; one that was new is told, for registries delete no tag by itself.

    Args:
        client, journal, connections, force, times, stop: as of `Batch`.
        run: its id.
        wanted: whether a tag of it is meant.

    Raises:
        UsageError: the journal has no such run, or it wrote nothing.
        StepError: see `audit.registry.failures`.
    """
    times, stop = times or Times(), stop or threading.Event()
    found = journal.run(run)
    if found is None:
        last = ", ".join(one.id for one in journal.runs(5)) or "none"
        raise UsageError(f"--rollback {run}: the journal has no such run; the last ones are {last}")
    rows = [(Reference.parse(name), row) for name, row in journal.tags(run).items() if row.touched]
    rows = [(tag, row) for tag, row in rows if wanted(tag)]
    if not rows:
        raise UsageError(f"--rollback {run}: that run has written no such tag, so there is nothing to take back")
    mine = journal.begin(
        f"rollback of {run}", hashlib.sha256(f"rollback {run}".encode()).hexdigest(),
        tool=__version__, pid=os.getpid(), boot="",
    )  # fmt: skip
    _expect(client, [tag for tag, _row in rows])

    def one(pair: tuple[Reference, TagRow]) -> Outcome:
        outcome = Outcome(pair[0], attempts=1)
        if stop.is_set():
            return outcome
        with charged(outcome.ledger):
            try:
                _back(client, journal, outcome, pair[1], mine, force=force)
            except StepError as error:
                outcome.state, outcome.why = "failed", str(error)
        journal.note(
            mine.id, outcome.name, unit=UNIT, state=outcome.state or "planned", digest=outcome.digest,
            before=outcome.before, before_known=outcome.before_known, why=outcome.why,
            detail=outcome.report().model_dump(mode="json"),
        )  # fmt: skip
        return outcome

    first = one(rows[0])  # alone, so that the registry asks only once who we are
    with ThreadPoolExecutor(connections, thread_name_prefix="rollback") as pool:
        outcomes = [first, *pool.map(one, rows[1:])]
    spent = client.ledger.now()
    report = BatchReport(
        tool_version=__version__, run=mine.id, plan=f"rollback of {run}", plan_digest=found.plan_hash,
        began=mine.began, ended=times.now(), stopped="stopped" if stop.is_set() else "",
        tags=tuple(outcome.report() for outcome in outcomes), requests=client.counts.by_kind, pulls=spent.pulls,
        waited=spent.waited,
    )  # fmt: skip
    state = "left" if any(tag.state in UNDONE for tag in report.tags) else "done"
    journal.end(mine.id, state, report.model_dump(mode="json", exclude={"tags"}))
    return report


def _back(
    client: ConfirmingClient, journal: Journal, outcome: Outcome, row: TagRow, mine: MergeRun, *, force: bool
) -> None:
    tag = outcome.tag
    if not row.before_known:
        raise StepError(f"{tag.familiar}: the journal does not say what it stood for before that run; set it by hand")
    try:
        now: str | None = client.head(tag).digest
    except NotFound:
        now = None
    outcome.before, outcome.before_known = now, True
    if now == row.before:
        outcome.state, outcome.digest = "unchanged", now
    elif now != row.digest and now is not None and not force:
        moved(outcome, now, row.digest or "nothing")
        return
    elif row.before is None:
        raise StepError(
            f"{tag.familiar} did not stand before that run, and registries delete no tag by itself; "
            "delete it by the registry's own means, or leave it"
        )
    else:
        try:
            there = client.manifest(tag.at(row.before))
        except NotFound:
            raise StepError(
                f"{tag.familiar} stood for {row.before}, which is no longer in {tag.name}; "
                "merge what it was made of again"
            ) from None
        journal.note(
            mine.id,
            outcome.name,
            unit=UNIT,
            state="tagging",
            digest=row.before,
            before=now,
            before_known=True,
            wait=True,
        )
        client.put(tag, there.media_type, there.raw)
        outcome.state, outcome.digest = "done", row.before
    if outcome.digest is not None:
        journal.stands(outcome.name, outcome.digest, unit=UNIT, run=mine.id)


def _expect(client: ConfirmingClient, tags: list[Reference]) -> None:
    for registry in dict.fromkeys(tag.registry for tag in tags):
        client.expect(registry, push=dict.fromkeys(tag.repository for tag in tags if tag.registry == registry))
