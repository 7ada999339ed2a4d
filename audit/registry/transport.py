"""HTTP to registries over urllib3: TLS, limits in bytes and seconds, redirections that carry no credentials away.

One request in, one answer out, whatever its status; who we are and what an answer means is decided elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import urllib3  # noqa: TID251 - this is the room that the ban points to

from audit.registry._said import place
from audit.registry._sockets import Manager, context, limits
from audit.registry.counter import Counter
from audit.registry.failures import Call, Headers, RedirectRefused, TooLong
from audit.registry.foreign import FOREIGN, from_foreign
from audit.registry.options import Options, Tls
from audit.registry.urls import follow, hostname, origin, split

MOST_REDIRECTS = 5
ERROR_BYTES = 64 * 1024
"""Read of an answer that is an error."""
_CHUNK = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)


class Request(NamedTuple):
    """One HTTP request that is about to be sent, as the hooks see it.

    Attributes:
        call: what it is for; its kind is the key of the counter.
        method: GET, HEAD, POST, PUT, PATCH or DELETE.
        registry: whose request it is, as in references; a token or a redirection may go to another host.
        host: ``host[:port]`` that it goes to.
    """

    call: Call
    method: str
    registry: str
    host: str


class Answer(NamedTuple):
    """A whole answer.

    Attributes:
        status: HTTP status.
        headers: by name in lower case; several of one name are joined by commas.
        body: its bytes.
        url: where it came from at last, without a query.
    """

    status: int
    headers: Headers
    body: bytes
    url: str


class Open:
    """An answer whose body is still to be read; `close` it, or use it as a context."""

    def __init__(self, response: urllib3.BaseHTTPResponse, call: Call, url: str, origin: str) -> None:
        """Keep the connection until closed."""
        self._response = response
        self.call, self.url, self.origin = call, url, origin
        self.status = response.status
        self.headers: Headers = {name.lower(): value for name, value in response.headers.items()}
        self._whole = False

    def read(self, most: int = _CHUNK) -> bytes:
        """The next bytes, at most so many; empty at the end.

        Raises:
            RegistryError: the connection broke off, or was too slow.
        """
        try:
            data = self._response.read(most)
        except FOREIGN as error:
            raise from_foreign(error, self.call) from None
        if not data:
            self._whole = True
        return data

    def whole(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            TooLong: it has more than `limit` bytes; only one more has been read.
        """
        parts, left = [], limit + 1
        while left and (data := self.read(min(left, _CHUNK))):
            parts.append(data)
            left -= len(data)
        if not left:
            raise TooLong(self.call, f"the answer has more than {limit} bytes", "check what answers there")
        return b"".join(parts)

    def beginning(self, limit: int = ERROR_BYTES) -> bytes:
        """As much of the body as can be had, for a message; never fails."""
        parts, left = [], limit
        try:
            while left and (data := self._response.read(min(left, _CHUNK))):
                parts.append(data)
                left -= len(data)
        except FOREIGN:
            left = 0
        self._whole = left > 0
        return b"".join(parts)

    def close(self) -> None:
        """Give the connection back where the body was read to its end, else end it."""
        if self._whole:
            self._response.release_conn()
        else:
            self._response.close()

    def __enter__(self) -> Open:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


