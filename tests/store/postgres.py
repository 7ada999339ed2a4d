"""A real PostgreSQL server of our own: Debian's programs, a folder that goes away, a socket that nobody else knows."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = "postgresql"
"""Debian's package."""
_ACCOUNT = "postgres"


def programs() -> Path | None:
    """The folder of initdb and postgres, of the newest version that is installed; None: there is none."""
    found = [file.parent for file in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    whole = [folder for folder in found if (folder / "postgres").exists() and (folder / "pg_ctl").exists()]
    return max(whole, key=lambda folder: (len(folder.parent.name), folder.parent.name), default=None)


def why_not() -> str | None:
    """Why there can be no server here; None: there can be one."""
    if programs() is None:
        return f"PostgreSQL is not installed (Debian's package {PACKAGE})"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(_ACCOUNT)
        except KeyError:
            return f"PostgreSQL does not run as root, and there is no account {_ACCOUNT}"
    return None


class Server:
    """A running server.

    Args:
        folder: of its data and its socket.
        bin_: of its programs.
    """

    def __init__(self, folder: Path, bin_: Path) -> None:
        """Use `running`."""
        self.folder, self._bin, self._numbers = folder, bin_, itertools.count(1)

    def run(self, program: str, *arguments: str) -> None:
        """One of its programs, as its account."""
        command = [str(self._bin / program), *arguments]
        user = _ACCOUNT if os.geteuid() == 0 else None
        done = subprocess.run(
            command, user=user, group=user, extra_groups=[] if user else None, cwd=self.folder, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    def url(self, name: str) -> str:
        """Of a database."""
        return f"postgresql+psycopg://{_ACCOUNT}@/{name}?host={self.folder}"

    def new(self) -> str:
        """The URL of a new, empty database."""
        import psycopg

        name = f"history{next(self._numbers)}"
        with psycopg.connect(f"host={self.folder} user={_ACCOUNT} dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def running() -> Iterator[Server]:
    """A server, stopped and removed at the end."""
    bin_ = programs()
    assert bin_ is not None
    folder = Path(tempfile.mkdtemp(prefix="fa-pg-", dir="/tmp"))  # a socket's path has room for 107 bytes only
    server = Server(folder, bin_)
    data = str(folder / "data")
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _ACCOUNT)
        server.run("initdb", "-D", data, "-U", _ACCOUNT, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=40 -c shared_buffers=32MB"
        server.run("pg_ctl", "-D", data, "-w", "-t", "60", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield server
        finally:
            server.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
