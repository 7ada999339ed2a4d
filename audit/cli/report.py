"""`fleet-audit report`: the reports of `check` from a saved or a recorded run, and a folder for a web server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audit.cli.check import Color, Limit, Verbose
from audit.cli.recorded import Db, history_of
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.cli.site import Listed
    from audit.cli.timeline import Timeline
    from audit.reports.html import Point
    from audit.run import Run, SavedRun

app = typer.Typer(rich_markup_mode=None, help="Report a saved or recorded run; `report site DIR` writes a web folder.")

MOST_POINTS = 120


@app.callback(invoke_without_command=True)
def report(
    context: typer.Context,
    from_: Annotated[
        str, typer.Option("--from", metavar="RUN|FILE", help="A run of the history, or a file of `check --save`.")
    ] = "latest",
    reports: Annotated[
        list[str] | None,
        typer.Option("--report", "-r", metavar="FORMAT[:PATH]", help="Report to write; may be given several times."),
    ] = None,
    limit: Limit = None,
    db: Db = None,
    color: Color = None,
    verbose: Verbose = 0,
) -> int:
    """Write reports of a run that is over; nothing is asked, and the exit code is 0 whatever they say."""
    if context.invoked_subcommand is not None:
        if db is not None:
            raise UsageError(f"--db: write it after {context.invoked_subcommand}")
        return 0
    from audit import flow
    from audit.cli.output import style_of, targets_of, write_file, write_stdout
    from audit.reports import all_formats, html, pieces_of

    settings = _settings(db, report=reports, limit=limit, color=color)
    targets = targets_of(settings.report)
    style = style_of(settings.color, verbose, settings.fail_on)
    one = _gathered(from_, settings)
    run = flow.judged(flow.narrowed(one.saved, [], settings.limit))
    for target in sorted(targets, key=lambda target: target.path is None):
        plain = style if target.path is None else replace(style, color=False)
        if target.format == html.name:
            whole = settings.limit is None
            parts = html.page(run, history=one.history, **told_of(one)) if whole else html.page(run)
        else:
            parts = pieces_of(all_formats()[target.format], run, plain)
        if target.path is None:
            write_stdout(parts)
        else:
            write_file(target.path, parts)
    return 0


@app.command("site")
def site(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; made where it is missing.")],
    last: Annotated[int, typer.Option("--last", min=1, max=1000, help="How many runs of the history.")] = 30,
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="RUN|FILE", help="These runs instead; may be given several times."),
    ] = None,
    db: Db = None,
) -> int:
    """Write a folder for any web server: a page a run and an index; pages of older runs are removed."""
    from audit.cli.site import write_site

    settings = _settings(db)
    with history_of(settings, create=False) if not from_ else nullcontext() as history:
        runs = _each(from_, settings) if from_ else _newest(history, last)
        write_site(folder, runs, tuple(map(_point, history.counts(MOST_POINTS))) if history is not None else ())
    return 0


@dataclass(frozen=True)
class Gathered:
    """A run that is over.

    Attributes:
        name: its id in the history; empty: it comes from a file.
        history: the checks up to it; empty: it comes from a file.
        timeline: what changed on the way to it; None: there was no check before it, or it comes from a file.
    """

    saved: SavedRun
    name: str = ""
    history: tuple[Point, ...] = ()
    timeline: Timeline | None = None


def _settings(db: str | None, **flags: Any) -> Settings:
    from audit.cli.settings import settings_of

    return settings_of(db=db, **flags)


def _gathered(text: str, settings: Settings) -> Gathered:
    """The run that a person means: a file where there is one of that name, else of the history."""
    if _is_file(text):
        from audit.cli.check import saved_run

        return Gathered(saved_run(Path(text), [], settings, explicit=False))
    with history_of(settings, create=False) as history:
        return _recorded(history, history.find(text))


def _recorded(history: Any, found: Any, pairs: int = 8) -> Gathered:
    from audit.cli.timeline import timeline_of
    from audit.run import SavedRun

    saved = SavedRun.parse(history.saved(found.id), f"the recorded run {found.id}")
    points = tuple(map(_point, history.counts(MOST_POINTS)))
    before = tuple(point for point in points if point.at <= found.at)
    return Gathered(saved, found.id, before, timeline_of(history, found, pairs))


def _each(texts: list[str], settings: Settings) -> Iterator[Listed]:
    from audit.cli.site import Listed

    for text in texts:
        one = _gathered(text, settings)
        yield Listed(one.name, "", partial(_same, one))


def _same(one: Gathered) -> Gathered:
    return one


def _newest(history: Any, last: int) -> Iterator[Listed]:
    """The newest runs of the history that have their evidence still."""
    from audit.cli.site import Listed

    kept = [found for found in history.runs(last) if found.saved]
    if not kept:
        what = "the history has no run with its evidence"
        raise UsageError(f"{what}: record one with `check`, or give files with --from")
    for found in kept:
        yield Listed(found.id, _key(history, found), partial(_recorded, history, found, pairs=1))


def _key(history: Any, found: Any) -> str:
    """What a recorded run's page is drawn from, in short: the program, and what the run is held against."""
    from audit.cli.timeline import since_of
    from audit.reports import html

    since = since_of(history, found, 1)
    baselines = [f"{one.name} {one.set_at}" for one in history.baselines() if one.name in since]
    parts = (html.drawn_by(), found.id, *since, *baselines)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _point(counts: Any) -> Point:
    from audit.model import Severity
    from audit.reports.html import Point

    def named(values: Any) -> dict[str, int]:
        return {"?" if name == "unknown" else name: number for name, number in values.items()}

    return Point(
        at=counts.at,
        findings={one: counts.findings.get(one.value, 0) for one in Severity},
        engines=named(counts.engines),
        stores=named(counts.stores),
        reached=counts.reached,
        hosts=counts.hosts,
    )


def told_of(one: Gathered) -> dict[str, Any]:
    """What a page is told of the timeline."""
    return {} if one.timeline is None else {"timeline": one.timeline.entries, "since": one.timeline.since}


def _is_file(text: str) -> bool:
    """Whether a file is meant: one of that name is there, or it can be nothing else."""
    return "/" in text or text.endswith(".json") or Path(text).is_file()


def run_of(one: Gathered) -> Run:
    """The run, judged now."""
    from audit import flow

    return flow.judged(one.saved)
