"""urllib3's connections with a wall clock: a server that sends a byte now and then does not hold us for ever."""

from __future__ import annotations

import contextlib
import http.client
import io
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import urllib3  # noqa: TID251 - this is the room that the ban points to

from audit.errors import UsageError
from audit.registry.options import Tls

RUDE = 2.0
"""Seconds without a byte after which a refusal for too many requests is taken as whole."""


class _Limits(threading.local):
    """Of the request that this thread is making; an answer keeps those that it began with."""

    until: float = float("inf")
    idle: float = 30.0
    answer: _Answer | None = None

    def drop(self) -> None:
        """Close the answer that this thread got last: urllib3 forgets one whose headers it cannot use."""
        if self.answer is not None:
            self.answer.close()
            self.answer = None

    @contextlib.contextmanager
    def of(self, until: float, idle: float) -> Iterator[None]:
        """For the requests made inside; one may be made while another one's body is being sent."""
        before = self.until, self.idle
        self.until, self.idle = until, idle
        try:
            yield
        finally:
            # What was waited for inside, before anything was sent, is not taken from the outer one's time either.
            self.until, self.idle = before[0] + self.until - until, before[1]


limits = _Limits()


class _Clocked(io.RawIOBase):
    """A socket's bytes; each read may take what is left of the time."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        super().__init__()
        self._raw, self._sock = raw, sock
        self._until, self._idle = limits.until, limits.idle
        self._gentle = self._ended = False

    def hurry(self, seconds: float, *, gentle: bool = False) -> None:
        """Wait no longer than so for more bytes; gently: then it is the end of them, and no error."""
        self._idle = min(self._idle, seconds)
        self._gentle = self._gentle or gentle

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int | None:
        if self._ended:
            return 0
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(min(left, self._idle))
        try:
            return self._raw.readinto(into)
        except TimeoutError:
            if not self._gentle:
                raise
            self._ended = True
            return 0

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self._clocked = _Clocked(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._clocked)
        limits.answer = self

    def hurry(self, seconds: float) -> None:
        """Wait no longer than so for more of it."""
        self._clocked.hurry(seconds)

    def begin(self) -> None:
        """Read the head; a line in it that is none ends it, and is no reason for urllib3 to complain."""
        super().begin()
        if self.headers.defects:
            self.headers.defects.clear()
            self.headers.set_payload("")

    def _read_status(self) -> Any:
        found = super()._read_status()  # type: ignore[misc] # http.client's own way to begin; typeshed leaves it out
        if found[1] == 429:
            # Docker Hub's front was seen to send no proper head with it, so its end may never come: what has come in
            # this time is all of it.
            self._clocked.hurry(RUDE, gentle=True)
        return found


class _Http(urllib3.connection.HTTPConnection):
    response_class = _Answer


class _Https(urllib3.connection.HTTPSConnection):
    response_class = _Answer


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


class Manager(urllib3.PoolManager):
    """Pools of connections whose answers keep to `limits`."""

    def __init__(self, **more: Any) -> None:
        """As urllib3's."""
        super().__init__(**more)
        self.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


def context(tls: Tls) -> ssl.SSLContext:
    """Trust in the machine's CAs and the given one, and our own certificate.

    Raises:
        UsageError: a file cannot be used.
    """
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.ca_file is not None:
        try:
            made.load_verify_locations(cafile=tls.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"{tls.ca_file}: no CA certificate can be read from it: {_why(error)}") from None
    if tls.client_cert is not None:
        try:
            # A password that is not asked for: OpenSSL would ask on the terminal.
            made.load_cert_chain(tls.client_cert, tls.client_key, password="")
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"{tls.client_cert}: no client certificate with its key can be read from it: {_why(error)}"
            ) from None
    elif tls.client_key is not None:
        raise UsageError(f"{tls.client_key}: a client key needs its certificate; give client_cert too")
    return made


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower() if not isinstance(error, ssl.SSLError) else (
        "it is no PEM file of that kind, or they do not belong together"
    )  # fmt: skip
