"""Addresses that servers name: taken apart with care, and followed only where nothing is given away."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urljoin, urlsplit

from audit.registry._said import place
from audit.registry.failures import Call, Garbled, RedirectRefused

_URL = re.compile(r"[\x21-\x7e]+")


def split(url: str, call: Call) -> SplitResult:
    """The parts of an absolute URL.

    Raises:
        Garbled: it is none, or holds a user name.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        parts = None
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or "@" in parts.netloc
        or not _URL.fullmatch(url)
    ):
        raise Garbled(call, "the server names an address that is none", "check what answers there")
    return parts


def follow(url: str, where: str, call: Call) -> str:
    """Where an answer sends us, as an absolute URL.

    Raises:
        RedirectRefused: it would leave TLS.
        Garbled: it is no address.
    """
    try:
        there = urljoin(url, where)
    except ValueError:
        there = ""
    parts = split(there, call)
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        raise RedirectRefused(
            call, f"it sends us from https to {place(there)}", "have the registry's own address corrected"
        )
    return parts._replace(fragment="").geturl()


def same_origin(one: str, other: str) -> bool:
    """Whether two absolute URLs are of one scheme, host and port: then they may see the same credentials."""
    return origin(urlsplit(one)) == origin(urlsplit(other))


def hostname(netloc: str) -> str:
    """Without the port."""
    return (urlsplit(f"//{netloc}").hostname or "").lower()


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port."""
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default
