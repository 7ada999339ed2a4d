"""One SSH connection, from the key exchange to the end of the script, on paramiko's Transport.

paramiko's own waits are either without a limit or renewed by every byte, so none of them is used: every step is
started, and then waited for under a `Clock`; whoever ends a connection shuts its socket down, which ends every wait.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.common import cMSG_CHANNEL_REQUEST
from paramiko.kex_curve25519 import KexCurve25519
from paramiko.message import Message
from paramiko.packet import Packetizer

from audit.model import Outcome
from audit.wire import frames
from audit.wire.clocks import Clock
from audit.wire.failures import FOREIGN, WireFailure, closed, from_foreign, said
from audit.wire.hostkeys import HostKeyCheck, fingerprint
from audit.wire.identities import Identity
from audit.wire.script import COMMAND
from audit.wire.sshconfig import Route

PACKET_CAP = 1 << 18
"""Bytes that one packet may claim; the protocol wants 35,000 to be possible."""
BANNER_CAP = 16 << 10
"""Bytes read before the line that starts with ``SSH-``."""
ATTEMPTS = 5
"""Keys tried in one login; sshd's MaxAuthTries is 6."""

_BUSY = ("Exceeded MaxStartups", "Not allowed at this time")
"""What sshd says instead of its banner where it is asked too often."""

logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)


class Socket(Protocol):
    """What a Transport needs; a socket, or a channel through a jump host."""

    def send(self, data: bytes, /) -> int:
        """Write some of it."""

    def recv(self, size: int, /) -> bytes:
        """Read some; nothing at the end."""

    def close(self) -> None:
        """Give it up."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Limit of one read or write."""


class _Packets(Packetizer):
    """paramiko's packets over reads of our own.

    It reads whatever has come in one go, where paramiko asks the system three times for every packet; has no timer
    thread for every connection; and bounds what a peer may claim.
    """

    def __init__(self, sock: Socket) -> None:
        super().__init__(sock)
        self._sock = sock
        self._got = bytearray()
        self.other_line = ""

    def start_handshake(self, timeout: float) -> None:
        """Our clocks do that."""

    def readline(self, timeout: float) -> str:
        """The next line of those before the packets; the first that is no banner is kept in `other_line`."""
        while (end := self._got.find(b"\n")) < 0:
            self._more()
            if len(self._got) > BANNER_CAP:
                raise paramiko.SSHException(f"no line that starts with SSH- in {BANNER_CAP >> 10} KiB")
        line = self._take(end + 1).rstrip(b"\r\n").decode("utf-8", "replace")
        if not self.other_line and not line.startswith("SSH-"):
            self.other_line = line or " "
        return line

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """Exactly so many bytes."""
        if n > PACKET_CAP:
            raise paramiko.SSHException("a packet of more than 256 KiB was announced")
        while len(self._got) < n:
            self._more()
        return self._take(n)

    def _more(self) -> None:
        try:
            data = self._sock.recv(1 << 16)
        except OSError:
            if self.closed:
                raise EOFError from None
            raise
        if not data:
            raise EOFError
        self._got += data

    def _take(self, size: int) -> bytes:
        taken = bytes(self._got[:size])
        del self._got[:size]
        return taken


class _Auth(AuthHandler):
    """Sends the login right behind the request for the service: one round trip less.

    A server takes its messages in turn, so the login is read once the service is granted. RSA keys wait, since only
    the server's extension message says which hash to sign with.
    """

    transport: _Transport

    def _request_auth(self) -> None:
        asked = self.transport.service_asked
        if not asked:
            self.transport.service_asked = True
            super()._request_auth()  # type: ignore[misc]
        if asked or not self._must_wait():
            granted = Message()
            granted.add_string("ssh-userauth")
            granted.rewind()
            super()._parse_service_accept(granted)  # type: ignore[misc]

    def _parse_service_accept(self, m: Message) -> None:
        if self._must_wait():
            super()._parse_service_accept(m)  # type: ignore[misc]

    def _must_wait(self) -> bool:
        return self.private_key is not None and "rsa" in self.private_key.get_name()


