"""Checks to compare, as a person names them: files of `check --save`, else whatever the history knows."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.model import Fleet, Host, Ignore
    from audit.snapshot import HostRow, Snapshot

DEFAULT = "default"
"""The baseline that is compared with where nothing else is said."""

RECENT = 3
"""Checks before the newer one that are looked at for a host that was not reached: since when is it dark?"""


@dataclass(frozen=True)
class Check:
    """One check, loaded.

    Attributes:
        snapshot: it.
        ignore: the ignore rules that a saved run brings along; none from the history.
        file: it is a file, which the history does not know.
    """

    snapshot: Snapshot
    ignore: tuple[Ignore, ...] = ()
    file: bool = False


@contextmanager
def unhurried() -> Iterator[None]:
    """Without the collector, which would walk through a hundred thousand rows again and again while they are read."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def load(settings: Settings, text: str) -> Check:
    """A check by name.

    Args:
        settings: where the history is.
        text: a file that `check --save` wrote; else a check, a time or a baseline of the history.

    Raises:
        SavedRunError: the file is no saved run.
        UsageError: there is no such check.
    """
    if names_file(text):
        return of_file(Path(text), settings)
    from audit.cli.recorded import snapshot_named

    return Check(snapshot_named(settings, text))


def names_file(text: str) -> bool:
    """Whether a person means a file, and nothing that the history knows."""
    return text.endswith(".json") or "/" in text or is_file(Path(text))


def of_file(file: Path, settings: Settings) -> Check:
    """A saved run, judged by today's rules at its own moment; or a snapshot as JSON."""
    from audit import flow
    from audit.cli.check import saved_run
    from audit.snapshot import Snapshot

    found = _as_snapshot(file)
    if found is not None:
        return Check(found, file=True)
    saved = saved_run(file, [], settings.model_copy(update={"limit": None}), explicit=False)
    snapshot = Snapshot.of(flow.judged(saved), inventory=(str(file),))
    return Check(snapshot.model_copy(update={"run": file.name}), saved.fleet.policy.drift_ignore, file=True)


def _as_snapshot(file: Path) -> Snapshot | None:
    from pydantic import ValidationError

    from audit.snapshot import Snapshot

    try:
        text = file.read_bytes()
    except OSError:
        return None  # whoever reads it next says why
    if b'"fleet-audit snapshot"' not in text[:200]:
        return None
    try:
        found = Snapshot.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{file}: {key}: is no snapshot that this version reads: {first['msg']}") from None
    return found if found.run else found.model_copy(update={"run": file.name})


def is_file(path: Path) -> bool:
    """Whether it names a file; a text that no path can be names none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def pair(settings: Settings, since: str | None, newest: str) -> tuple[Check, Check]:
    """Two checks to compare, the older one first; of the history's, without the verdicts that both have alike.

    Args:
        settings: where the history is.
        since: as `load` takes it; None: the baseline `default`, else the check before.
        newest: as `load` takes it.

    Raises:
        SavedRunError: a file is no saved run.
        UsageError: there is no such check, or none before.
    """
    from audit.cli.recorded import history_of, place_of, snapshot_of

    if names_file(newest) or (since is not None and names_file(since)):
        return load(settings, since or _before(settings, None)), load(settings, newest)
    since = since or _before(settings, newest)
    with history_of(settings, create=False) as history:
        old, new = (snapshot_of(one, str(place_of(settings))) for one in history.pair(since, newest))
    return Check(old), Check(new)


def _before(settings: Settings, newest: str | None) -> str:
    """What is compared with where nothing is said; None: the newer one is a file, which is newer than all."""
    from audit.cli.recorded import history_of

    with history_of(settings, create=False) as history:
        if any(one.name == DEFAULT for one in history.baselines()):
            return DEFAULT
        found = history.before(newest, 1) if newest is not None else [one.id for one in history.runs(1)]
    if not found:
        raise UsageError(
            f"there is no check before {newest or 'this one'} to compare with: name one with --since, or call one good "
            "with `fleet-audit baseline set default`"
        )
    return found[0]


def recent_of(settings: Settings, newer: Check, many: int, *, whole: bool) -> tuple[Snapshot, ...]:
    """The checks before the newer one in the history, oldest first; none where it is a file.

    Args:
        settings: where the history is.
        newer: the newer one.
        many: how many at most.
        whole: with facts and verdicts; else only which hosts there were, and whether they were reached.
    """
    if newer.file or not newer.snapshot.run:
        return ()
    from audit.cli.recorded import history_of, place_of, snapshot_of

    with history_of(settings, create=False) as history:
        read = history.snapshot if whole else history.listed
        runs = [read(run) for run in reversed(history.before(newer.snapshot.run, many))]
    return tuple(snapshot_of(one, str(place_of(settings))) for one in runs)


def narrowed(snapshots: Sequence[Snapshot], pattern: str | None) -> list[Snapshot]:
    """The checks with only the hosts of an Ansible pattern, and the verdicts on them.

    Raises:
        UsageError: it names nothing in any of them.
    """
    if pattern is None:
        return list(snapshots)
    from audit import inventory
    from audit.model import Fleet

    rows: dict[str, HostRow] = {row.name: row for one in snapshots for row in one.hosts}
    fleet = inventory.select(Fleet(hosts=tuple(map(_host, rows.values()))), pattern)
    kept = set(fleet.names)
    return [
        one.model_copy(
            update={
                "hosts": tuple(row for row in one.hosts if row.name in kept),
                "verdicts": tuple(row for row in one.verdicts if row.subject in kept),
            }
        )
        for one in snapshots
    ]


def _host(row: HostRow) -> Host:
    from audit.model import Host

    return Host(name=row.name, address=row.address or row.name, groups=row.groups, pool=row.pool)


def declared(settings: Settings, *, explicit: bool) -> Fleet | None:
    """The inventory's fleet, for its ignore rules and its names; None where there is none.

    Args:
        settings: where it may be.
        explicit: it was named, so that a wrong one is an error.
    """
    from audit import flow
    from audit.cli.check import inventory_of

    sources = inventory_of(settings)
    if not sources or not (explicit or settings.inventory or Path("inventory").is_dir()):
        return None
    return flow.fleet_of([], sources)
