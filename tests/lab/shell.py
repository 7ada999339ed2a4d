"""Running programs, waiting for conditions, telling the user: the few verbs every other module uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_STARTED = time.monotonic()
_SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"  # root by `su` may have none of them


class LabError(Exception):
    """The lab cannot do what was asked; the message is one sentence that says what to do next."""


class CommandError(LabError):
    """A program came back with a failure; carries what it said."""

    def __init__(self, argv: Sequence[str], returncode: int, said: str) -> None:
        """Keep the last lines of what the program said: that is where programs put the reason."""
        tail = "\n".join(said.strip().splitlines()[-12:])
        super().__init__(f"`{_short(argv)}` exited {returncode}:\n{tail}")
        self.returncode = returncode
        self.said = said


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | bytes = b"",
    check: bool = True,
    timeout: float | None = 120,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it said, as text whatever its bytes were.

    Raises:
        CommandError: it failed and `check` was wanted.
        LabError: it took longer than `timeout` seconds.
    """
    words = [str(word) for word in argv]
    sent = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        raw = subprocess.run(
            words, input=sent, capture_output=True, timeout=timeout, env=environment(), cwd=cwd, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise LabError(f"`{_short(words)}` did not finish within {timeout} s") from late
    done = subprocess.CompletedProcess(
        words, raw.returncode, raw.stdout.decode(errors="replace"), raw.stderr.decode(errors="replace")
    )
    if check and done.returncode != 0:
        raise CommandError(words, done.returncode, done.stderr or done.stdout)
    return done


def find(program: str) -> str | None:
    """Where a program is, in the places where `run` looks for it."""
    return shutil.which(program, path=environment()["PATH"])


def environment() -> dict[str, str]:
    """What programs get to see: our own environment, every folder of programs, and no questions asked."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATHS}"
    return {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def _short(argv: Sequence[str]) -> str:
    command = " ".join(argv)
    return command if len(command) < 160 else f"{command[:160]}…"


def wait_for(what: str, ready: Callable[[], bool], seconds: float, every: float = 0.1) -> None:
    """Ask `ready` until it says yes.

    Raises:
        LabError: it still said no after `seconds`; `what` names the condition.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(every)


def tell(message: str) -> None:
    """Say what is going on, on stderr, with the seconds since the start."""
    print(f"[{time.monotonic() - _STARTED:6.1f}s] {message}", file=sys.stderr, flush=True)
