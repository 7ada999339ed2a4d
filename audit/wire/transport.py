"""One SSH connection, from the key exchange to the end of the script, on paramiko's Transport.

paramiko's own waits are either without a limit or renewed by every byte, so none of them is used: every step is
started, and then waited for under a `Clock`; whoever ends a connection shuts its socket down, which ends every wait.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST
from paramiko.message import Message

from audit.model import Outcome
from audit.wire import frames
from audit.wire.clocks import Clock
from audit.wire.failures import FOREIGN, WireError, closed, from_foreign, said
from audit.wire.hostkeys import HostKeyCheck, fingerprint
from audit.wire.identities import Identity
from audit.wire.packets import Packets, Transport
from audit.wire.script import COMMAND
from audit.wire.sshconfig import Route

ATTEMPTS = 5
"""Keys tried in one login; sshd's MaxAuthTries is 6."""
_BUSY = ("Exceeded MaxStartups", "Not allowed at this time")
"""What sshd says instead of its banner where it is asked too often."""


@dataclass
class Printed:
    """What came back on the one channel.

    Attributes:
        data: stdout and stderr, as they came.
        hello: seconds until the first marker line; 0 where none came.
        started: Unix seconds when the script was sent.
        complete: the end line came.
        cut: it was more than we read.
        status: exit status of the shell; None where none came.
        why: what ended it, unless the end line did.
    """

    data: bytes = b""
    hello: float = 0.0
    started: float = 0.0
    complete: bool = False
    cut: bool = False
    status: int | None = None
    why: WireError | None = None


