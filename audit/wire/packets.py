"""paramiko's own classes, bent where they would hang, poll, or cost more than they need to."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.kex_curve25519 import KexCurve25519
from paramiko.message import Message
from paramiko.packet import Packetizer

PACKET_CAP = 1 << 18
"""Bytes that one packet may claim; the protocol wants 35,000 to be possible."""
BANNER_CAP = 16 << 10
"""Bytes read before the line that starts with ``SSH-``."""
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


class Packets(Packetizer):
    """paramiko's packets over reads of our own.

    It reads whatever has come in one go, where paramiko asks the system three times for every packet; has no timer
    thread for every connection; and bounds what a peer may claim.
    """

    def __init__(self, sock: Socket) -> None:
        """Read from and write to `sock`."""
        super().__init__(sock)  # type: ignore[arg-type] # anything with these four methods will do
        self._sock = sock
        self._got = bytearray()
        self.other_line = ""

    def start_handshake(self, timeout: float) -> None:
        """Our clocks do that."""

    def readline(self, timeout: float) -> str:  # noqa: ARG002 - the clock closes the socket
        """The next line of those before the packets; the first that is no banner is kept in `other_line`."""
        while (end := self._got.find(b"\n")) < 0:
            self._more()
            if len(self._got) > BANNER_CAP:
                raise paramiko.SSHException(f"no line that starts with SSH- in {BANNER_CAP >> 10} KiB")
        line = self._take(end + 1).rstrip(b"\r\n").decode("utf-8", "replace")
        if not self.other_line and not line.startswith("SSH-"):
            self.other_line = line or " "
        return line

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: ARG002 - no run is that long
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


class Auth(AuthHandler):
    """Sends the login right behind the request for the service: one round trip less.

    A server takes its messages in turn, so the login is read once the service is granted. An RSA key waits where the
    server has not said yet which hash to sign with.
    """

    transport: Transport

    _wait = False

    def _request_auth(self) -> None:
        if not self.transport.service_asked:
            self.transport.service_asked = True
            rsa = self.private_key is not None and "rsa" in self.private_key.get_name()
            self._wait = rsa and "server-sig-algs" not in self.transport.server_extensions
            super()._request_auth()  # type: ignore[misc]
        if not self._wait:
            granted = Message()
            granted.add_string("ssh-userauth")
            granted.rewind()
            super()._parse_service_accept(granted)  # type: ignore[misc]

    def _parse_service_accept(self, m: Message) -> None:
        if self._wait:
            self._wait = False
            super()._parse_service_accept(m)  # type: ignore[misc]


class Transport(paramiko.Transport):
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
    packetizer: Packets
    server_extensions: dict[str, bytes]

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """What to ask the server for; paramiko would add certificates, which nobody here can check."""
        return self.host_key_algorithms

    def _log(self, level: int, msg: object, *args: object) -> None:
        """Nobody reads it."""

    def log_in(self, user: str, key: paramiko.PKey, event: threading.Event) -> None:
        """As auth_publickey, with our handler."""
        handler = Auth(self)
        self.auth_handler = handler
        handler.auth_publickey(user, key, event)
