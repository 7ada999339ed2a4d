"""Running programs, waiting for conditions, telling the user: the few verbs every other module uses."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_STARTED = time.monotonic()


class LabError(Exception):
    """The lab cannot do what was asked; the message is one sentence that says what to do next."""


class CommandError(LabError):
    """A program came back with a failure; carries what it said."""

    def __init__(self, argv: Sequence[str], returncode: int, said: str) -> None:
        """Keep the last lines of what the program said: that is where programs put the reason."""
        tail = "\n".join(said.strip().splitlines()[-12:])
        super().__init__(f"`{' '.join(argv)}` exited {returncode}:\n{tail}")
        self.returncode = returncode
        self.said = said


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | bytes = b"",
    check: bool = True,
    timeout: float | None = 120,
    env: Mapping[str, str] | None = None,
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
        raw = subprocess.run(words, input=sent, capture_output=True, timeout=timeout, env=env, cwd=cwd, check=False)
    except subprocess.TimeoutExpired as late:
        raise LabError(f"`{' '.join(words)[:200]}` did not finish within {timeout} s") from late
    done = subprocess.CompletedProcess(
        words, raw.returncode, raw.stdout.decode(errors="replace"), raw.stderr.decode(errors="replace")
    )
    if check and done.returncode != 0:
        raise CommandError(words, done.returncode, done.stderr or done.stdout)
    return done


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
