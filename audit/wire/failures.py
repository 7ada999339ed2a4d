"""Why a host could not be asked: one exception, and the one place where others' exceptions become it.

What went wrong is told by the phase and the clock, never by the text of somebody else's exception.
"""

from __future__ import annotations

import binascii
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable

import paramiko
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from audit.model import Outcome
from audit.wire.options import Phase
from audit.wire.redact import one_line


class WireError(Exception):
    """A host could not be asked.

    Args:
        outcome: what becomes of the host.
        detail: one sentence for a person.
        phase: where it ended.
        again: the very same may work a moment later, and trying it again does no harm.
        key: fingerprint of a host key that was not believed.
    """

    def __init__(
        self, outcome: Outcome, detail: str, phase: Phase, *, again: bool = False, key: str | None = None
    ) -> None:
        """Keep it all, the sentence on one line."""
        super().__init__(detail)
        self.outcome = outcome
        self.detail = one_line(detail, 600)
        self.phase = phase
        self.again = again
        self.key = key


FOREIGN: tuple[type[BaseException], ...] = (
    OSError,
    EOFError,
    paramiko.SSHException,
    InvalidSignature,
    UnsupportedAlgorithm,
    # what paramiko lets through when a server sends what it did not expect
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    AssertionError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    binascii.Error,
)
"""Everything that the libraries below may raise because of what a peer sent or did not send."""

_SAID: dict[type[BaseException], Callable[[BaseException], str]] = {
    EOFError: lambda _: "the server closed the connection",
    ConnectionResetError: lambda _: "the server reset the connection",
    BrokenPipeError: lambda _: "the server closed the connection",
    ConnectionRefusedError: lambda _: "connection refused",
    socket.timeout: lambda _: "no answer in time",
}

_CLOSED = (EOFError, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


def closed(error: BaseException) -> bool:
    """Whether the peer has just hung up, by itself or inside of paramiko's banner error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _CLOSED):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def said(error: BaseException) -> str:
    """The error as a sentence for a person."""
    inner: BaseException | None = error
    while inner is not None:  # paramiko wraps a lost connection into a text of its own
        for kind in type(inner).__mro__:
            if kind in _SAID:
                return _SAID[kind](inner)
        inner = inner.__cause__ or inner.__context__
    if isinstance(error, OSError) and error.errno:
        return errno_text(error.errno)
    with contextlib.suppress(Exception):  # some of paramiko's fail to print themselves
        return one_line(str(error)) or type(error).__name__
    return type(error).__name__


def errno_text(number: int) -> str:
    """``No route to host`` and the like, in small letters at the front."""
    text = os.strerror(number)
    return text if number == errno.EIO else text[:1].lower() + text[1:]


def from_foreign(error: BaseException, phase: Phase) -> WireError:
    """A library's exception in this phase, as ours. Total: every exception becomes something."""
    if isinstance(error, WireError):
        return error
    if phase in ("resolve", "connect"):
        return WireError(Outcome.UNREACHABLE, said(error), phase, again=closed(error))
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return WireError(Outcome.UNREACHABLE, f"no common way to encrypt: {said(error)}", phase)
    if phase == "hostkey":
        if closed(error):
            return WireError(Outcome.UNREACHABLE, f"{said(error)} before the keys were agreed", phase)
        if isinstance(error, OSError):
            return WireError(Outcome.UNREACHABLE, said(error), phase)
        return WireError(
            Outcome.GARBLED, f"what answers there is no SSH server that we understand: {said(error)}", phase
        )
    if phase == "auth":
        if isinstance(error, paramiko.AuthenticationException):
            return WireError(Outcome.AUTH, said(error), phase)
        return WireError(Outcome.UNREACHABLE, f"the login was cut off: {said(error)}", phase)
    if isinstance(error, paramiko.ChannelException):
        return WireError(Outcome.DENIED, f"the server lets no command be run: {said(error)}", phase)
    return WireError(Outcome.UNREACHABLE, f"the connection was lost: {said(error)}", phase)
