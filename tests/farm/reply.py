"""What a worker would print, worked out from the script that it was sent: cheap, and easy to spoil."""

from __future__ import annotations

import re

from audit.wire.frames import posix_cksum


def names(script: bytes) -> list[str]:
    """The probes that a script runs, in its order."""
    return [name.decode() for name in re.findall(rb"^(?:if .*; then )?go ([a-z0-9-]+) ", script, re.M)]


def nonce(script: bytes) -> str:
    """What marks the sections."""
    found = re.match(rb"fa_nonce=(\w+) ", script)
    return found[1].decode() if found else ""


def section(mark: str, name: str, text: bytes, *, code: int = 0) -> bytes:
    """One whole section."""
    payload = text + b":%d" % code
    return f"\n{mark} O {name} 1.00 1.25 {len(payload)}\n".encode() + payload + f"\n{mark} C\n".encode()


def sections(script: bytes, text: bytes = b"hi\n") -> list[bytes]:
    """Hello, a section for every probe, and the count."""
    mark = f"FA{nonce(script)}"
    asked = names(script)
    return [
        f"\n{mark} H 1700000000.5\n".encode(),
        *(section(mark, name, text) for name in asked),
        f"\n{mark} N {len(asked)}\n".encode(),
    ]


def whole(script: bytes, parts: list[bytes]) -> bytes:
    """The parts and the end line that belongs to them."""
    data = b"".join(parts)
    return data + f"\nFA{nonce(script)} Z {posix_cksum(data)} {len(data)}\n".encode()
