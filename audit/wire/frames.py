"""What the script prints, read back: sections between marker lines, and noise around them.

The stream of one worker, `M` being ``FA`` and the run's nonce::

    M H 1763942400.123456789          hello, with the worker's clock
    M O NAME STARTED ENDED LENGTH     a section: what a probe printed, then ``:`` and its exit status
    M C                               closes a section
    M E NAME LENGTH                   a section: what it printed on stderr, where it printed anything
    M C
    M N COUNT                         so many probes have run
    M Z CRC LENGTH                    the end: POSIX cksum of all lines and sections before

A marker line starts after a newline of its own. Whatever stands outside of sections is noise and is only counted.
A section is believed only if it is closed and its length holds; two sections of one name are not. At the end the
checksum is taken over what was understood: where it does not hold and no section is known to be the cause, none is
believed. A stream that was cut short has no checksum; its whole sections stand by their lengths and their nonce.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

STDOUT_CAP = 1 << 20
"""Bytes kept of one probe's stdout."""
STDERR_CAP = 16 << 10
"""Bytes kept of one probe's stderr, give or take a line."""
TAIL = 5
"""Room after the stdout for ``:`` and an exit status; the worker cuts at STDOUT_CAP + TAIL."""
TOTAL_CAP = 8 << 20
"""Bytes read of one worker in all."""

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def posix_cksum(data: bytes) -> int:
    """The CRC that the POSIX program ``cksum`` prints, at zlib's speed.

    POSIX shifts left with the polynomial 0x04C11DB7, zlib shifts right with its mirror image: so every byte is
    mirrored going in and the result is mirrored coming out. POSIX starts at 0 and appends the length.
    """
    length = len(data)
    tail = length.to_bytes((length.bit_length() + 7) // 8, "little")
    mirrored = (data + tail).translate(_REVERSED)
    # zlib starts with all ones before its own inversion; giving it all ones as "previous" makes that zero.
    crc = zlib.crc32(mirrored, 0xFFFFFFFF)
    return int(f"{crc ^ 0xFFFFFFFF:032b}"[::-1], 2) ^ 0xFFFFFFFF


@dataclass
class Section:
    """What one probe printed, verified or not.

    Attributes:
        stdout: without the exit status; None when it is not whole.
        stderr: likewise, None where there is none.
        exit: exit status; None when it was cut off.
        seconds: how long it ran by the worker's own clock.
        truncated: stdout was cut at the cap.
        fault: why it cannot be believed; empty when it can.
    """

    stdout: bytes | None = None
    stderr: bytes | None = None
    exit: int | None = None
    seconds: float = 0.0
    truncated: bool = False
    fault: str = ""


@dataclass
class Stream:
    """Everything that one worker's output held.

    Attributes:
        sections: by probe name.
        hello: the worker's clock as it printed it; None when the script did not start.
        count: how many probes the script says it has run; None when it did not come so far.
        ended: the end line came.
        noise: bytes outside of sections.
        outside: the first of that noise, for messages.
    """

    sections: dict[str, Section] = field(default_factory=dict)
    hello: str | None = None
    count: int | None = None
    ended: bool = False
    noise: int = 0
    outside: bytes = b""


def marker(nonce: str) -> bytes:
    """What every marker line of a run starts with."""
    return b"FA" + nonce.encode() + b" "


def ended(data: bytes | bytearray, nonce: str, start: int = 0) -> bool:
    """Whether the end line stands whole in `data` at or after `start`."""
    at = data.find(b"\n" + marker(nonce) + b"Z ", start)
    return at >= 0 and data.find(b"\n", at + 1) >= 0


def parse(data: bytes, nonce: str) -> Stream:
    """Read a worker's whole output. Linear; never raises, whatever it holds."""
    stream = Stream()
    begin = b"\n" + marker(nonce)
    pieces = (b"\n" + data).split(begin)
    outside = [pieces[0][1:]]
    understood: list[bytes] = []
    opened: tuple[str, list[str], bytes] | None = None
    sums: list[str] = []
    for piece in pieces[1:]:
        line, newline, rest = piece.partition(b"\n")
        kind, *words = line.decode("ascii", "replace").split() or [""]
        if opened is not None:
            if kind == "C":
                payload = _close(stream, opened)
                understood += [
                    begin,
                    b" ".join([opened[0].encode(), *(word.encode() for word in opened[1])]),
                    b"\n",
                    payload,
                ]
            else:
                _fault(stream, opened, "its section was cut off")
            opened = None
        if kind in ("O", "E") and words and newline:
            opened = (kind, words, rest)
            continue
        if kind == "H" and words and newline:
            stream.hello = words[0]
        elif kind == "N" and newline:
            stream.count = int(words[0]) if words and words[0].isdecimal() and len(words[0]) < 6 else None
        elif kind == "Z" and newline:
            stream.ended, sums = True, words
        elif kind != "C":
            outside.append(line)
        if kind in ("H", "N", "C"):
            understood += [begin, line.rstrip(b"\r"), b"\n"]
        if rest.strip():
            outside.append(rest)
    if opened is not None:
        _fault(stream, opened, "its section was cut off")
    _verify(stream, b"".join(understood), sums)
    stream.noise = sum(map(len, outside))
    stream.outside = next((part for part in outside if part.strip()), b"")[:1000]
    return stream


def _fault(stream: Stream, opened: tuple[str, list[str], bytes], fault: str) -> None:
    section = stream.sections.setdefault(opened[1][0], Section())
    section.fault = section.fault or fault


def _close(stream: Stream, opened: tuple[str, list[str], bytes]) -> bytes:
    kind, (name, *words), payload = opened
    length = words[-1] if words else ""
    if not _holds(payload, length):
        # a terminal in between; the length tells whether that was all
        mended = (payload + b"\n").replace(b"\r\n", b"\n")[:-1]
        if not _holds(mended, length):
            _fault(stream, opened, "its length does not hold")
            return payload
        payload = mended
    section = stream.sections.setdefault(name, Section())
    if (section.stdout if kind == "O" else section.stderr) is not None:
        section.fault = "two sections carry its name"
    elif kind == "E":
        section.stderr = payload
    else:
        _stdout(section, payload, words[:-1])
    return payload


def _stdout(section: Section, payload: bytes, times: list[str]) -> None:
    out, colon, status = payload.rpartition(b":")
    section.truncated = len(payload) >= STDOUT_CAP + TAIL or len(out) > STDOUT_CAP
    if section.truncated:
        section.stdout = payload[:STDOUT_CAP]
    elif colon and status.isdigit() and len(status) <= 3:
        section.stdout, section.exit = out, int(status)
    else:
        section.stdout, section.fault = payload, "its exit status is missing"
    try:
        began, now = (float(word) for word in times)
        section.seconds = min(max(0.0, round(now - began, 2)), 86400.0)
    except ValueError:
        section.seconds = 0.0


def _holds(payload: bytes, length: str) -> bool:
    """The length is in bytes, or in characters where the worker's shell cannot be brought to count bytes."""
    return length == str(len(payload)) or (
        length.isdecimal() and int(length[:9]) < len(payload) and length == str(len(payload.decode("utf-8", "replace")))
    )


def _verify(stream: Stream, understood: bytes, sums: list[str]) -> None:
    """Hold what was understood against the checksum, where one came."""
    if not stream.ended or sums == ["-"] or sums[:2] == [str(posix_cksum(understood)), str(len(understood))]:
        return
    if any(section.fault for section in stream.sections.values()):
        return  # that one is the cause; the others stand by their lengths
    for section in stream.sections.values():
        section.fault = "the checksum of the whole output does not hold"
