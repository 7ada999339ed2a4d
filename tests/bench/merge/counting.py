"""A TLS front that counts: what a client asks of a registry and of its token server, by kind, and what it moves.

It ends TLS and passes every request on to a registry that speaks http, so that what is counted is what came over the
network, whoever sent it. Tokens are signed here as the lab's token server signs them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import re
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.lab.tokens import Signer, granted

_PIECE = 1 << 16
_NAME = re.compile(r"/v2/(?P<repository>.+)/(?P<what>manifests|blobs|referrers|tags)/(?P<rest>.*)")


@dataclass
class Tally:
    """What was asked since the last `clear`.

    Attributes:
        by_kind: requests by kind, tokens and pings too.
        refused: how many of them were answered 401.
        connections: TCP connections that sent at least one request, to registry and token server.
        config_bytes: bytes of configs read; a merge may have to, to learn a platform.
        blob_bytes: bytes of all other blobs read, and of every blob sent.
        configs: digests of the blobs that are configs.
    """

    by_kind: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    connections: int = 0
    config_bytes: int = 0
    blob_bytes: int = 0
    configs: set[str] = field(default_factory=set)

    def clear(self) -> None:
        """Begin anew; what is known of blobs stays."""
        self.by_kind.clear()
        self.refused = self.connections = self.config_bytes = self.blob_bytes = 0


class _Head(NamedTuple):
    """First line and headers of a message; names in lower case."""

    raw: bytes
    line: str
    headers: dict[str, str]

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> _Head:
        raw = await reader.readuntil(b"\r\n\r\n")
        line, *rows = raw.decode("latin-1").split("\r\n")
        pairs = (row.partition(":") for row in rows if row)
        return cls(raw, line, {name.lower(): value.strip() for name, _, value in pairs})

    @property
    def last(self) -> bool:
        """Whether the sender closes after this message."""
        return self.headers.get("connection", "").lower() == "close"


def kind_of(method: str, target: str, configs: set[str]) -> str:
    """What a request is, in the words that `audit.registry` uses for its own."""
    url = urlsplit(target)
    if url.path in ("/v2", "/v2/"):
        return "ping"
    found = _NAME.fullmatch(url.path)
    if found is None:
        return f"{method} {url.path}"
    if found["what"] != "blobs":
        return f"{method} {found['what'].removesuffix('s') if found['what'] == 'manifests' else found['what']}"
    if not found["rest"].startswith("uploads/"):
        return f"{method} {'config' if method == 'GET' and found['rest'] in configs else 'blob'}"
    return "POST mount" if method == "POST" and "mount" in parse_qs(url.query) else f"{method} upload"


class Front:
    """Counts and passes on."""

    def __init__(self, tally: Tally, upstream: tuple[str, int], signer: Signer, accounts: dict[str, str]) -> None:
        """`upstream` is the registry, which speaks http."""
        self.tally = tally
        self._upstream = upstream
        self._signer = signer
        self._accounts = accounts

    async def registry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client to the registry."""
        up: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        first = True
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                head = await _Head.read(reader)
                self.tally.connections += first
                first = False
                method, target, _ = head.line.split(" ")
                kind = kind_of(method, target, self.tally.configs)
                self.tally.by_kind[kind] += 1
                up = up or await asyncio.open_connection(*self._upstream)
                up[1].write(head.raw[:-2] + b"X-Forwarded-Proto: https\r\n\r\n")
                sent = await _body(reader, up[1], head)
                await up[1].drain()
                answer = await _Head.read(up[0])
                status = int(answer.line.split(" ")[1])
                writer.write(answer.raw)
                empty = method == "HEAD" or status in (204, 304)
                got = 0 if empty else await _body(up[0], writer, answer)
                await writer.drain()
                self._moved(kind, status, sent, got)
                if head.last or answer.last:
                    break
        for one in (writer, *(up[1:] if up else ())):
            one.close()

    def _moved(self, kind: str, status: int, sent: int, got: int) -> None:
        self.tally.refused += status == 401
        if kind == "GET config":
            self.tally.config_bytes += got if status == 200 else 0
        elif kind == "GET blob":
            self.tally.blob_bytes += got if status == 200 else 0
        elif kind.endswith(" upload"):
            self.tally.blob_bytes += sent

    async def tokens(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client to the token server."""
        first = True
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                head = await _Head.read(reader)
                self.tally.connections += first
                first = False
                length = min(int(head.headers.get("content-length") or 0), _PIECE)
                form = parse_qs((await reader.readexactly(length)).decode())
                method, target, _ = head.line.split(" ")
                self.tally.by_kind["token"] += 1
                query = form if method == "POST" else parse_qs(urlsplit(target).query)
                user, password = _basic(head) if method != "POST" else (_one(form, "username"), _one(form, "password"))
                raw = self._token(user, password, query)
                status = "200 OK" if raw else "401 Unauthorized"
                self.tally.refused += not raw
                more = f"Content-Type: application/json\r\nContent-Length: {len(raw)}"
                writer.write(f"HTTP/1.1 {status}\r\n{more}\r\n\r\n".encode() + raw)
                await writer.drain()
                if head.last:
                    break
        writer.close()

    def _token(self, user: str, password: str, query: dict[str, list[str]]) -> bytes:
        if not password or self._accounts.get(user) != password:
            return b""
        token = self._signer.token(user, _one(query, "service"), granted(user, query.get("scope", [])))
        return json.dumps({"token": token, "access_token": token, "expires_in": self._signer.seconds}).encode()


async def _body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: _Head) -> int:
    """Pass a message's body on; its bytes."""
    moved = 0
    if "chunked" in head.headers.get("transfer-encoding", "").lower():
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            writer.write(line + await reader.readexactly(size + 2))
            await writer.drain()
            moved += size
            if size == 0:
                return moved
    left = int(head.headers.get("content-length") or 0)
    while left > 0:
        piece = await reader.readexactly(min(left, _PIECE))
        writer.write(piece)
        await writer.drain()
        left -= len(piece)
        moved += len(piece)
    return moved


def _basic(head: _Head) -> tuple[str, str]:
    kind, _, encoded = head.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _one(query: dict[str, list[str]], key: str) -> str:
    return query.get(key, [""])[0]


@contextlib.contextmanager
def fronting(front: Front, tls: ssl.SSLContext, registry: tuple[str, int], tokens: tuple[str, int]) -> Iterator[None]:
    """Listen at both addresses, in a thread of this process."""
    loop = asyncio.new_event_loop()
    places = ((front.registry, registry), (front.tokens, tokens))
    servers = [
        loop.run_until_complete(asyncio.start_server(serve, *place, ssl=tls, limit=1 << 20, backlog=256))
        for serve, place in places
    ]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        for server in servers:
            loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        with contextlib.suppress(RuntimeError):
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()