class _Transport(paramiko.Transport):
    """paramiko's Transport, with the cheap algorithms first and no polling."""

    _active_check_timeout = None
    # authenticated encryption costs one call for a packet; a separate MAC is compared byte by byte in Python
    _preferred_ciphers = (
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        *(name for name in paramiko.Transport._preferred_ciphers if "gcm" not in name and "3des" not in name),  # type: ignore[attr-defined]
    )
    _preferred_kex = (
        "curve25519-sha256",
        *(name for name in paramiko.Transport._preferred_kex if name != "mlkem768x25519-sha256"),  # type: ignore[attr-defined]
        *(name for name in paramiko.Transport._preferred_kex if name == "mlkem768x25519-sha256"),  # type: ignore[attr-defined]
    )
    _kex_info = paramiko.Transport._kex_info | {"curve25519-sha256": KexCurve25519}  # type: ignore[attr-defined]
    host_key_algorithms: tuple[str, ...] = ()
    service_asked = False
    packetizer: _Packets

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self.host_key_algorithms

    def _log(self, level: int, msg: object, *args: object) -> None:
        """Nobody reads it."""

    def log_in(self, user: str, key: paramiko.PKey, event: threading.Event) -> None:
        """As auth_publickey, with our handler."""
        handler = _Auth(self)
        self.auth_handler = handler
        handler.auth_publickey(user, key, event)


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
    why: WireFailure | None = None


class Connection:
    """One SSH connection over a socket that is there already."""

    def __init__(self, sock: Any, abort: Callable[[], None], label: str = "") -> None:
        """Take over the socket.

        Args:
            sock: connected; a `Socket`.
            abort: ends every read and write on it from another thread, without blocking.
            label: what to name it in messages; empty for the host itself.
        """
        self._sock = sock
        self.abort = abort
        self._label = label
        self._transport: _Transport | None = None
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
            WireFailure: in the phase ``connect`` until the server has shown that it speaks SSH, then ``hostkey``.
        """
        known = check.known(route)
        event = threading.Event()
        try:
            self._transport = transport = _Transport(self._sock, packetizer_class=_Packets)
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
            if line and not transport.remote_version and not line.startswith(_BUSY):
                message = f"what answers there is no SSH server: it said {line[:80]!r}"
                raise WireFailure(Outcome.GARBLED, message, "hostkey")
            raise from_foreign(ended, "hostkey" if transport.remote_version or not closed(ended) else "connect")
        key = transport.get_remote_server_key()
        blob = key.asbytes()
        self.host_key = fingerprint(blob)
        check.check(route, key.get_name(), blob, known)

    def log_in(self, user: str, identities: Sequence[Identity], unusable: Sequence[str], clock: Clock) -> None:
        """Log in with the first of these keys that the server takes.

        Raises:
            WireFailure: AUTH where it takes none, TIMEOUT where it does not say.
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
                raise WireFailure(Outcome.AUTH, message, "auth")
            if isinstance(answer, paramiko.BadAuthenticationType) and "publickey" not in answer.allowed_types:
                message = f"the server takes no keys for {user}, only {', '.join(answer.allowed_types)}"
                raise WireFailure(Outcome.AUTH, message, "auth")
        tried = f"tried {', '.join(refused)}" if refused else "there is no key to offer"
        if len(identities) > ATTEMPTS:
            tried += f" and stopped at {ATTEMPTS} of {len(identities)} keys: name the right one"
        notes = "".join(f"; {note}" for note in unusable)
        raise WireFailure(Outcome.AUTH, f"the login as {user} was refused: {tried}{notes}", "auth")

    def _login_cut(self, error: BaseException, user: str, refused: Sequence[str]) -> WireFailure:
        if refused:
            message = f"the login as {user} was refused ({', '.join(refused)}), then {said(error)}"
            return WireFailure(Outcome.AUTH, message, "auth")
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
        except WireFailure as failure:
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
        channel.sendall(script)
        channel.shutdown_write()
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
        if not channel.event_ready and not size:
            if transport.is_active():
                raise WireFailure(Outcome.DENIED, "the server refuses to run a command", "probe")
            raise from_foreign(transport.get_exception() or EOFError(), "probe")
        if not transport.is_active() and not channel.exit_status_ready():
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
