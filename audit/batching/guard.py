"""One batch at a time: a lock in the state folder, which ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from audit.errors import StepError, UsageError


class Guard:
    """Held while a batch runs.

        with Guard(folder / "merge.lock", {"plan": "night.yml"}):
            ...

    Args:
        place: the lock's file; its folder is made where it is missing.
        about: who holds it, for whoever comes second.
    """

    def __init__(self, place: Path, about: Mapping[str, Any]) -> None:
        """Not held yet."""
        self._place, self._about = place, dict(about)
        self._handle = -1

    def __enter__(self) -> Guard:
        """Hold it.

        Raises:
            StepError: another batch does.
            UsageError: the folder cannot be written to.
        """
        try:
            self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise UsageError(
                f"{self._place}: the lock against a second batch cannot be written: {error.strerror}; "
                "set XDG_STATE_HOME to a folder that can"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held = _said(os.pread(handle, 4096, 0))
            os.close(handle)
            raise StepError(
                f"nothing was merged: another batch is running{held}; see it with `fleet-audit merge --status`, "
                "and begin this one when it has ended"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), **self._about}).encode(), 0)
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it go; the file stays, since removing it would let two hold it."""
        if self._handle >= 0:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = -1


def _said(raw: bytes) -> str:
    try:
        body = json.loads(raw)
        pid, plan = int(body["pid"]), str(body.get("plan", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
    return f" ({plan[:200]}, process {pid})" if plan.isprintable() and plan else f" (process {pid})"
