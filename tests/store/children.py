"""What other processes do in these tests; started by a fork server that has loaded the libraries once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from audit.store import Database, Journal
from tests.store.conftest import digest

HUB = "registry-1.example"
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.store.children"])


@contextmanager
def child(target: Any, *arguments: object) -> Iterator[tuple[Any, Connection]]:
    """A process that runs `target(pipe, *arguments)`, and our end of the pipe; killed at the end."""
    ours, theirs = _context.Pipe()
    process = _context.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def opening(pipe: Connection, place: Path) -> None:
    """Says when it begins to open, and when it has."""
    pipe.send("began")
    Database.open(place).close()
    pipe.send("opened")


def merging(pipe: Connection, place: Path, run: str, first: int) -> None:
    """Notes tags for ever: each number that it says was waited for; every learn before it was queued before it."""
    journal = Journal(Database.open(place))
    number = first
    while True:
        journal.learn(HUB, "app", "blob", [digest(number)])
        journal.note(run, f"queued:{number}", unit="u", state="planned")
        journal.stands(f"waited:{number}", digest(number), unit="u", run=run)
        journal.note(run, f"waited:{number}", unit="u", state="tagging", digest=digest(number), wait=number % 3 == 0)
        if number % 3 == 0:
            pipe.send(number)
        number += 1


def writing(pipe: Connection, place: Path, name: str, count: int) -> None:
    """Opens when it is told, begins a run, notes so many tags, ends it, and says the run."""
    pipe.send("ready")
    pipe.recv()
    with Database.open(place) as database, Journal(database) as journal:
        run = journal.begin(name, name, tool="1", pid=1, boot="b").id
        for number in range(count):
            journal.note(run, f"{name}:{number}", unit="u", state="done", wait=number % 50 == 0)
            journal.learn(HUB, "shared", "blob", [digest(number)])
            journal.stands("shared:1", digest(number), unit="u", run=run)
        journal.end(run, "done", {"tags": count})
    pipe.send(run)