class Transport:
    """Sends requests; may be used by many threads at once.

    Args:
        options: TLS, limits.
        counts: every request is counted there.
        before: called before every single request; may wait, or raise to prevent it.
        seen: called with every answer's status and headers, redirections too.
    """

    def __init__(
        self,
        options: Options,
        counts: Counter,
        before: Callable[[Request], None] | None = None,
        seen: Callable[[Request, int, Headers], None] | None = None,
    ) -> None:
        """Nothing is connected yet."""
        self._options, self._counts, self._before, self._seen = options, counts, before, seen
        self._managers: dict[Tls | None, Manager] = {}  # None: for http
        self._lock = threading.Lock()

    def open(
        self,
        call: Call,
        method: str,
        url: str,
        registry: str,
        *,
        headers: Headers | None = None,
        authorization: str | None = None,
        body: bytes | Iterable[bytes] | None = None,
        seconds: float | None = None,
    ) -> Open:
        """Send one request, follow the redirections of a GET or HEAD, and give the answer whatever its status.

        Args:
            call: what it is for.
            method: the HTTP method.
            url: absolute.
            registry: whose request it is: its TLS settings count.
            headers: more of them.
            authorization: sent to the URL's own origin only, never to where that redirects.
            body: bytes, or an iterator of them with Content-Length in the headers.
            seconds: limit for the whole answer; None for `Options.answer`.

        Raises:
            RegistryError: there is no answer, or a redirection that is not followed.
        """
        with limits.of(time.monotonic() + (seconds or self._options.answer), self._options.idle):
            return self._follow(call, method, url, registry, headers, authorization, body)

    def _follow(
        self,
        call: Call,
        method: str,
        url: str,
        registry: str,
        headers: Headers | None,
        authorization: str | None,
        body: bytes | Iterable[bytes] | None,
    ) -> Open:
        for _ in range(MOST_REDIRECTS + 1):
            here = split(url, call)
            sent = {"User-Agent": self._options.user_agent, "Accept-Encoding": "identity", **(headers or {})}
            if authorization:
                sent["Authorization"] = authorization
            request = Request(call, method, registry, here.netloc)
            response = self._one(request, url, sent, body)
            where = response.headers.get("location")
            if response.status not in _REDIRECTS or method not in ("GET", "HEAD") or not where:
                return Open(response, call, place(url), f"{here.scheme}://{here.netloc}")
            response.close()
            there = follow(url, where, call)
            if origin(split(there, call)) != origin(here):
                authorization = None
            url, call = there, call._replace(kind="redirect")
        raise RedirectRefused(call, f"more than {MOST_REDIRECTS} redirections in a row", "check the registry's address")

    def ask(self, call: Call, method: str, url: str, registry: str, *, limit: int, **more: Any) -> Answer:
        """As `open`, with the body read: at most `limit` bytes, or the beginning where the status is an error.

        Raises:
            RegistryError: as `open`, or the body is too long or broke off.
        """
        with self.open(call, method, url, registry, **more) as answer:
            body = answer.whole(limit) if answer.status < 400 else answer.beginning()
            return Answer(answer.status, answer.headers, body, answer.url)

    def close(self) -> None:
        """End every connection; the transport can be used again."""
        with self._lock:
            for manager in self._managers.values():
                manager.clear()

    def _one(
        self, request: Request, url: str, headers: Headers, body: bytes | Iterable[bytes] | None
    ) -> urllib3.BaseHTTPResponse:
        if self._before:
            self._before(request)
        self._counts.add(request.call.kind)
        try:
            response = self._manager(request, url.startswith("https")).urlopen(
                request.method,
                url,
                body=body,
                headers=dict(headers),
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self._options.connect, read=self._options.idle),
            )
        except FOREIGN as error:
            limits.drop()
            raise from_foreign(error, request.call) from None
        finally:
            limits.answer = None
        if self._seen:
            self._seen(request, response.status, {name.lower(): value for name, value in response.headers.items()})
        return response

    def _manager(self, request: Request, secure: bool) -> Manager:
        tls = self._options.tls_of(request.registry)
        own = hostname(request.host) == hostname(urlsplit(self._options.base(request.registry)).netloc)
        if not own:  # where a registry sends us is shown none of our certificates
            tls = Tls(ca_file=tls.ca_file)
        key = tls if secure else None
        with self._lock:
            if key not in self._managers:
                self._managers[key] = Manager(
                    num_pools=32,
                    maxsize=self._options.connections,
                    block=False,
                    ssl_context=context(tls) if secure else None,
                )
            return self._managers[key]
