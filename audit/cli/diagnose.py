"""`fleet-audit diagnose`: the cause of a failure, out of its log."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from audit.cli.check import Color, Verbose
from audit.errors import UsageError

CSV = "ocurrent-csv"
_PIECE = 1 << 18


def diagnose(
    log: Annotated[
        str | None, typer.Argument(metavar="LOG|-", help="A log; - reads standard input.", show_default=False)
    ] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar=f"text|json|markdown|{CSV}",
            help=f"How to print; {CSV} takes no log and prints the whole table for OCurrent's log rules.",
        ),
    ] = "text",
    color: Color = None,
    verbose: Verbose = 0,
) -> int:
    """Name the cause of a failed build, push or merge, and what to do, out of its log. The surest comes first.

    Exit code 1: a known failure stands there; 3: nothing that we know does.
    """
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.diagnose import diagnose as read
    from audit.reports import _diagnosis as reports
    from audit.symptoms import all_symptoms
    from audit.wire.redact import redact

    if format_ == CSV:
        if log is not None:
            raise UsageError(f"--format {CSV} prints the table of all symptoms: give no log with it")
        write_stdout([reports.ocurrent_csv(tuple(all_symptoms().values()))])
        return 0
    if format_ not in reports.FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(reports.FORMATS)} or {CSV}")
    if log is None:
        raise UsageError("no log: name a file, or - for standard input")
    settings = settings_of(color=color)
    style = style_of(settings.color, verbose, settings.fail_on)
    found = read(_pieces(log), redact=redact)
    write_stdout([reports.FORMATS[format_](found, style)])
    return found.exit_code


def _pieces(log: str) -> Iterator[bytes]:
    """The log's bytes, as they come.

    Raises:
        UsageError: it is not there, is a folder, or cannot be read.
    """
    if log == "-":
        yield from _read(sys.stdin.buffer, "standard input")
        return
    path = Path(log)
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            raise UsageError(f"{log}: is a folder; name the log in it")
        with path.open("rb") as file:
            yield from _read(file, log)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{log}: cannot be read: {reason}") from None


def _read(file: BinaryIO, name: str) -> Iterator[bytes]:
    read = getattr(file, "read1", file.read)  # what there is, without waiting for a whole piece
    try:
        while piece := read(_PIECE):
            yield piece
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None
