"""`fleet-audit diff`: two workers of one check, what differs, the cause first."""

from __future__ import annotations

from typing import Annotated

import typer

from audit.cli.check import Color, Verbose
from audit.cli.drift import Format
from audit.cli.recorded import Db
from audit.errors import UsageError


def diff(
    one: Annotated[str, typer.Argument(metavar="HOST", help="A host of the check.")],
    other: Annotated[str, typer.Argument(metavar="HOST", help="The host that is held against it.")],
    run: Annotated[
        str, typer.Option("--run", "--from", metavar="RUN|FILE", help="The check; the latest where none is named.")
    ] = "latest",
    format_: Format = "text",
    db: Db = None,
    color: Color = None,
    verbose: Verbose = 0,
) -> int:
    """Compare two workers: only what differs, the cause first, what follows from it after.

    Exit code 0: alike; 1: they differ; 3: no difference seen, and not everything could be compared.
    """
    from audit.cli import compared
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.drift.document import DIFF_FORMATS
    from audit.drift.pair import diff as compare

    if format_ not in DIFF_FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(DIFF_FORMATS)}")
    flags = {"color": color, "db": db}
    settings = settings_of(**{name: value for name, value in flags.items() if value is not None})
    with compared.unhurried():
        found = compare(compared.load(settings, run).snapshot, one, other)
        write_stdout(DIFF_FORMATS[format_](found, style_of(settings.color, verbose, settings.fail_on)))
    return found.exit_code
