"""The same script on this very machine, without SSH."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time

from audit.model import Outcome
from audit.wire import frames
from audit.wire.clocks import Clock
from audit.wire.failures import WireError, from_foreign
from audit.wire.transport import Printed


def run_local(script: bytes, nonce: str, clock: Clock, stopped: threading.Event) -> Printed:
    """Run the script in a shell of its own session, until its end line, the cap, the clock or `stopped`."""
    printed = Printed(started=time.time())
    chunks: list[bytes] = []
    try:
        shell = subprocess.Popen(
            ["/bin/sh", "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        printed.why = from_foreign(error, "connect")
        return printed
    try:
        _exchange(shell, script, nonce, clock, stopped, printed, chunks)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(shell.pid, signal.SIGKILL)
        for pipe in (shell.stdin, shell.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        shell.wait()
    printed.data = b"".join(chunks)
    return printed


def _exchange(
    shell: subprocess.Popen[bytes],
    script: bytes,
    nonce: str,
    clock: Clock,
    stopped: threading.Event,
    printed: Printed,
    chunks: list[bytes],
) -> None:
    begun = time.monotonic()
    first = b"\n" + frames.marker(nonce)
    tail, size, rest = b"\n", 0, memoryview(script)
    assert shell.stdin is not None
    assert shell.stdout is not None
    os.set_blocking(shell.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(shell.stdin, selectors.EVENT_WRITE)
        selector.register(shell.stdout, selectors.EVENT_READ)
        while size < frames.TOTAL_CAP:
            if stopped.is_set():
                printed.why = WireError(Outcome.NOT_ASKED, "interrupted", "probe")
                return
            if clock.over:
                printed.why = clock.failure("the script did not end", "probe")
                return
            for key, _ in selector.select(min(0.2, clock.left)):
                if key.fileobj is shell.stdin:
                    try:
                        rest = rest[os.write(shell.stdin.fileno(), rest[: 1 << 16]) :]
                    except BrokenPipeError:
                        rest = rest[:0]
                    if not rest:
                        selector.unregister(shell.stdin)
                        shell.stdin.close()
                    continue
                data = os.read(shell.stdout.fileno(), 1 << 16)
                if not data:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        printed.status = shell.wait(1.0)
                    return
                chunks.append(data)
                size += len(data)
                seen = tail + data
                if not printed.hello and first in seen:
                    printed.hello = time.monotonic() - begun
                if frames.ended(seen, nonce):
                    printed.complete = True
                    return
                tail = seen[-(len(first) + 16) :]
    printed.cut = True
