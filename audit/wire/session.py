"""One script on one host that may change something there, with bytes on its stdin and its output as it comes.

A session is how the verbs that write to a worker do so: `probe` now, builds later. What runs there is session.sh: the
script, what takes it back (run in every case: its end, Ctrl-C, a lost connection, a limit, a controller that was
killed), and a sign of life every second, by whose failing the worker notices that nobody listens any more.

The connection is the audit's own: same configuration, host keys, jump hosts and clocks.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from audit.model import Host, Outcome
from audit.wire.clocks import Clock
from audit.wire.failures import FOREIGN, WireError
from audit.wire.redact import one_line, redact
from audit.wire.script import filled

Stream = Literal["stdout", "stderr"]
OnLine = Callable[[Stream, str], None]
"""Told every line, redacted and without its newline; called from two threads, one a stream."""

PIECE = 32 << 10
"""Bytes of stdin given to the connection at once: what a channel's packet holds."""
LINE_CAP = 64 << 10
"""Bytes of one line; the rest of it is dropped."""
ABORT_GRACE = 60.0
"""Seconds that a worker gets to take back what it did: session.sh gives up after fewer."""
SILENCE = 30.0
"""Seconds without any sign of life after which a connection counts as lost."""
LOOK = 0.2
"""Seconds between two looks at whether the session is to end."""


@dataclass(frozen=True)
class Script:
    """What to run, and what takes it back; both POSIX sh, run as the build service's user in its environment.

    Attributes:
        do: its stdin is what the controller sends.
        undo: runs in every case, ``$1`` is ``yes`` where `do` was ended from outside; its exit status must be 0 only
            if nothing is left.
    """

    do: str
    undo: str = ":"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a script on one host.

    Attributes:
        outcome: ``ok`` where it came to its own end, whatever its exit status.
        exit: its exit status; None where it did not come to its end.
        detail: one sentence about anything but ``ok``.
        phase: where it ended: resolve, connect, hostkey, auth, probe, done.
        undone: True: the worker said that nothing is left; False: it said that something is; None: it never began
            (`began` is False) or could not say.
        began: the script may have run.
        user: as whom it ran.
        seconds: how long it took in all.
        host_key: fingerprint that the server showed.
    """

    outcome: Outcome
    exit: int | None = None
    detail: str = ""
    phase: str = "done"
    undone: bool | None = None
    began: bool = False
    user: str | None = None
    seconds: float = 0.0
    host_key: str | None = None


class Pipe(Protocol):
    """The two ends of a running shell: a channel of a connection, or a process of this machine."""

    def write(self, data: bytes) -> int:
        """Write some of it; 0 where it is not taken within a moment. OSError or EOFError where nobody reads."""

    def close_write(self) -> None:
        """No more is to come."""

    def read(self, stream: Stream) -> bytes | None:
        """What has come; None where nothing has within a moment; empty at the end."""

    def signal(self, pid: int) -> None:
        """Tell the shell of that pid to end, without waiting for it."""

    def lost(self) -> WireError | None:
        """Why it has ended, where that was not the shell's doing."""

    def abort(self) -> None:
        """End every read and write."""


def session_script(host: Host, script: Script, *, nonce: str = "0" * 32, limit: float = 300.0) -> str:
    """Exactly what runs on the host, but for the nonce.

    Args:
        host: for `become` and `build_unit`.
        script: what to do there.
        nonce: marks our lines; letters and digits.
        limit: seconds after which the worker ends it by itself.
    """
    become = "yes" if host.become else "no"
    head = f"fa_nonce={nonce} fa_become={become} fa_unit={shlex.quote(host.build_unit or '')} fa_limit={int(limit) + 1}"
    return f"{head}\nfa_do={shlex.quote(script.do)}\nfa_undo={shlex.quote(script.undo)}\n" + filled("session.sh", {})


def command_for(text: bytes) -> str:
    """What the login shell is given, whatever shell it is: it takes the script off stdin, byte by byte, and no more."""
    return f"exec /bin/sh -c 'eval \"$(dd bs=1 count={len(text)} 2>/dev/null)\"'"


@dataclass
class _Heard:
    """What the two readers and the writer share."""

    begun: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    pid: int = 0
    user: str | None = None
    refused: str = ""
    end: tuple[str, str] | None = None
    last: float = field(default_factory=time.monotonic)
    fault: BaseException | None = None


