"""A folder for any web server: a page a run and an index, written whole or not at all; old pages are removed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.cli.report import Gathered
    from audit.reports.html import Point, SitePage
    from audit.run import Run, SavedRun

INDEX = "index.html"
_PAGE = re.compile(r"run-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9a-f-]{8,40}\.html")
_ID = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9a-f-]{8,40}")
_MARK = re.compile(r'<meta name="fleet-audit-page" content="(?P<key>[0-9a-f]{16}) (?P<row>[^"]*)">')
_HEAD = 3000
"""Characters of a page within which it says that it is ours."""


@dataclass(frozen=True)
class Listed:
    """A run that shall have a page.

    Attributes:
        name: its id in the history; empty: it comes from a file.
        key: changes with whatever its page would be drawn from; empty: it is drawn each time.
        load: reads it.
    """

    name: str
    key: str
    load: Callable[[], Gathered]


def write_site(folder: Path, runs: Iterable[Listed], history: Sequence[Point] = ()) -> None:
    """Write the pages beside, put them in their place, the index last, and then remove pages that it no longer lists.

    A page that is there and still right is not drawn again. A reader sees the old index with the old pages or the new
    one with the new pages. Only pages of ours are removed.

    Args:
        folder: made where it is missing; its parent is not.
        runs: each is judged and written before the next is read.
        history: for the index's charts; empty: drawn from the runs.

    Raises:
        UsageError: the folder cannot be written to, its index is somebody else's, or another one writes there just
            now; nothing has changed then.
    """
    try:
        _require_ours(folder)
        made = not folder.exists()
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror or error}; name another folder") from None
    done = False
    with _alone(folder):
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=".new-", ignore_cleanup_errors=True) as beside:
                _write(folder, Path(beside), runs, history)
            done = True
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written: {error.strerror or error}") from None
        finally:
            if made and not done and not any(folder.iterdir()):
                folder.rmdir()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes this site meanwhile; the lock is the folder's own, so no file of it is ever served."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"{folder}: another `report site` is writing it; run this one again after it"
            raise UsageError(what) from None
        except OSError as error:
            raise UsageError(f"{folder}: cannot be locked: {error.strerror}; name a local folder") from None
        yield
    finally:
        os.close(descriptor)


def _write(folder: Path, beside: Path, runs: Iterable[Listed], history: Sequence[Point]) -> None:
    from audit.cli.output import write_file
    from audit.cli.report import run_of, told_of
    from audit.reports import html

    pages: list[SitePage] = []
    points: list[Point] = []
    for one in runs:
        page = _standing(folder, one)
        if page is None:
            gathered = one.load()
            run = run_of(gathered)
            file = f"run-{one.name if _ID.fullmatch(one.name) else _name(run, gathered.saved)}.html"
            points.append(html.point_of(run))
            page = _row(file, run, points[-1])
            mark = f"{one.key} {page.model_dump_json()}" if one.key else ""
            write_file(
                beside / file, html.page(run, history=gathered.history, home=INDEX, mark=mark, **told_of(gathered))
            )
        pages.append(page)
    write_file(beside / INDEX, html.index(pages, history=history or points))
    for file in (*dict.fromkeys(page.file for page in pages), INDEX):
        if (beside / file).exists():
            (beside / file).replace(folder / file)
    _prune(folder, {page.file for page in pages})


def _standing(folder: Path, one: Listed) -> SitePage | None:
    """The page that is there, where it is ours and would be drawn the same again."""
    from pydantic import ValidationError

    from audit.reports import html

    file = folder / f"run-{one.name}.html"
    if not one.key or not _ID.fullmatch(one.name) or not file.exists() or not _ours(file):
        return None
    with file.open(encoding="utf-8", errors="replace") as text:
        found = _MARK.search(text.read(_HEAD))
    if found is None or found["key"] != one.key:
        return None
    try:
        page = html.SitePage.model_validate_json(unescape(found["row"]))
    except ValidationError:
        return None
    return page if page.file == file.name else None


def _require_ours(folder: Path) -> None:
    if not folder.is_dir():
        return
    if (folder / INDEX).exists() and not _ours(folder / INDEX):
        raise UsageError(f"{folder / INDEX} is no page of fleet-audit: name an empty folder, or remove it")
    if not (folder / INDEX).exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: holds other files, and no index of fleet-audit: name an empty folder")


def _ours(file: Path) -> bool:
    from audit.reports import html

    if file.is_symlink() or not file.is_file():
        return False
    with file.open(encoding="utf-8", errors="replace") as text:
        return f'<meta name="generator" content="{html.GENERATOR}">' in text.read(_HEAD)


def _prune(folder: Path, keep: set[str]) -> None:
    for file in folder.iterdir():
        if file.name not in keep and _PAGE.fullmatch(file.name) and _ours(file):
            file.unlink(missing_ok=True)


def _name(run: Run, saved: SavedRun) -> str:
    """A run that is not in the history: its moment, and four digits of what it holds."""
    moment = run.when.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    return f"{moment}-{hashlib.sha256(saved.model_dump_json().encode()).hexdigest()[:4]}"


def _row(file: str, run: Run, point: Point) -> SitePage:
    from audit.reports import html

    return html.SitePage(
        file=file,
        at=point.at,
        findings=point.findings,
        unknown=len(run.fleet) - run.covered,
        reached=point.reached,
        hosts=point.hosts,
    )
