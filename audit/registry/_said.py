"""What a registry said, made fit for a message: without secrets, on one line, printable, short."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

MASK = "***"
_SHOWN = 300

_LOOKS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}"), MASK),  # a JSON Web Token
    (re.compile(r"(?<=://)[^/\s@]{1,500}@"), f"{MASK}@"),
    (
        re.compile(
            r"(?i)([\w.-]{0,40}(?:token|password|passwd|secret|signature|credential|x-amz-\w{1,20}|\bsig)"
            r"[\w-]{0,40}[\"']?\s{0,3}[=:]\s{0,3}[\"']?)(?!(?:bearer|basic)\b)[^\s\"'&,;]{3,}"
        ),
        rf"\1{MASK}",
    ),
)


def one_line(text: str, secrets: Iterable[str] = (), limit: int = _SHOWN) -> str:
    """At most `limit` printable characters on one line, without the secrets and without what looks like one."""
    text = text[: 8 * limit]
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    for look, by in _LOOKS:
        text = look.sub(by, text)
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def place(url: str) -> str:
    """Scheme, host and path of a URL: what may stand in a message (a query may hold a signature)."""
    try:
        parts = urlsplit(url)
        return one_line(f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}")
    except ValueError:
        return "an address that cannot be read"
