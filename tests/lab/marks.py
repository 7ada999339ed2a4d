"""Marks: which workers are not as `up` made them just now, and by which process's doing."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.lab.place import Place


@contextlib.contextmanager
def marked(place: Place, worker: str, what: str) -> Iterator[None]:
    """Leave a mark for as long as a worker is in a state; it stays where the way back failed or was never gone."""
    folder = _folder(place)
    folder.mkdir(exist_ok=True)
    mark = folder / f"{uuid.uuid4().hex}.json"
    mark.write_text(json.dumps({"worker": worker, "state": what, "by": _identity(os.getpid())}))
    yield
    mark.unlink(missing_ok=True)


def marks(place: Place) -> dict[str, list[str]]:
    """The states that workers are in, by worker."""
    return _read(place, stale=False)


def left_behind(place: Place) -> dict[str, list[str]]:
    """The states whose makers ended without putting back what was."""
    return _read(place, stale=True)


def _read(place: Place, *, stale: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for mark in sorted(_folder(place).glob("*.json")):
        with contextlib.suppress(OSError, ValueError):  # taken away or not yet written
            told = json.loads(mark.read_text())
            if not stale or _identity(told["by"][0]) != told["by"]:
                found.setdefault(told["worker"], []).append(told["state"])
    return found


def _folder(place: Place) -> Path:
    return place.run / "states"


def _identity(pid: int) -> list[int]:
    """A pid with the time when its process started: pids come round again."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [pid, int(fields[19])]
