"""What other processes do in these tests; started by a fork server that has loaded the libraries once."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from audit.cli.app import run as command
from audit.store import Database, History, Journal
from tests.bench.drift.workers import Workers
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


def recording(pipe: Connection, place: Path, seed: int, most: int = 1000) -> None:
    """Records checks of a small fleet in which much happens, one after the other, and says the id of each."""
    fleet = Workers(12, seed=seed, changes=1 / 2)
    with Database.open(place) as database:
        history = History(database)
        for _ in range(most):
            pipe.send(history.record(*fleet.check(), exit_code=1).id)


def as_nobody(pipe: Connection, place: Path, words: list[list[str]]) -> None:
    """Runs commands as somebody without rights, and says each one's exit code, stdout and stderr."""
    os.environ["FLEET_AUDIT_DB"] = str(place.with_name("own.db"))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for one in words:  # once as root elsewhere: nobody may read the libraries
            command(one)
    place.with_name("own.db").unlink()
    os.environ["FLEET_AUDIT_DB"] = str(place)
    os.environ |= {name: str(place.parent) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    os.chdir("/")
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    said = []
    for one in words:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            code = command(one)
        said.append((code, out.getvalue(), err.getvalue()))
    pipe.send(said)
