"""Every way to misbehave that the wire is tested against, by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncssh

from tests.farm import reply
from tests.farm.servers import Behaviour, Exec, Raw

Process = asyncssh.SSHServerProcess[bytes]


def says(make: Callable[[bytes], bytes], *, then: str = "exit") -> Exec:
    """Print what `make` makes of the script; then ``exit``, ``hang`` or end by ``signal``."""

    async def run(process: Process, script: bytes) -> None:
        process.stdout.write(make(script))
        if then == "hang":
            await asyncio.sleep(3600)
        elif then == "signal":
            process.exit_with_signal("KILL")
        else:
            process.exit(0)

    return run


def answers(script: bytes) -> bytes:
    """As a worker should."""
    return reply.whole(script, reply.sections(script))


def _spoilt(spoil: Callable[[bytes, list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda script: reply.whole(script, spoil(script, reply.sections(script)))


async def _endless_output(process: Process, script: bytes) -> None:
    for _ in range(1600):
        process.stdout.write(b"x" * 65536)
        await process.stdout.drain()
    process.exit(0)


async def _drip(process: Process, script: bytes) -> None:
    for byte in answers(script):
        process.stdout.write(bytes([byte]))
        await asyncio.sleep(1)


async def _hang(process: Process, script: bytes) -> None:
    await asyncio.sleep(3600)


async def _no_shell(process: Process, script: bytes) -> None:
    process.stderr.write(b"This account is currently not available.\n")
    process.exit(1)


async def _lost(process: Process, script: bytes) -> None:
    process.stdout.write(answers(script)[:200])
    await process.stdout.drain()
    process.channel.get_connection().abort()


def _raw(*parts: bytes, pause: float = 0.0, wait: bool = False, hang: bool = False, again: bool = False) -> Raw:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wait:
            await reader.readline()
        while True:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            if not again:
                break
        while hang and await reader.read(65536):
            pass

    return serve


def _cut(script: bytes) -> bytes:
    data = answers(script)
    return data[: data.rindex(b" O ") + 20]


def _flip(script: bytes) -> bytes:
    return answers(script).replace(b"\nhi\n", b"\nho\n", 1)


HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

BEHAVIOURS: dict[str, Behaviour] = {
    # ---- before there is a connection to speak of
    "silent": Behaviour(raw=_raw(hang=True)),
    "one-byte-a-second": Behaviour(raw=_raw(*(bytes([byte]) for byte in b"SSH-2.0-slow" * 40), pause=1)),
    "endless-banner": Behaviour(raw=_raw(b"welcome\r\n", again=True)),
    "slow-banner": Behaviour(raw=_raw(b"welcome\r\n", again=True, pause=0.5)),
    "banner-then-silence": Behaviour(raw=_raw(b"SSH-2.0-OpenSSH_9.9\r\n", hang=True)),
    "garbled-key-exchange": Behaviour(raw=_raw(b"SSH-2.0-OpenSSH_9.9\r\n", b"\0\0\0\x0c\x0a" + b"x" * 60, hang=True)),
    "giant-packet": Behaviour(raw=_raw(b"SSH-2.0-OpenSSH_9.9\r\n", b"\xff\xff\xff\xff" * 20, hang=True)),
    "http": Behaviour(raw=_raw(HTTP, wait=True)),
    "immediate-close": Behaviour(raw=_raw()),
    "max-startups": Behaviour(raw=_raw(b"Exceeded MaxStartups\r\n")),
    "old-protocol": Behaviour(raw=_raw(b"SSH-1.5-ancient\r\n", hang=True)),
    # ---- host keys and logins
    "reset-after-key-exchange": Behaviour(login="reset"),
    "key-unknown": Behaviour(known="no"),
    "key-changed": Behaviour(known="other"),
    "key-revoked": Behaviour(known="revoked"),
    "key-by-authority": Behaviour(known="authority"),
    "login-refused": Behaviour(login="no"),
    "login-by-password-only": Behaviour(login="password"),
    "login-hangs": Behaviour(login="never"),
    "no-key": Behaviour(host={"key_file": "/nowhere/key", "ssh_args": ("-F", "none", "-o", "IdentitiesOnly=yes")}),
    # ---- while the script runs
    "good": Behaviour(run=says(answers)),
    "refuses-to-run": Behaviour(run=None),
    "no-shell": Behaviour(run=_no_shell),
    "hang-in-exec": Behaviour(run=_hang),
    "hang-after-eof": Behaviour(run=says(answers, then="hang")),
    "output-one-byte-a-second": Behaviour(run=_drip),
    "exit-by-signal": Behaviour(run=says(lambda script: reply.sections(script)[0], then="signal")),
    "connection-lost": Behaviour(run=_lost),
    "prints-nothing": Behaviour(run=says(lambda script: b"")),
    "100-mb": Behaviour(run=_endless_output),
    "huge-line": Behaviour(run=says(lambda script: b"a" * 3_000_000 + answers(script))),
    "motd-and-wall": Behaviour(
        run=says(lambda script: b"Welcome to Debian!\r\n\r\n" + answers(script) + b"\nBroadcast message: lunch\n")
    ),
    "noise-between": Behaviour(
        run=says(_spoilt(lambda script, parts: parts)),
    ),
    "crlf": Behaviour(run=says(lambda script: answers(script).replace(b"\n", b"\r\n"))),
    "cut-frame": Behaviour(run=says(_cut)),
    "cut-then-hang": Behaviour(run=says(_cut, then="hang")),
    "wrong-nonce": Behaviour(run=says(lambda script: answers(script).replace(reply.nonce(script).encode(), b"f" * 32))),
    "doubled-frame": Behaviour(run=says(_spoilt(lambda script, parts: [*parts[:2], parts[1], *parts[2:]]))),
    "missing-frame": Behaviour(run=says(_spoilt(lambda script, parts: [parts[0], *parts[2:]]))),
    "changed-byte": Behaviour(run=says(_flip)),
    "invalid-utf-8": Behaviour(run=says(lambda script: reply.whole(script, reply.sections(script, b"\xff\xfe\x80")))),
    "nul": Behaviour(run=says(lambda script: reply.whole(script, reply.sections(script, b"a\0b")))),
    "escapes": Behaviour(run=says(lambda script: reply.whole(script, reply.sections(script, b"\x1b]0;x\x07\x1b[2J")))),
    "deep-json": Behaviour(run=says(lambda script: reply.whole(script, reply.sections(script, b"[" * 1_000_000)))),
    "nan": Behaviour(run=says(lambda script: reply.whole(script, reply.sections(script, b'{"a": NaN}')))),
}
"""By name; what each must end in stands in tests/wire/test_farm.py."""


def _between(script: bytes) -> bytes:
    parts = reply.sections(script)
    end = reply.whole(script, parts)[sum(map(len, parts)) :]
    return b"\nnoise\n".join([*parts, end])


BEHAVIOURS["noise-between"] = Behaviour(run=says(_between))
