"""The whole log of every attempt, redacted, a file each; a log that cannot be written costs no build."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from types import TracebackType
from typing import TextIO

from audit.errors import UsageError

MOST_BYTES = 256 << 20
"""Of one log: a worker that prints without end must not fill this machine's disk."""


class Logs:
    """A folder of logs.

    Args:
        folder: made where it is missing, for its owner alone.

    Raises:
        UsageError: it cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UsageError(f"--logs {folder}: cannot be made: {error.strerror or error}") from None
        if not os.access(folder, os.W_OK):
            raise UsageError(f"--logs {folder}: cannot be written to")

    def open(self, platform: str, number: int, host: str) -> Log:
        """The log of one attempt: ``linux-arm64.1.w07.log``; an older one of that name is replaced."""
        words = (platform.replace("/", "-"), str(number), host)
        name = ".".join(re.sub(r"[^A-Za-z0-9_.-]", "_", word)[:100] for word in words)
        return Log(self.folder / f"{name}.log")


class Log:
    """One file.

    Attributes:
        path: of it.
        fault: why it could not be written; empty: it could.
    """

    def __init__(self, path: Path) -> None:
        """Open it."""
        self.path, self.fault = path, ""
        self._file: TextIO | None = None
        self._left = MOST_BYTES
        try:
            path.unlink(missing_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self._failed(error)

    def write(self, line: str) -> None:
        """Add a line, which is redacted already."""
        if self._file is not None and self._left > 0:
            self._left -= len(line.encode("utf-8", "backslashreplace")) + 1
            try:
                self._file.write(f"{line}\n" if self._left > 0 else "# the log is cut here: it is too long\n")
                self._file.flush()
            except OSError as error:
                self._failed(error)

    def __enter__(self) -> Log:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as fault:
                self._failed(fault)

    def _failed(self, error: OSError) -> None:
        self.fault = f"{self.path}: the log cannot be written: {error.strerror or error}"
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # what was not written yet cannot be now
                file.close()
