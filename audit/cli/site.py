"""A folder for any web server: a page a run and an index, written whole or not at all; old pages are removed."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC
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
_HEAD = 2000
"""Characters of a page within which it says that it is ours."""


def write_site(folder: Path, runs: Iterable[Gathered], history: Sequence[Point] = ()) -> None:
    """Write the pages beside, put them in their place, the index last, and then remove pages that it no longer lists.

    A reader sees the old index with the old pages or the new one with the new pages. Only pages of ours are removed.

    Args:
        folder: made where it is missing; its parent is not.
        runs: each is judged and written before the next is read.
        history: for the index's charts; empty: drawn from the runs.

    Raises:
        UsageError: the folder cannot be written to, or its index is somebody else's; nothing has changed then.
    """
    from audit.cli.output import write_file
    from audit.cli.report import run_of, told_of
    from audit.reports import html

    try:
        _require_ours(folder)
        made = not folder.exists()
        folder.mkdir(exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=folder, prefix=".new-"))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror or error}; name another folder") from None
    done = False
    try:
        pages, points = [], []
        for one in runs:
            run = run_of(one)
            file = f"run-{one.name if _ID.fullmatch(one.name) else _name(run, one.saved)}.html"
            write_file(beside / file, html.page(run, history=one.history, home=INDEX, **told_of(one)))
            points.append(html.point_of(run))
            pages.append(_row(file, run, points[-1]))
        write_file(beside / INDEX, html.index(pages, history=history or points))
        for file in (*dict.fromkeys(page.file for page in pages), INDEX):
            (beside / file).replace(folder / file)
        done = True
        _prune(folder, {page.file for page in pages})
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if made and not done and not any(folder.iterdir()):
            folder.rmdir()


def _require_ours(folder: Path) -> None:
    if folder.is_dir() and (folder / INDEX).exists() and not _ours(folder / INDEX):
        raise UsageError(f"{folder / INDEX} is no page of fleet-audit: name an empty folder, or remove it")


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
