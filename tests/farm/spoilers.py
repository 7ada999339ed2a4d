"""Every way in which a registry of the farm misbehaves: each gives a function that answers instead of it."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from tests.farm.registry import Handler, Spoiler

_CHUNK = 65536


def answers(status: int, body: bytes | str = b"", **headers: str) -> Spoiler:
    """Always the same answer; a header's ``_`` stands for ``-``."""
    raw = body.encode() if isinstance(body, str) else body
    return lambda handler: handler.reply(
        status, raw, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def fails(status: int, code: str, message: str, detail: Any = None) -> Spoiler:
    """An error in the protocol's shape."""
    row = {"code": code, "message": message, "detail": detail}
    return answers(status, json.dumps({"errors": [row]}), Content_Type="application/json")


def raw(data: bytes, *, pause: float = 0.0) -> Spoiler:
    """These bytes instead of an answer, byte by byte with a pause where there is one; then the line is closed."""

    def spoil(handler: Handler) -> None:
        handler.close_connection = True
        for part in [data] if not pause else [bytes([byte]) for byte in data]:
            handler.wfile.write(part)
            time.sleep(pause)

    return spoil


def drips(head: bytes, drop: bytes = b"x", *, pause: float = 0.05) -> Spoiler:
    """A beginning, and then a drop (or nothing) now and then, far longer than anybody should wait."""

    def spoil(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(head)
        for _ in range(200):
            handler.wfile.write(drop)
            time.sleep(pause)

    return spoil


def endless(status: int = 200, **headers: str) -> Spoiler:
    """A body without an end."""

    def spoil(handler: Handler) -> None:
        handler.close_connection = True
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        for _ in itertools.repeat(None, 4096):  # 256 MiB would be noticed
            handler.wfile.write(b"x" * _CHUNK)

    return spoil


def breaks(after: int, of: int, *, reset: bool = False, **headers: str) -> Spoiler:
    """So many bytes of a body that should have more."""

    def spoil(handler: Handler) -> None:
        handler.close_connection = True
        handler.send_response(200)
        for name, value in {"Content-Length": str(of), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(b"x" * after)
        if reset:
            handler.reset()

    return spoil


def hangs_up(handler: Handler) -> None:
    """No answer at all."""
    handler.close_connection = True