class Connection:
    """One SSH connection over a socket that is there already."""

    def __init__(self, sock: Any, abort: Callable[[], None], label: str = "") -> None:
        """Take over the socket.

        Args:
            sock: connected; a `packets.Socket`.
            abort: ends every read and write on it from another thread, without blocking.
            label: what to name it in messages; empty for the host itself.
        """
        self._sock = sock
        self.abort = abort
        self._label = label
        self._transport: Transport | None = None
        self.host_key: str | None = None

    @property
    def transport(self) -> paramiko.Transport:
        """For channels through it."""
        if self._transport is None:
            raise paramiko.SSHException("not connected")
        return self._transport

    @property
    def alive(self) -> bool:
        """Whether it is logged in and has not ended."""
        return self._transport is not None and self._transport.is_active() and self._transport.is_authenticated()

    def agree(self, route: Route, check: HostKeyCheck, clock: Clock) -> None:
        """Agree on keys, and check the server's.

        Raises:
            WireError: in the phase ``connect`` until the server has shown that it speaks SSH, then ``hostkey``.
        """
        known = check.known(route)
        event = threading.Event()
        try:
            self._transport = transport = Transport(self._sock, packetizer_class=Packets)
            transport.host_key_algorithms = check.algorithms(known)
            transport.start_client(event=event)
            in_time = event.wait(clock.left)
        except FOREIGN as error:
            raise from_foreign(error, "hostkey") from error
        if not in_time:
            said_hello = bool(transport.remote_version)
            what = (
                "the server did not agree on keys"
                if said_hello
                else "the server accepted the connection but said nothing useful"
            )
            raise clock.failure(what, "hostkey")
        if not transport.is_active() or not transport.initial_kex_done:
            ended = transport.get_exception() or EOFError()
            line = transport.packetizer.other_line
            if line.startswith(_BUSY):
                message = f"the server takes no more logins now: it said {line[:80]!r}"
                raise WireError(Outcome.UNREACHABLE, message, "connect", again=line.startswith(_BUSY[0]))
            if line and not transport.remote_version:
                message = f"what answers there is no SSH server: it said {line[:80]!r}"
                raise WireError(Outcome.GARBLED, message, "hostkey")
            raise from_foreign(ended, "hostkey" if transport.remote_version or not closed(ended) else "connect")
        key = transport.get_remote_server_key()
        blob = key.asbytes()
        self.host_key = fingerprint(blob)
        check.check(route, key.get_name(), blob, known, clock.left)

    def log_in(self, user: str, identities: Sequence[Identity], unusable: Sequence[str], clock: Clock) -> None:
        """Log in with the first of these keys that the server takes.

        Raises:
            WireError: AUTH where it takes none, TIMEOUT where it does not say.
        """
        transport = self._transport
        if transport is None:
            raise from_foreign(EOFError(), "auth")
        refused: list[str] = []
        for identity in identities[:ATTEMPTS]:
            event = threading.Event()
            try:
                transport.log_in(user, identity.key, event)
                in_time = event.wait(clock.left)
            except FOREIGN as error:
                if transport.is_active():
                    refused.append(f"{identity.label} ({said(error)})")  # the key or its agent, not the server
                    continue
                raise self._login_cut(error, user, refused) from error
            if not in_time:
                raise clock.failure(f"the login as {user} was neither taken nor refused", "auth")
            if transport.is_authenticated():
                return
            answer = transport.get_exception() or EOFError()
            if not transport.is_active():
                raise self._login_cut(answer, user, refused)
            refused.append(identity.label)
            if isinstance(answer, paramiko.ssh_exception.PartialAuthentication):
                message = f"the server wants more than a key from {user}: {', '.join(answer.allowed_types)}"
                raise WireError(Outcome.AUTH, message, "auth")
            if isinstance(answer, paramiko.BadAuthenticationType) and "publickey" not in answer.allowed_types:
                message = f"the server takes no keys for {user}, only {', '.join(answer.allowed_types)}"
                raise WireError(Outcome.AUTH, message, "auth")
        tried = f"tried {', '.join(refused)}" if refused else "there is no key to offer"
        if len(identities) > ATTEMPTS:
            tried += f" and stopped at {ATTEMPTS} of {len(identities)} keys: name the right one"
        notes = "".join(f"; {note}" for note in unusable)
        raise WireError(Outcome.AUTH, f"the login as {user} was refused: {tried}{notes}", "auth")

    def _login_cut(self, error: BaseException, user: str, refused: Sequence[str]) -> WireError:
        if refused:
            message = f"the login as {user} was refused ({', '.join(refused)}), then {said(error)}"
            return WireError(Outcome.AUTH, message, "auth")
        return from_foreign(error, "auth")

    def run(self, script: bytes, nonce: str, clock: Clock, cap: int = frames.TOTAL_CAP) -> Printed:
        """Give the script to a shell and read until its end line, the end of the stream, the cap or the clock.

        What came before a failure is kept; the failure is in `why`.
        """
        printed = Printed()
        chunks: list[bytes] = []
        try:
            self._run(script, nonce, clock, cap, printed, chunks)
        except FOREIGN as error:
            printed.why = (
                clock.failure("the script did not end", "probe") if clock.over else from_foreign(error, "probe")
            )
        except WireError as failure:
            printed.why = failure
        printed.data = b"".join(chunks)
        return printed

    def _run(self, script: bytes, nonce: str, clock: Clock, cap: int, printed: Printed, chunks: list[bytes]) -> None:
        transport = self.transport
        channel = transport.open_session(timeout=clock.left)
        channel.set_combine_stderr(True)
        channel.settimeout(clock.left)
        request = Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(channel.remote_chanid)
        request.add_string("exec")
        request.add_boolean(True)
        request.add_string(COMMAND)
        channel._event_pending()  # type: ignore[attr-defined]
        printed.started = time.time()
        sent = time.monotonic()
        # The script follows without waiting for the reply: one round trip less.
        transport._send_user_message(request)  # type: ignore[attr-defined]
        try:
            channel.sendall(script)
            channel.shutdown_write()
        except TimeoutError:
            raise
        except OSError:  # closed before it had the whole script: what it said until then tells why
            pass
        first = b"\n" + frames.marker(nonce)
        size = 0
        tail = b"\n"
        while True:
            if clock.over:
                raise clock.failure("the script did not end", "probe")
            channel.settimeout(clock.left)
            data = channel.recv(1 << 16)
            if not data:
                break
            chunks.append(data)
            size += len(data)
            seen = tail + data
            if not printed.hello and first in seen:
                printed.hello = time.monotonic() - sent
            if frames.ended(seen, nonce):
                printed.complete = True
                return
            tail = seen[-(len(first) + 16) :]
            if size >= cap:
                printed.cut = True
                return
        if clock.over:
            raise clock.failure("the script did not end", "probe")
        if not channel.event_ready and not size:
            if transport.is_active():
                raise WireError(Outcome.DENIED, "the server refuses to run a command", "probe")
            raise from_foreign(transport.get_exception() or EOFError(), "probe")
        if not channel.eof_received and channel.exit_status < 0:
            transport.join(0.5)  # it frees its channels before it says that it has ended
        if not transport.is_active() and channel.exit_status < 0:
            raise from_foreign(transport.get_exception() or EOFError(), "probe")
        channel.status_event.wait(min(1.0, clock.left))
        printed.status = channel.exit_status if channel.exit_status >= 0 else None

    def close(self) -> None:
        """End it, and its thread."""
        transport = self._transport
        if transport is None:
            with contextlib.suppress(Exception):
                self._sock.close()
            return
        self.abort()
        with contextlib.suppress(Exception):
            transport.close()
            self._sock.close()
        if transport.is_alive():
            transport.join(1.0)


def shut(sock: socket.socket) -> Callable[[], None]:
    """What aborts a real socket: shutting it down wakes every thread that reads or writes it."""

    def abort() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    return abort
