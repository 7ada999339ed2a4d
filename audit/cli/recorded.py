"""The history database, from the command line: where it is, a check recorded, a check named again.

SQLAlchemy is loaded where one of these is called, never before: a check asks its hosts first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.run import Run, SavedRun
    from audit.snapshot import Snapshot
    from audit.store import Database, History

Db = Annotated[
    str | None,
    typer.Option("--db", metavar="PATH|URL", help="The history database; by default a file in the state folder."),
]


def state_folder() -> Path:
    """Where the history database, the limiter's state and the locks are."""
    from platformdirs import user_state_path

    return user_state_path("fleet-audit")


def place_of(settings: Settings) -> Path | str:
    """The history database: the one given or set, else a file in the state folder."""
    if settings.db is None:
        return state_folder() / "history.db"
    return settings.db if "://" in settings.db else Path(settings.db).expanduser()


@contextmanager
def database_of(settings: Settings, *, create: bool) -> Iterator[Database]:
    """The history database, open.

    Args:
        settings: where it is.
        create: make it where it is missing; False: it is only read, so one that cannot be written does as well.

    Raises:
        StoreError: it cannot be used, or there is none.
    """
    from audit.store import Database, StoreError

    place = place_of(settings)
    try:
        database = Database.open(place, create=create)
    except StoreError as error:
        if create or error.kind != "read-only":
            raise
        database = Database.open(place, create=False, read_only=True)
    with database:
        yield database


@contextmanager
def history_of(settings: Settings, *, create: bool) -> Iterator[History]:
    """The history of checks, open; arguments and errors as `database_of`."""
    from audit.store import History

    with database_of(settings, create=create) as database:
        yield History(database)


def snapshot_named(settings: Settings, text: str) -> Snapshot:
    """A check, as a person names it.

    Args:
        settings: where the history is.
        text: a baseline, an id or the beginning of one, ``latest``, ``previous``, a time (``8h``,
            ``2026-11-26T02:00``), or a file that `check --save` wrote, which is judged now.

    Raises:
        StoreError: the history cannot be used, or has none such; it names the last ones.
        SavedRunError: the file is no saved run.
    """
    from audit.store import StoreError

    file = Path(text)
    if ("/" in text or text.endswith(".json")) and _is_file(file):
        return _judged(file, settings)
    try:
        with history_of(settings, create=False) as history:
            names = {one.name for one in history.baselines()}
            found = history.baseline(text) if text in names else history.snapshot(text)
    except StoreError as error:
        if error.kind == "missing" and _is_file(file):
            return _judged(file, settings)
        raise
    return snapshot_of(found, str(place_of(settings)))


def snapshot_of(value: dict[str, Any], place: str) -> Snapshot:
    """A snapshot as the history gave it; UsageError: another version of fleet-audit wrote what this one cannot read."""
    from pydantic import ValidationError

    from audit.snapshot import Snapshot

    try:
        return Snapshot.model_validate(value, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{place}: the check {value.get('run') or ''} is none that this fleet-audit reads ({key}: {first['msg']}); "
            "use the version that recorded it"
        ) from None


def record(run: Run, saved: SavedRun, settings: Settings, *, exit_code: int, quiet: bool) -> str | None:
    """Record a check whose report is out; what goes wrong here is one line on stderr, and no other exit code.

    Returns:
        Its id; None: it was not recorded.
    """
    from audit import inert

    made, what = None, "this check was not recorded (or give --no-record)"
    try:
        from audit.cli.check import inventory_of
        from audit.snapshot import Snapshot

        named = tuple(str(path) for path in inventory_of(settings))
        snapshot = Snapshot.of(run, inventory=named).model_dump(mode="json")
        with history_of(settings, create=True) as history:
            made = history.record(snapshot, saved.model_dump_json(), exit_code=exit_code).id
            what = "this check was recorded, and old ones could not be pruned"
            pruned(history, settings)
    except UsageError as error:
        why = str(error)
    except Exception as error:
        why = f"a bug of ours: {type(error).__name__}: {error}"
    else:
        return made
    if not quiet:
        print(f"fleet-audit: {what}: {inert.terminal(' '.join(why.split()))}", file=sys.stderr)
    return made


def pruned(history: History, settings: Settings) -> list[str]:
    """Remove what the setting ``keep`` no longer keeps; the ids of what was removed, oldest first."""
    if settings.keep is None:
        return []
    number, unit = settings.keep.rstrip("hdw"), settings.keep[-1]
    if unit.isdigit():
        return history.prune(keep_runs=int(number))
    return history.prune(keep_days=float(number) * {"h": 1 / 24, "d": 1.0, "w": 7.0}[unit])


def _judged(file: Path, settings: Settings) -> Snapshot:
    from audit import flow
    from audit.cli.check import saved_run
    from audit.snapshot import Snapshot

    return Snapshot.of(flow.judged(saved_run(file, [], settings, explicit=False)), inventory=(str(file),))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


# ------------------------------------------------------------------- shown


def utc(at: float) -> str:
    """A UNIX time for people."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "?"


def print_json(value: object) -> None:
    """A value, or models in it, on stdout."""
    from audit.cli.output import write_stdout

    write_stdout([json.dumps(_plain(value), indent=2)])


def print_table(headers: list[str], rows: list[list[object]]) -> None:
    """Rows on stdout; what a worker or an inventory wrote is made harmless."""
    from tabulate import tabulate

    from audit import inert
    from audit.cli.output import write_stdout

    cells = [["-" if cell in (None, "") else inert.terminal(str(cell)) for cell in row] for row in rows]
    write_stdout([tabulate(cells, headers=headers, tablefmt="plain", disable_numparse=True)])


def _plain(value: object) -> object:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def format_of(text: str) -> bool:
    """Whether JSON is wanted; UsageError: neither text nor json."""
    if text not in ("text", "json"):
        raise UsageError(f"--format {text}: write text or json")
    return text == "json"
