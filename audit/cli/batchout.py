"""Where a batch's reports go: stdout for one, files for the others; a Prometheus file is written while it runs, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from audit.cli.output import Target, write_file, write_stdout

if TYPE_CHECKING:
    from audit.batch import BatchReport
    from audit.reports import Style

LIVE = "prometheus"
"""The format that a monitor reads while the batch runs."""


def outputs_of(reports: Sequence[str]) -> tuple[Target, ...]:
    """Parse ``FORMAT[:PATH]``; the text on stdout where nothing else goes there.

    Raises:
        UsageError: an unknown format, two reports for stdout, or a file that cannot be written.
    """
    from audit.batch.reports import all_formats
    from audit.cli.output import targets

    return targets(reports, all_formats(), "text")


def write(report: BatchReport, outputs: Sequence[Target], style: Style) -> None:
    """Every report, the files first: a closed stdout must not cost them."""
    from dataclasses import replace

    from audit.batch.reports import all_formats

    for target in sorted(outputs, key=lambda one: one.path is None):
        plain = style if target.path is None else replace(style, color=False)
        text = all_formats()[target.format].render(report, plain)
        if target.path is None:
            write_stdout([text])
        else:
            write_file(target.path, [text])


def write_live(report: BatchReport, outputs: Sequence[Target], style: Style) -> None:
    """Only what is looked at while the batch runs."""
    write(report, [one for one in outputs if one.format == LIVE and one.path is not None], style)
