"""The one place where the exceptions of urllib3, and of the library below it, become ours.

What went wrong is told by the class, not by the text; only TLS says all that it says in its text.
"""

from __future__ import annotations

import http.client
import ssl
from typing import Any

import urllib3  # noqa: TID251 - this is the room that the ban points to

from audit.registry._said import one_line
from audit.registry.failures import Call, Garbled, HostUnknown, NotARegistry, RegistryError, TlsFailed, Unreachable

FOREIGN: tuple[type[BaseException], ...] = (
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # urllib3 lets some through for a Location or a header that is none
    AttributeError,  # likewise for a connection that went away under it
    KeyError,
)
"""All that urllib3 and the library below it may raise because of what a server sent or did not send."""

_SCHEME = "say with plain_http (--plain-http) that this registry speaks http, if that is meant"
_AGAIN = "try again"

_Made = tuple[type[RegistryError], str, str]

_MAP: dict[type[BaseException], _Made] = {
    urllib3.exceptions.NameResolutionError: (HostUnknown, "the host's name cannot be resolved", "check the name"),
    ConnectionRefusedError: (Unreachable, "the connection was refused", "check the port and that it runs"),
    urllib3.exceptions.ConnectTimeoutError: (Unreachable, "no connection in time", _AGAIN),
    urllib3.exceptions.NewConnectionError: (Unreachable, "no connection could be made", "check the address"),
    urllib3.exceptions.ReadTimeoutError: (Unreachable, "no answer in time", _AGAIN),
    urllib3.exceptions.TimeoutError: (Unreachable, "no answer in time", _AGAIN),
    TimeoutError: (Unreachable, "no answer in time", _AGAIN),
    urllib3.exceptions.ProxyError: (Unreachable, "the proxy does not let us through", "check the proxy"),
    urllib3.exceptions.InvalidChunkLength: (Garbled, "the answer's chunks are no chunks", _AGAIN),
    urllib3.exceptions.IncompleteRead: (Unreachable, "the answer broke off", _AGAIN),
    http.client.IncompleteRead: (Unreachable, "the answer broke off", _AGAIN),
    http.client.RemoteDisconnected: (Unreachable, "the server hung up without an answer", _AGAIN),
    ConnectionResetError: (Unreachable, "the connection was reset", _AGAIN),
    BrokenPipeError: (Unreachable, "the server hung up", _AGAIN),
    ConnectionAbortedError: (Unreachable, "the connection was cut off", _AGAIN),
    ssl.SSLEOFError: (Unreachable, "the server hung up in the middle of TLS", _AGAIN),
    ssl.SSLZeroReturnError: (Unreachable, "the server closed the connection", _AGAIN),
    http.client.BadStatusLine: (NotARegistry, "what answers does not speak HTTP", "check the port"),
    http.client.LineTooLong: (Garbled, "a line of the answer's head is too long", "check what answers there"),
    http.client.HTTPException: (Garbled, "the answer's head cannot be read", "check what answers there"),
    urllib3.exceptions.LocationValueError: (Garbled, "an address in the answer cannot be read", ""),
    urllib3.exceptions.DecodeError: (Garbled, "the answer cannot be unpacked", ""),
    urllib3.exceptions.InvalidHeader: (Garbled, "the answer's headers contradict each other", ""),
    urllib3.exceptions.ProtocolError: (Unreachable, "the connection broke off", _AGAIN),
    urllib3.exceptions.PoolError: (Unreachable, "the connection could not be used", _AGAIN),
    urllib3.exceptions.HTTPError: (Unreachable, "the connection failed", _AGAIN),
    OSError: (Unreachable, "the connection failed", _AGAIN),
    ValueError: (Garbled, "the answer cannot be read", "check what answers there"),
    AttributeError: (Unreachable, "the connection went away", _AGAIN),
    KeyError: (Garbled, "the answer cannot be read", "check what answers there"),
}
"""Looked up by the class, then by its bases; a wrapper's cause goes before it where that is more exact."""

_VAGUE = (
    ValueError, KeyError, AttributeError, OSError, TimeoutError,
    urllib3.exceptions.HTTPError, urllib3.exceptions.ProtocolError, urllib3.exceptions.NewConnectionError,
)  # fmt: skip
"""These say more by what was raised because of them."""

_TLS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "UNEXPECTED_MESSAGE"),
     "the port does not speak TLS", _SCHEME),
    (("expired",), "its certificate has expired", "have it renewed"),
    (("not yet valid",), "its certificate is not valid yet", "compare the clocks"),
    (("self-signed", "self signed", "unable to get local issuer", "unable to get issuer"),
     "its certificate is signed by no CA that is trusted here",
     "give the CA's certificate with ca_file (--registry-ca)"),
    (("mismatch", "doesn't match", "not valid for"), "its certificate is for another name", "check the host's name"),
    (("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE", "UNKNOWN_CA"),
     "it refuses us without a client certificate that it trusts", "give one with client_cert and client_key"),
)  # fmt: skip


def from_foreign(error: BaseException, call: Call) -> RegistryError:
    """A library's exception while making this call, as ours. Total: every exception becomes something."""
    if isinstance(error, RegistryError):
        return error
    chain = _chain(error)
    for inner in chain:
        if isinstance(inner, ssl.SSLError) and not isinstance(inner, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return _tls(inner, call)
    for inner in reversed(chain):  # the innermost is the most exact one, if it says anything at all
        if type(inner) in _MAP and type(inner) not in _VAGUE:
            return _made(_MAP[type(inner)], call)
    if any(isinstance(inner, (urllib3.exceptions.SSLError, ssl.SSLError)) for inner in chain):
        return _tls(error, call)
    for kind in type(error).__mro__:
        if kind in _MAP:
            return _made(_MAP[kind], call)
    return Unreachable(call, f"the call failed ({type(error).__name__})", "report this as a fault of fleet-audit")


def _made(made: _Made, call: Call) -> RegistryError:
    kind, why, todo = made
    return kind(call, why, todo)


def _tls(error: BaseException, call: Call) -> TlsFailed:
    text = str(error)
    for words, why, todo in _TLS:
        if any(word.lower() in text.lower() for word in words):
            return TlsFailed(call, why, todo)
    return TlsFailed(call, f"no secure connection: {one_line(text, limit=160)}", "check both ends' TLS")


def _chain(error: BaseException) -> list[BaseException]:
    """The error and everything that it was raised because of, outermost first."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
    return found
