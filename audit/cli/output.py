"""Where reports go: stdout for one, files for the others, each written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.reports import Style
    from audit.run import Run


@dataclass(frozen=True)
class Target:
    """One report: a format, and a file (None: stdout)."""

    format: str
    path: Path | None


def targets_of(reports: Sequence[str]) -> tuple[Target, ...]:
    """Parse ``FORMAT[:PATH]`` of a check; the table on stdout where nothing else goes there.

    Raises:
        UsageError: as `targets`.
    """
    from audit.reports import all_formats

    return targets(reports, all_formats(), "table")


def targets(reports: Sequence[str], known: Collection[str], usual: str) -> tuple[Target, ...]:
    """Parse ``FORMAT[:PATH]``; the usual format on stdout where nothing else goes there.

    Raises:
        UsageError: an unknown format, two reports for stdout, or a file that cannot be written.
    """
    found = []
    for report in reports:
        name, _, path = report.partition(":")
        if name not in known:
            raise UsageError(f"--report {report}: unknown format {name!r}; known are {', '.join(known)}")
        target = Target(name, Path(path) if path and path != "-" else None)
        if target.path is not None:
            require_writable(target.path, f"--report {report}")
        found.append(target)
    on_stdout = [target.format for target in found if target.path is None]
    if len(on_stdout) > 1:
        raise UsageError(f"reports {' and '.join(on_stdout)} would both go to stdout: give all but one a file")
    if not on_stdout:
        found.insert(0, Target(usual, None))
    return tuple(found)


def require_writable(path: Path, what: str) -> None:
    """Refuse before any work what could not be written after it."""
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"{what}: {path} is a folder; name a file")
    if not folder.is_dir():
        raise UsageError(f"{what}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{what}: the folder {folder} cannot be written to")


def write_all(run: Run, targets: Sequence[Target], style: Style) -> None:
    """Render and write every report, the files first: a closed stdout must not cost them."""
    from dataclasses import replace

    from audit.reports import all_formats, pieces_of

    for target in sorted(targets, key=lambda one: one.path is None):
        plain = style if target.path is None else replace(style, color=False)
        parts = pieces_of(all_formats()[target.format], run, plain)
        if target.path is None:
            write_stdout(parts)
        else:
            write_file(target.path, parts)


def write_stdout(parts: Iterable[str]) -> None:
    """Data for stdout, ending with a newline; what the terminal's encoding lacks is escaped."""
    out = sys.stdout
    encoding = out.encoding or "utf-8"
    last = "\n"
    for text in parts:
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))
        last = text or last
    if not last.endswith("\n"):
        out.write("\n")
    out.flush()


def write_file(path: Path, parts: Iterable[str]) -> None:
    """Write beside, then rename: a reader sees the old file or the new one, never a part.

    Raises:
        UsageError: the file system refuses; the old file is still there.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def style_of(color: str, verbosity: int, fail_on: str) -> Style:
    """How to draw for this terminal: NO_COLOR, TERM=dumb and pipes mean no colour unless it is asked for."""
    from audit.model import Severity
    from audit.reports import Style

    wanted = color == "always" or (
        color == "auto" and sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )
    width = shutil.get_terminal_size((120, 40)).columns if sys.stdout.isatty() else 120
    return Style(
        color=wanted,
        width=max(60, width),
        verbosity=verbosity,
        fail_on=None if fail_on == "never" else Severity(fail_on),
    )
