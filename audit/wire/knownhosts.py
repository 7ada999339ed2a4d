"""A known_hosts file in which one host has a new key: written once, under a lock, the other lines as they were."""

from __future__ import annotations

import base64
import hmac
import os
import stat
from pathlib import Path

from audit.inplace import alone, replace


def replace_key(path: Path, name: str, kind: str, blob: bytes) -> None:
    """Let a host be known by this key alone.

    Lines of other hosts, comments, ``@revoked`` and ``@cert-authority`` stay byte for byte; so do patterns that cover
    the host among others. A line that names the host and others keeps the others. Twice changes nothing.

    Args:
        path: the file; made, with its folder, where it is missing. A symbolic link is followed.
        name: as known_hosts has it: ``web.example``, ``[web.example]:2222``.
        kind: of the key, e.g. ``ssh-ed25519``.
        blob: the key.

    Raises:
        OSError: it cannot be written; nothing has changed then.
    """
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(path.parent):
        try:
            seen = path.stat()
            old = path.read_bytes() if stat.S_ISREG(seen.st_mode) else b""
        except FileNotFoundError:
            old, seen = b"", None
        new = _with(old, name, f"{name} {kind} {base64.b64encode(blob).decode()}\n".encode())
        if new != old:
            replace(path, new, seen)


def append(path: Path, line: bytes) -> None:
    """Put a line at the end of the file, which is made, with its folder, where it is missing; OSError: it cannot be."""
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(path.parent):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def _with(old: bytes, name: str, line: bytes) -> bytes:
    kept = []
    wanted = line.split()[1:3]
    there = False
    for one in old.splitlines(keepends=True):
        words = one.split()
        if len(words) < 3 or words[0].startswith((b"#", b"@")):
            kept.append(one)
            continue
        names = _others(words[0], name)
        if names is None:
            kept.append(one)
        elif words[1:3] == wanted and not there:
            there = True
            kept.append(one)
        elif names:
            kept.append(one.replace(words[0], names, 1))
    text = b"".join(kept)
    if there:
        return text
    return text + (b"\n" if text and not text.endswith(b"\n") else b"") + line


def _others(names: bytes, name: str) -> bytes | None:
    """The names of a line without this one; None: it does not name it."""
    encoded = name.encode()
    if names.startswith(b"|1|"):
        try:
            salt, digest = (base64.b64decode(part, validate=True) for part in names.split(b"|")[2:4])
        except ValueError:
            return None
        return b"" if hmac.compare_digest(hmac.digest(salt, encoded, "sha1"), digest) else None
    listed = names.split(b",")
    left = [one for one in listed if one.lower() != encoded.lower()]
    return b",".join(left) if len(left) < len(listed) else None
