"""`fleet-audit history`: the checks that were recorded, a host's life, a rule's life; export, import, prune."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from audit.cli.recorded import Db, format_of, history_of, print_json, print_table, pruned, utc
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.store import CheckRun, Exported, Life, Turn

app = typer.Typer(rich_markup_mode=None, help="The checks that were recorded: list, show, export, import, prune.")
Format = Annotated[str, typer.Option("--format", metavar="text|json", help="How to print.")]


@app.callback(invoke_without_command=True)
def list_(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option("--host", help="This host's life: when it or a rule there turned.")
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="This rule's life: where and when it turned.")] = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="How many checks to list.")] = 20,
    format_: Format = "text",
    db: Db = None,
) -> int:
    """List the checks that were recorded, newest first."""
    if context.invoked_subcommand is not None:
        if db is not None:
            raise UsageError(f"--db: write it after {context.invoked_subcommand}")
        return 0
    if host is not None and rule is not None:
        raise UsageError("--host and --rule: give one of them")
    as_json = format_of(format_)
    with history_of(_settings(db), create=False) as history:
        if host is not None:
            return _show_life(history.host_life(host), as_json)
        if rule is not None:
            return _show_turns(history.rule_life(rule), rule, as_json)
        return _show_runs(history.runs(most), as_json)


@app.command("show")
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="An id or its beginning, latest, previous, or a time.")],
    format_: Format = "text",
    db: Db = None,
) -> int:
    """Show one check: what fails and since when, and what turned in it."""
    as_json = format_of(format_)
    with history_of(_settings(db), create=False) as history:
        found = history.find(run)
        standing, turns = history.standing(found.id), history.turned(found.id)
    if as_json:
        print_json({"run": found, "standing": standing, "turns": turns})
        return 0
    _show_runs([found], as_json=False)
    if standing:
        print()
        print_table(
            ["failing since", "last ok", "severity", "subject", "rule", "what"],
            [[utc(one.first_seen), utc(one.last_ok) if one.last_ok is not None else None, one.severity, one.subject,
              one.rule, one.message] for one in standing],
        )  # fmt: skip
    if turns:
        print()
        _show_turns(turns, "", as_json=False)
    return 0


@app.command("export")
def export(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="None: all.", show_default=False)] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; by default stdout.")] = None,
    db: Db = None,
) -> int:
    """Write checks as JSON lines, with their evidence, for `history import` into another database."""
    from audit.cli.output import require_writable, write_file, write_stdout

    if output is not None:
        require_writable(output, "--output")
    with history_of(_settings(db), create=False) as history:
        lines = history.export(runs or [])
        if output is not None:
            write_file(output, lines)
        else:
            write_stdout(lines)
    return 0


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="That `history export` wrote; - for stdin.")],
    db: Db = None,
) -> int:
    """Put exported checks into the history; those that are there already stay as they are. All of them, or none."""
    settings = _settings(db)
    with history_of(settings, create=True) as history:
        found = history.import_(_lines(file), check=_is_snapshot, named="stdin" if file == "-" else file)
    print(f"{len(found)} checks imported")
    return 0


@app.command("prune")
def prune(
    keep: Annotated[str, typer.Option("--keep", metavar="90d|N", help="How long checks stay, or how many of them.")],
    db: Db = None,
) -> int:
    """Remove old checks; the newest, and those of a baseline, stay, and what fails is still known since when.

    Where the setting `keep` (FLEET_AUDIT_KEEP) says how long, each check does it by itself.
    """
    from audit.cli.settings import settings_of

    settings = settings_of(db=db, keep=keep)
    with history_of(settings, create=False) as history:
        removed = pruned(history, settings)
    print(f"{len(removed)} checks removed")
    return 0


# ------------------------------------------------------------------- inside


def _settings(db: str | None) -> Settings:
    from audit.cli.settings import settings_of

    return settings_of(db=db)


def _show_runs(runs: list[CheckRun], as_json: bool) -> int:
    if as_json:
        print_json(runs)
        return 0
    print_table(
        ["run", "at", "hosts", "reached", "errors", "warnings", "notes", "exit"],
        [[one.id, utc(one.at), one.hosts, one.reached if one.complete else f"{one.reached} (incomplete)",
          *(one.findings.get(name, 0) for name in ("error", "warning", "note")), one.exit_code] for one in runs],
    )  # fmt: skip
    return 0


def _show_turns(turns: list[Turn], rule: str, as_json: bool) -> int:
    if as_json:
        print_json(turns)
    elif turns:
        print_table(
            ["at", "run", "subject", "rule", "turned", "what"],
            [[utc(one.at), one.run or "(pruned)", one.subject, one.rule,
              f"{one.before or 'new'} -> {one.after or 'gone'}", one.message] for one in turns],
        )  # fmt: skip
    else:
        from audit import inert

        print(f"the rule {inert.terminal(rule)} never failed and was never waived")
    return 0


def _show_life(life: list[Life], as_json: bool) -> int:
    if as_json:
        print_json(life)
        return 0
    rows: list[list[object]] = []
    for one in life:
        words = [f"{name}: {getattr(one, name) or '-'}" for name in one.changed if name != "first"]
        if "first" in one.changed:
            words = [f"first checked: {one.outcome}, pushes {one.pushes or 'unknown'}"]
        words += [f"{turn.rule} {turn.before or 'new'} -> {turn.after or 'gone'}: {turn.message}" for turn in one.turns]
        rows += [[utc(one.at) if not number else "", one.run if not number else "", word]
                 for number, word in enumerate(words)]  # fmt: skip
    print_table(["at", "run", "what turned"], rows)
    return 0


def _lines(file: str) -> Iterator[str]:
    """The lines of a file, read one by one."""
    try:
        if file == "-":  # all of it first: while it is imported nobody else can record a check
            with tempfile.TemporaryFile("w+", encoding="utf-8") as kept:
                shutil.copyfileobj(sys.stdin, kept)
                kept.seek(0)
                yield from _bounded(kept)
            return
        with Path(file).open(encoding="utf-8") as opened:
            yield from _bounded(opened)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"{file}: cannot be read: {what}") from None


def _bounded(opened: TextIO) -> Iterator[str]:
    """Lines, each read only as far as one may be long."""
    from audit.store.keeping import MOST_LINE

    while line := opened.readline(MOST_LINE + 2):
        yield line


def _is_snapshot(line: Exported) -> None:
    """ValueError: it is none that this fleet-audit reads."""
    from audit.run import SavedRun
    from audit.snapshot import Snapshot

    Snapshot.model_validate(line.snapshot, strict=False)
    if line.saved is not None:
        SavedRun.model_validate(line.saved, strict=False)
