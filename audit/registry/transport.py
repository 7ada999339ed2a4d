"""HTTP to registries over urllib3: TLS, limits in bytes and seconds, redirections that carry no credentials away.

One request in, one answer out, whatever its status; who we are and what an answer means is decided elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import urllib3  # noqa: TID251 - this is the room that the ban points to

from audit.registry._said import place
from audit.registry._sockets import RUDE, Manager, context, limits
from audit.registry.failures import Call, Headers, RedirectRefused, RegistryError, TooLong
from audit.registry.foreign import FOREIGN, from_foreign
from audit.registry.ledger import Books
from audit.registry.options import Options, Tls
from audit.registry.urls import follow, hostname, origin, split

if TYPE_CHECKING:
    from audit.registry.pace import Limiter

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
        account: as whom; empty: as nobody.
        login: it shows a password, or asks for a token.
        sent: moment that a limiter granted it at, by that one's clock.
    """

    call: Call
    method: str
    registry: str
    host: str
    account: str = ""
    login: bool = False
    sent: float = 0.0


class Answer(NamedTuple):
    """A whole answer.

    Attributes:
        status: HTTP status.
        headers: by name in lower case; several of one name are joined by commas.
        body: its bytes.
        url: where it came from at last, without a query.
        request: what it answers.
    """

    status: int
    headers: Headers
    body: bytes
    url: str
    request: Request


class Open:
    """An answer whose body is still to be read; `close` it, or use it as a context."""

    def __init__(
        self,
        response: urllib3.BaseHTTPResponse,
        request: Request,
        url: str,
        origin: str,
        broke: Callable[[Request, RegistryError], None],
    ) -> None:
        """Keep the connection until closed; `broke` is told where the body ends too early."""
        self._response, self._broke = response, broke
        self.request, self.call, self.url, self.origin = request, request.call, url, origin
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
            made = from_foreign(error, self.call)
            self._broke(self.request, made)
            raise made from None
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
        """As much of the body as can be had soon, for a message; never fails."""
        parts, left = [], limit
        if (answer := getattr(self._response, "_original_response", None)) is not None:
            answer.hurry(RUDE)  # an error's words come with its head, or are not worth a wait
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
        books: where requests, waits and errors are booked.
        before: called before every single request; may wait, or raise to prevent it.
        seen: called with every answer's status and headers, redirections too.
        limiter: asked before every single request, and told how each one went.
    """

    def __init__(
        self,
        options: Options,
        books: Books,
        before: Callable[[Request], None] | None = None,
        seen: Callable[[Request, int, Headers], None] | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        """Nothing is connected yet."""
        self._options, self._books, self._before, self._seen = options, books, before, seen
        self._limiter = limiter
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
        account: str = "",
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
            seconds: limit for the whole answer, the limiter's waits not counted; None for `Options.answer`.
            account: as whom, for the limiter.

        Raises:
            RegistryError: there is no answer, or a redirection that is not followed; or the limiter lets it not go.
        """
        login = call.kind == "token" or (authorization or "").startswith("Basic ")
        request = Request(call, method, registry, "", account, login)
        with limits.of(time.monotonic() + (seconds or self._options.answer), self._options.idle):
            return self._follow(request, url, headers, authorization, body)

    def failed(self, request: Request, error: RegistryError) -> None:
        """Tell the ledgers and the limiter how a request ended; an answer's error is known to who reads it only."""
        self._books.failed(error)
        if self._limiter:
            self._limiter.failed(request, error)

    def _follow(
        self,
        request: Request,
        url: str,
        headers: Headers | None,
        authorization: str | None,
        body: bytes | Iterable[bytes] | None,
    ) -> Open:
        method = request.method
        for _ in range(MOST_REDIRECTS + 1):
            call = request.call
            here = split(url, call)
            sent = {"User-Agent": self._options.user_agent, "Accept-Encoding": "identity", **(headers or {})}
            if authorization:
                sent["Authorization"] = authorization
            request, response = self._one(request._replace(host=here.netloc), url, sent, body)
            where = response.headers.get("location")
            if response.status not in _REDIRECTS or method not in ("GET", "HEAD") or not where:
                return Open(response, request, place(url), f"{here.scheme}://{here.netloc}", self.failed)
            response.close()
            there = follow(url, where, call)
            if origin(split(there, call)) != origin(here):
                authorization = None
                request = request._replace(login=False)
            url, request = there, request._replace(call=call._replace(kind="redirect"))
        raise RedirectRefused(
            request.call, f"more than {MOST_REDIRECTS} redirections in a row", "check the registry's address"
        )

    def ask(self, call: Call, method: str, url: str, registry: str, *, limit: int, **more: Any) -> Answer:
        """As `open`, with the body read: at most `limit` bytes, or the beginning where the status is an error.

        Raises:
            RegistryError: as `open`, or the body is too long or broke off.
        """
        with self.open(call, method, url, registry, **more) as answer:
            body = answer.whole(limit) if answer.status < 400 else answer.beginning()
            return Answer(answer.status, answer.headers, body, answer.url, answer.request)

    def close(self) -> None:
        """End every connection; the transport can be used again."""
        with self._lock:
            for manager in self._managers.values():
                manager.clear()

    def _one(
        self, request: Request, url: str, headers: Headers, body: bytes | Iterable[bytes] | None
    ) -> tuple[Request, urllib3.BaseHTTPResponse]:
        began = time.monotonic()
        if self._before:
            self._before(request)
        if self._limiter:
            request = request._replace(sent=self._limiter.before(request, self._books.waited))
        limits.until += time.monotonic() - began  # the answer has all its time, however long it was waited for
        self._books.request(request.call.kind)
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
            made = from_foreign(error, request.call)
            self.failed(request, made)
            raise made from None
        finally:
            limits.answer = None
        if response.status == 200 and request.call.kind == "GET manifest":
            self._books.pull()
        if self._seen or self._limiter:
            got = {name.lower(): value for name, value in response.headers.items()}
            if self._seen:
                self._seen(request, response.status, got)
            if self._limiter:
                self._limiter.seen(request, response.status, got)
        return request, response

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
