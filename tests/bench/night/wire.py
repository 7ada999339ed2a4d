"""HTTP/1.1 as bytes, as far as a proxy between a client and a registry needs it."""

from __future__ import annotations

import asyncio
import http
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import NamedTuple

LIMIT = 1 << 20


class Head(NamedTuple):
    """First line and headers of a message; names in lower case."""

    line: str
    headers: dict[str, str]

    @property
    def last(self) -> bool:
        """Whether the sender closes after this message."""
        return self.headers.get("connection", "").lower() == "close"

    @property
    def length(self) -> int:
        """Bytes of the body that it announces."""
        return int(self.headers.get("content-length") or 0)


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The next one.

    Raises:
        asyncio.IncompleteReadError: the other side has nothing more to say.
    """
    line, *rows = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (row.partition(":") for row in rows if row)
    return Head(line, {name.lower(): value.strip() for name, _, value in pairs})


async def read_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    """The whole of it, whichever way it is delimited."""
    if "chunked" not in head.headers.get("transfer-encoding", "").lower():
        return await reader.readexactly(head.length) if head.length else b""
    pieces = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    await reader.readuntil(b"\r\n")
    return b"".join(pieces)


def answer(status: int, headers: Mapping[str, str], body: bytes = b"", *, length: int | None = None) -> bytes:
    """A whole answer; `length` where the body is left out, as after a HEAD."""
    reason = http.HTTPStatus(status).phrase
    size = len(body) if length is None else length
    rows = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    if status != http.HTTPStatus.NO_CONTENT:
        rows.append(f"Content-Length: {size}")
    return "\r\n".join([*rows, "", ""]).encode("latin-1") + body


def reset(writer: asyncio.StreamWriter) -> None:
    """Hang up with a TCP reset, once what was written has gone."""
    found = writer.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Pool:
    """Connections to the registry behind, kept alive."""

    def __init__(self, address: str, tls: ssl.SSLContext | None) -> None:
        """Nothing is connected yet."""
        host, _, port = address.rpartition(":")
        self._to = host, int(port)
        self._tls = tls
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes, int]:
        """One exchange: status, headers, body, and the length that the headers say.

        Raises:
            OSError, asyncio.IncompleteReadError: the registry hung up on a fresh connection, too.
        """
        rows = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if body or method in ("POST", "PUT", "PATCH"):
            rows.append(f"Content-Length: {len(body)}")
        raw = "\r\n".join([*rows, "", ""]).encode("latin-1") + body
        while True:
            kept = bool(self._idle)
            reader, writer = (
                self._idle.pop() if kept else await asyncio.open_connection(*self._to, ssl=self._tls, limit=LIMIT)
            )
            try:
                writer.write(raw)
                head = await read_head(reader)
                status = int(head.line.split(" ")[1])
                empty = method == "HEAD" or status in (204, 304)
                got = b"" if empty else await read_body(reader, head)
            except (OSError, asyncio.IncompleteReadError):
                writer.close()
                if kept:  # it was closed while nobody used it
                    continue
                raise
            if head.last:
                writer.close()
            else:
                self._idle.append((reader, writer))
            return status, head.headers, got, head.length if method == "HEAD" else len(got)

    def close(self) -> None:
        """End them."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()
