"""The contexts that a probe builds from, as tar archives (POSIX ustar, IEEE 1003.1 pax): the same bytes every time."""

from __future__ import annotations

from collections.abc import Mapping

BLOCK = 512


def archive(files: Mapping[str, bytes]) -> bytes:
    """Files of mode 644, owned by root, of the time 0, in the order given.

    Args:
        files: name (ASCII, at most 100 characters) -> content.
    """
    parts = []
    for name, content in files.items():
        parts += [_header(name, len(content)), content, bytes(-len(content) % BLOCK)]
    return b"".join(parts) + bytes(2 * BLOCK)


def _header(name: str, size: int) -> bytes:
    fields = (
        name.encode("ascii").ljust(100, b"\0"),
        b"0000644\0",  # mode
        b"0000000\0",  # uid
        b"0000000\0",  # gid
        b"%011o\0" % size,
        b"%011o\0" % 0,  # time
        b" " * 8,  # the checksum counts as blanks
        b"0",  # an ordinary file
        bytes(100),
        b"ustar\x0000",
        b"root".ljust(32, b"\0"),
        b"root".ljust(32, b"\0"),
        bytes(16),
        bytes(155),
        bytes(12),
    )
    header = b"".join(fields)
    return header.replace(b" " * 8, b"%06o\0 " % sum(header), 1)


def dockerfile_name(nonce: str) -> str:
    """Of every Dockerfile of a run: by it buildx's own notes of our builds are found and removed."""
    return f"fleet-audit-{nonce}.Dockerfile"


def image_context(nonce: str, label: str) -> bytes:
    """A two-layer image. The label stands first, so that what the legacy builder leaves half-way carries it too."""
    lines = (
        "FROM scratch",
        f"LABEL {label}={nonce}",
        f"COPY one /fleet-audit-{nonce}-1",
        f"COPY two /fleet-audit-{nonce}-2",
    )
    text = "\n".join((*lines, "")).encode()
    return archive({dockerfile_name(nonce): text, "one": f"1 {nonce}\n".encode(), "two": f"2 {nonce}\n".encode()})


def link_context(nonce: str, label: str) -> bytes:
    """An image that copies with --link and a user's name; its base has that user and its group."""
    folder = f"fleet-audit-{nonce}"
    lines = (
        "FROM scratch AS base",
        f"LABEL {label}={nonce}",
        f"COPY {folder} /etc/",
        "FROM base",
        f"COPY --link --chown=probe {folder}/passwd /{folder}-3",
    )
    text = "\n".join((*lines, "")).encode()
    passwd = b"root:x:0:0:root:/:/\nprobe:x:1000:1000:" + nonce.encode() + b":/:/\n"
    group = b"root:x:0:\nprobe:x:1000:\n"
    return archive({dockerfile_name(nonce): text, f"{folder}/passwd": passwd, f"{folder}/group": group})
