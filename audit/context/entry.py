"""One entry of the tar, and its header.

GNU's format: names are raw bytes of any length and files of any size, without the extended headers that would be a
second spelling of the same. Docker reads it (Go's `archive/tar`), and so does everything else.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

BLOCK = 512
FILE, LINK, SYMLINK, CHARACTER, BLOCKWISE, FOLDER, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
"""Tar's type flags; LINK is a hard one, CHARACTER and BLOCKWISE are devices."""
END = bytes(2 * BLOCK)

_LONG_NAME, _LONG_LINK = b"L", b"K"
_FIELD = 100
_OCTAL_LIMIT = 8**11
_ROOT = b"0000000\0"
"""User and group are 0 for whoever sends it, as docker makes them."""


class Entry(NamedTuple):
    """What one name in a context is.

    Attributes:
        path: from the root, raw, without a slash at the end.
        kind: tar's type flag.
        mode: permission bits with setuid, setgid and sticky.
        size: bytes of content; 0 for all but files.
        time: seconds since 1970, whole.
        target: where a link leads: anywhere for a symbolic one, to an earlier entry's path for a hard one.
        device: major and minor number.
        state: what a file must still be when it is read: (size, modification time in ns, inode).
    """

    path: bytes
    kind: bytes
    mode: int
    size: int = 0
    time: int = 0
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    state: tuple[int, int, int] = (0, 0, 0)

    @property
    def name(self) -> bytes:
        """As the tar has it: folders end with a slash."""
        return self.path + b"/" if self.kind == FOLDER else self.path

    @property
    def plain(self) -> bool:
        """Whether one block tells it all."""
        return len(self.name) <= _FIELD and len(self.target) <= _FIELD

    def header(self) -> bytes:
        """Whole blocks that go before the content."""
        name = self.name
        block = _block(name, self.kind, self.mode, self.size, self.time, self.target, self.device)
        if len(name) > _FIELD:
            block = _long(_LONG_NAME, name) + block
        if len(self.target) > _FIELD:
            block = _long(_LONG_LINK, self.target) + block
        return block


def padding(size: int) -> bytes:
    """What fills the last block of a content."""
    return bytes(-size % BLOCK)


def _long(kind: bytes, value: bytes) -> bytes:
    content = value + b"\0"
    return _block(b"././@LongLink", kind, 0, len(content), 0) + content + padding(len(content))


def _block(
    name: bytes, kind: bytes, mode: int, size: int, time: int, target: bytes = b"", device: tuple[int, int] = (0, 0)
) -> bytes:
    head = b"%b%07o\x00%b%b%b%b" % (
        name[:_FIELD].ljust(_FIELD, b"\0"),
        mode,
        _ROOT,
        _ROOT,
        _number(size),
        _number(time),
    )
    tail, sum_of_tail = _tail(kind, target, device)
    # The sum is taken with spaces in its own place.
    return b"%b%06o\x00 %b" % (head, sum(head) + sum_of_tail + 8 * 32, tail)


@lru_cache(maxsize=64)
def _tail(kind: bytes, target: bytes, device: tuple[int, int]) -> tuple[bytes, int]:
    """What is behind the sum, and the sum of it: the same for nearly all."""
    tail = b"%b%bustar  \x00%b%07o\x00%07o\x00%b" % (
        kind,
        target[:_FIELD].ljust(_FIELD, b"\0"),
        bytes(64),
        *device,
        bytes(167),
    )
    return tail, sum(tail)


def _number(value: int) -> bytes:
    """Twelve bytes: octal, or binary with a mark where that does not do."""
    if 0 <= value < _OCTAL_LIMIT:
        return b"%011o\x00" % value
    return (value % (1 << 96) | 1 << 95).to_bytes(12, "big")
