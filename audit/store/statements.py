"""What the journal says to the database about runs and tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Insert, Row, and_, bindparam, case, func, select, true, update

from audit.store.dialect import New, upsert
from audit.store.rows import MergeRun, Stood, TagRow
from audit.store.tables import merge_run, merge_tag, tag_stood

RUN = [merge_run.c[name] for name in MergeRun.model_fields]
TAG = [merge_tag.c[name] for name in TagRow.model_fields]

run_by_id = select(*RUN).where(merge_run.c.id == bindparam("run"))
newest_of_plan = (
    select(*RUN).where(merge_run.c.plan_hash == bindparam("hash")).order_by(merge_run.c.number.desc()).limit(1)
)
newest_runs = select(*RUN).order_by(merge_run.c.number.desc()).limit(bindparam("most"))
tags_of_run = select(*TAG).where(merge_tag.c.run == bindparam("run")).order_by(merge_tag.c.tag)
stood_of_tags = select(tag_stood).where(tag_stood.c.tag.in_(bindparam("tags", expanding=True)))
beat_of_run = (
    update(merge_run)
    .where(merge_run.c.id == bindparam("of_run"))
    .values(progress=bindparam("new_progress"), beat=bindparam("new_beat"))
)


def note(engine: str) -> Insert:
    """A tag's row, or what is new of it: what is not given stays.

    `before` is what a rollback goes back to, so it stays from when the run first announced that it writes the tag: a
    process that takes the run up may find our own index there, and would note that.
    """
    old = merge_tag.c

    def setting(new: New) -> dict[str, Any]:
        kept = and_(old.touched == true(), old.before_known == true())
        return {
            "unit": new["unit"],
            "state": new["state"],
            "digest": func.coalesce(new["digest"], old.digest),
            "before": case((kept, old.before), (new["before_known"] == true(), new["before"]), else_=old.before),
            "before_known": case((old.before_known == true(), true()), else_=new["before_known"]),
            "touched": case((old.touched == true(), true()), else_=new["touched"]),
            "why": new["why"],
            "detail": case((new["detail"] == "{}", old.detail), else_=new["detail"]),
            "updated": new["updated"],
        }

    return upsert(engine, merge_tag, setting)


def stand(engine: str) -> Insert:
    """What stands under a tag."""
    return upsert(engine, tag_stood, lambda new: {name: new[name] for name in ("digest", "unit", "run", "updated")})


def as_run(row: Row[Any]) -> MergeRun:
    """ValueError: a stranger wrote it."""
    values = dict(row._mapping)
    values.update(progress=_read(values["progress"]), totals=_read(values["totals"]))
    return MergeRun.model_validate(values)


def as_tag(row: Row[Any]) -> TagRow:
    """ValueError: a stranger wrote it."""
    values = dict(row._mapping)
    values["detail"] = _read(values["detail"])
    return TagRow.model_validate(values)


def as_stood(row: Row[Any]) -> Stood:
    """ValueError: a stranger wrote it."""
    return Stood.model_validate(dict(row._mapping))


def written(value: Mapping[str, Any] | None) -> str:
    """As a JSON column has it; TypeError: it is no JSON."""
    return json.dumps(value or {}, separators=(",", ":"))


def _read(text: object) -> Any:
    return {} if text == "{}" else json.loads(str(text))
