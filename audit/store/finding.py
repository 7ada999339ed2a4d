"""Which check is meant: by its id, the beginning of one, a time, a word, or the name of a baseline."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from audit.store.check_tables import baseline, check_run

TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
"""A time has colons, an id has dashes, so that they are never taken for each other."""
AGO = re.compile(r"([0-9]{1,5})(m|h|d)")
SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
WORDS = ("latest", "previous")
_EPOCH = "1970-01-01T00-00-00"
_ID = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9a-f-]*")


def stamped(at: float) -> str:
    """UTC, as an id begins."""
    try:
        text = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(at))
    except (ValueError, OverflowError, OSError):
        text = ""
    # The order of checks does not rest on it; a year of another length would be no id.
    return text if len(text) == len(_EPOCH) and text[0].isdigit() else _EPOCH


def moment(text: str, now: float) -> float | None:
    """UNIX time of ``8h``, ``2026-11-26`` or ``2026-11-26T02:00`` (of the machine's zone); None: it is no time."""
    ago = AGO.fullmatch(text)
    if ago:
        return now - float(ago[1]) * SECONDS[ago[2]]
    if not TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def run_named(connection: Connection, text: str, now: float) -> Row[Any] | None:
    """The check that is meant; None: there is none such, or more than one.

    Args:
        connection: of one state.
        text: as a person wrote it.
        now: UNIX time, for ``8h``.
    """
    if text in WORDS:
        return connection.execute(_newest().offset(WORDS.index(text))).first()
    at = moment(text, now)
    if at is not None:
        return connection.execute(_newest().where(check_run.c.at <= at)).first()
    if _ID.fullmatch(text):
        return _by_beginning(connection, text)
    set_from = select(check_run).join(baseline, baseline.c.run == check_run.c.number).where(baseline.c.name == text)
    return connection.execute(set_from).first()


def _newest() -> Select[Any]:
    return select(check_run).order_by(check_run.c.number.desc()).limit(1)


def _by_beginning(connection: Connection, text: str) -> Row[Any] | None:
    after = text + "g"  # no id has a letter after f, so all that begin so sort before it
    found = connection.execute(
        select(check_run).where(check_run.c.id >= text, check_run.c.id < after).order_by(check_run.c.number).limit(2)
    ).all()
    exact = [row for row in found if row.id == text]
    return exact[0] if exact else found[0] if len(found) == 1 else None