class Exchange:
    """One script over one pipe: feeds stdin, reads both streams, ends it on time."""

    def __init__(
        self, pipe: Pipe, text: bytes, nonce: str, stdin: Iterable[bytes], on_line: OnLine, clock: Clock,
        stop: threading.Event,
    ) -> None:  # fmt: skip
        """Nothing is sent before `run`."""
        self.pipe = pipe
        self.text = text
        self.mark = f"FS{nonce}"
        self.stdin = stdin
        self.on_line = on_line
        self.clock = clock
        self.stop = stop
        self.heard = _Heard()

    def run(self) -> Ended:
        """Until the script has ended, and what it did is taken back; never raises for what a worker does."""
        threads = [
            threading.Thread(target=self._feed, name="fleet-audit-stdin", daemon=True),
            *(
                threading.Thread(target=self._listen, args=(stream,), name=f"fleet-audit-{stream}", daemon=True)
                for stream in ("stdout", "stderr")
            ),
        ]
        for thread in threads:
            thread.start()
        why = self._wait()
        if why is None and self.heard.end is None:
            why = self.pipe.lost()
        self.heard.over.set()
        # the log's last lines may still be on their way when the end line has come
        threads[2].join(2.0)
        self.pipe.abort()
        for thread in threads:
            thread.join(1.0)
        return self._ended(why)

    def _wait(self) -> WireError | None:
        """Wait for the end line; tell the worker to stop where it has to, and give it time to clean up."""
        why: WireError | None = None
        grace = Clock(None, "cleaning up")
        told = 0.0
        heard = self.heard
        while heard.end is None and not heard.over.wait(LOOK):
            now = time.monotonic()
            if why is None:
                if self.stop.is_set():
                    why = WireError(Outcome.NOT_ASKED, "interrupted", "probe")
                elif self.clock.over:
                    why = self.clock.failure("the script did not end", "probe")
                elif heard.fault is not None:
                    why = WireError(Outcome.NOT_ASKED, f"what was to be sent could not be read: {heard.fault}", "probe")
                if why is not None:
                    grace = Clock(ABORT_GRACE if heard.begun.is_set() else 2.0, "cleaning up")
            if now - heard.last > SILENCE:
                return why or WireError(Outcome.UNREACHABLE, f"no sign of life for {SILENCE:g} s", "probe")
            if why is not None:
                if grace.over:
                    break
                if heard.begun.is_set() and now - told > 2.0:  # a signal may meet a shell that is not ready for it
                    told = now
                    self.pipe.signal(heard.pid)
        return why

    def _ended(self, why: WireError | None) -> Ended:
        heard = self.heard
        began = heard.begun.is_set()
        undone = heard.end[1] == "0" if heard.end else None
        if heard.refused:
            return Ended(outcome=Outcome.DENIED, detail=redact(heard.refused), phase="probe")
        if why is None and heard.end is not None and heard.end[0].isdigit():
            return Ended(outcome=Outcome.OK, exit=int(heard.end[0]), undone=undone, began=True, user=heard.user)
        if why is None and heard.end is not None:
            why = WireError(Outcome.TIMEOUT, "the worker ended the script", "probe")
        if why is None:
            why = WireError(Outcome.GARBLED, "the script did not run", "probe")
        return Ended(
            outcome=why.outcome, detail=why.detail, phase=why.phase, undone=undone, began=began, user=heard.user
        )

    # -- the three threads

    def _feed(self) -> None:
        try:
            if self._send(self.text):
                for chunk in self.stdin:
                    if not self._send(chunk):
                        return
                self.pipe.close_write()
        except FOREIGN as error:
            if not isinstance(error, (OSError, EOFError)) or self.pipe.lost() is None:
                self.heard.fault = error
        except Exception as error:
            self.heard.fault = error
        finally:
            close = getattr(self.stdin, "close", None)
            if callable(close):
                with contextlib.suppress(Exception):
                    close()

    def _send(self, data: bytes) -> bool:
        """All of it, as fast as it is taken; False where the session has ended."""
        rest = memoryview(data)
        while rest:
            if self.heard.over.is_set() or self.heard.end is not None or self.stop.is_set():
                return False
            try:
                rest = rest[self.pipe.write(bytes(rest[:PIECE])) :]
            except (OSError, EOFError):
                return False  # the script does not read it all: that is its right
        return True

    def _listen(self, stream: Stream) -> None:
        kept = b""
        try:
            while (data := self.pipe.read(stream)) != b"":
                if data is None:
                    if self.heard.over.is_set():
                        break
                    continue
                self.heard.last = time.monotonic()
                *lines, kept = (kept + data).split(b"\n")
                partial = b""
                for line in lines:
                    partial = self._line(stream, partial + line)
                kept = (partial + kept)[:LINE_CAP]
        except FOREIGN:
            pass
        if kept:
            self._line(stream, kept)
        if stream == "stdout":
            self.heard.over.set()

    def _line(self, stream: Stream, raw: bytes) -> bytes:
        """Take one line; what stood before a sign of life is the beginning of the next one."""
        text = raw[:LINE_CAP].rstrip(b"\r")
        alive = f"{self.mark} .".encode()
        if text.endswith(alive):
            return text.removesuffix(alive)
        words = text.decode("utf-8", "replace")
        if stream == "stdout" and words.startswith(f"{self.mark} "):
            self._ours(words[len(self.mark) + 1 :])
        elif words:
            with contextlib.suppress(Exception):  # a display that fails must not lose a host
                self.on_line(stream, redact(words))
        return b""

    def _ours(self, words: str) -> None:
        kind, *rest = words.split(" ")
        heard = self.heard
        if kind == "H" and len(rest) == 2 and rest[0].isdecimal() and int(rest[0][:12]) > 1 and not heard.pid:
            heard.pid, heard.user = int(rest[0][:12]), one_line(rest[1], 40)
            heard.begun.set()
        elif kind == "X":
            heard.refused = one_line(" ".join(rest), 300)
        elif kind == "Z" and len(rest) == 2 and heard.end is None:
            heard.end = (rest[0][:3], rest[1])


def run_over(
    pipe: Pipe, text: bytes, nonce: str, stdin: Iterable[bytes], on_line: OnLine, clock: Clock, stop: threading.Event
) -> Ended:
    """Run a script whose shell has just been started at the other end of the pipe."""
    begun = time.monotonic()
    ended = Exchange(pipe, text, nonce, stdin, on_line, clock, stop).run()
    return replace(ended, seconds=round(time.monotonic() - begun, 3))


def prepared(host: Host, script: Script, limit: float) -> tuple[bytes, str]:
    """The text to send and its nonce."""
    nonce = secrets.token_hex(16)
    return session_script(host, script, nonce=nonce, limit=limit).encode(), nonce
