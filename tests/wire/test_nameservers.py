"""Whom this machine trusts with DNSSEC, and name servers that misbehave."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from audit.wire.nameservers import SERVERS, fetch, resolver
from audit.wire.sshfp import judge
from tests.wire.test_hostkeys import KEY, KIND
from tests.wire.test_sshfp import MINE, NAME, THEIRS, WEAK


@pytest.mark.parametrize(
    ("text", "servers", "trusted"),
    [
        ("nameserver 10.0.0.1\noptions trust-ad\n", ("10.0.0.1",), True),
        ("options edns0 trust-ad rotate\nnameserver 10.0.0.1", ("10.0.0.1",), True),
        ("options edns0\noptions\ttrust-ad\nnameserver ::1\n", ("::1",), True),
        ("nameserver 10.0.0.1\n", ("10.0.0.1",), False),
        ("nameserver 127.0.0.11\noptions ndots:0\n", ("127.0.0.11",), False),
        ("nameserver 127.0.0.1\n# options trust-ad\n;options trust-ad\n", ("127.0.0.1",), False),
        ("nameserver 127.0.0.1\n options trust-ad\n", ("127.0.0.1",), False),
        ("nameserver 127.0.0.1\noptions edns0 # trust-ad\n", ("127.0.0.1",), False),
        ("nameserver 127.0.0.1\noptions trust-ad-not\noptionstrust-ad\n", ("127.0.0.1",), False),
        ("nameserver 127.0.0.1\nsearch trust-ad\n", ("127.0.0.1",), False),
        ("nameserver 127.0.0.1\nsearch a\x0boptions trust-ad\u2028options trust-ad\n", ("127.0.0.1",), False),
        ("nameserver 127.0.0.1\noptions\u00a0trust-ad\noptions edns0\x0btrust-ad\n", ("127.0.0.1",), False),
        ("nameserver 127.0.0.1\t \noptions \t trust-ad \n", ("127.0.0.1",), True),
        ("nameserver a\nnameserver\nnameserver fe80::1%lo\noptions trust-ad", ("fe80::1%lo",), True),
        ("options trust-ad\n", (), True),
        ("", (), False),
        ("nameserver 10.0.0.1\n" * 9 + "options trust-ad", ("10.0.0.1",) * SERVERS, True),
    ],
)
def test_whom_the_machine_trusts(text: str, servers: tuple[str, ...], trusted: bool) -> None:
    """`options trust-ad`, as the C library reads it, and nothing else; a loopback address alone is not enough."""
    found = resolver(text, "resolv.conf")
    assert found.servers == servers
    assert found.trusted is trusted
    assert (found.why == "") is (trusted and bool(servers))
    if found.why:
        assert ("trust-ad" if servers else "names no name server") in found.why


@contextlib.contextmanager
def server(reply: Callable[[bytes], list[bytes]], tcp: Callable[[socket.socket], None] | None = None) -> Iterator[int]:
    """A name server on 127.0.0.1 that answers each datagram with these; its port."""
    with socket.create_server(("127.0.0.1", 0)) as streams, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(streams.getsockname())

        def by_datagram() -> None:
            with contextlib.suppress(OSError):
                while True:
                    data, peer = datagrams.recvfrom(65535)
                    if not data:
                        return
                    for one in reply(data):
                        datagrams.sendto(one, peer)

        def by_stream() -> None:
            with contextlib.suppress(OSError):
                while True:
                    stream, _ = streams.accept()
                    with stream:
                        if tcp is not None:
                            tcp(stream)

        threads = [threading.Thread(target=one, daemon=True) for one in (by_datagram, by_stream)]
        for one in threads:
            one.start()
        try:
            yield int(streams.getsockname()[1])
        finally:
            with socket.socket(type=socket.SOCK_DGRAM) as last:
                last.sendto(b"", datagrams.getsockname())
            streams.shutdown(socket.SHUT_RDWR)
            for one in threads:
                one.join(10)


def to(data: bytes, *records: str, flags: int = dns.flags.AD, rcode: int = 0) -> bytes:
    """A well-made answer to a query."""
    query = dns.message.from_wire(data)
    made = dns.message.make_response(query)
    made.flags |= flags
    made.set_rcode(dns.rcode.Rcode(rcode))
    for record in records:
        made.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "SSHFP", record))
    return made.to_wire()


def fetched(port: int, seconds: float = 1.0, *servers: str) -> dns.message.Message | str:
    """What comes back within the limit, and a bit."""
    begun = time.monotonic()
    found = fetch(NAME, servers or ("127.0.0.1",), port, seconds)
    assert time.monotonic() - begun < seconds + 0.5
    return found


def test_what_is_asked() -> None:
    """The name as it stands, with the DO and AD bits and without CD; the answer comes back whole."""
    heard: list[dns.message.Message] = []

    def reply(data: bytes) -> list[bytes]:
        heard.append(dns.message.from_wire(data))
        return [to(data, f"4 2 {MINE}")]

    with server(reply) as port:
        found = fetched(port)
    assert isinstance(found, dns.message.Message)
    assert judge(found, NAME, KIND, KEY).said == "vouched"
    (query,) = heard
    assert query.question[0].name.to_text() == f"{NAME}."
    assert query.flags & dns.flags.AD
    assert not query.flags & dns.flags.CD
    assert query.ednsflags & dns.flags.DO


def wrong_id(data: bytes) -> bytes:
    """An answer to another query."""
    return bytes([data[0] ^ 1, data[1]]) + to(data, f"4 2 {MINE}")[2:]


def wrong_question(data: bytes) -> bytes:
    """An answer to this one's number, for another name."""
    return data[:2] + to(dns.message.make_query("evil.example.", "SSHFP").to_wire(), f"4 2 {MINE}")[2:]


def wrong_size(data: bytes) -> bytes:
    """A SHA-256 fingerprint that is too short."""
    digest = bytes.fromhex(WEAK)
    return to(data, f"4 3 {WEAK}").replace(b"\x04\x03" + digest, b"\x04\x02" + digest)


HOSTILE: dict[str, Callable[[bytes], list[bytes]]] = {
    "silence": lambda data: [],
    "garbage": lambda data: [b"", b"\0", b"\xff" * 400, data[:5]],
    "the query itself": lambda data: [data],
    "another number": lambda data: [wrong_id(data)],
    "another name": lambda data: [wrong_question(data)],
    "a record of a wrong size": lambda data: [wrong_size(data)],
    "half of it": lambda data: [to(data, f"4 2 {MINE}")[:-9]],
    "a loop of pointers": lambda data: [to(data, f"4 2 {MINE}")[:12] + b"\xc0\x0c\0\x2c\0\1" * 4],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_answer_is_ignored(name: str) -> None:
    """It is as if nobody answered, within the limit."""
    with server(HOSTILE[name]) as port:
        found = fetched(port)
    assert isinstance(found, str)
    assert found == "DNS gave no answer that can be read within 1 s"


def test_a_forged_answer_does_not_keep_the_right_one_away() -> None:
    """Garbage first: the answer behind it counts."""
    with server(lambda data: [b"x", wrong_id(data), to(data, f"4 2 {THEIRS}")]) as port:
        found = fetched(port)
    assert isinstance(found, dns.message.Message)
    assert judge(found, NAME, KIND, KEY).said == "other"


def trickle(stream: socket.socket) -> None:
    """An answer that never ends."""
    stream.sendall(b"\xff\xff")
    with contextlib.suppress(OSError):
        for _ in range(200):
            stream.sendall(b"\0")
            time.sleep(0.05)


def stream_of(*records: str, flags: int = dns.flags.AD) -> Callable[[socket.socket], None]:
    """An answer by TCP."""

    def answer(stream: socket.socket) -> None:
        size = int.from_bytes(stream.recv(2, socket.MSG_WAITALL))
        made = to(stream.recv(size, socket.MSG_WAITALL), *records, flags=flags)
        stream.sendall(len(made).to_bytes(2) + made)

    return answer


def test_what_was_cut_off_is_not_judged() -> None:
    """The whole answer comes by TCP and counts alone; without it there is none."""

    def cut(data: bytes) -> list[bytes]:
        return [to(data, f"4 2 {MINE}", flags=dns.flags.AD | dns.flags.TC)]

    with server(cut, stream_of(f"4 2 {THEIRS}")) as port:
        found = fetched(port)
    assert isinstance(found, dns.message.Message)
    assert judge(found, NAME, KIND, KEY).said == "other"
    for bad in (trickle, lambda stream: None, stream_of(f"4 2 {MINE}", flags=dns.flags.AD | dns.flags.TC)):
        with server(cut, bad) as port:
            assert isinstance(fetched(port), str)


@pytest.mark.parametrize(("rcode", "words"), [(2, "SERVFAIL"), (5, "REFUSED"), (4, "NOTIMP"), (23, "BADCOOKIE")])
def test_a_refusal_is_told(rcode: int, words: str) -> None:
    """Records that come with one count for nothing."""
    with server(lambda data: [to(data, f"4 2 {MINE}", rcode=rcode)]) as port:
        found = fetched(port)
    assert isinstance(found, str)
    assert words in found


def test_the_next_server_is_asked() -> None:
    """Where nobody listens at the first one."""
    with server(lambda data: [to(data, f"4 2 {MINE}")]) as port:
        assert isinstance(fetched(port, 2.0, "127.0.0.99", "127.0.0.1"), dns.message.Message)
    assert isinstance(fetched(port), str), "nobody is left"


def test_dns_is_loaded_where_it_is_wanted_only() -> None:
    """The wire and the onboarding load nothing of it before a key is to be asked for."""
    code = "import sys, audit.wire, audit.cli.onboarding; print('dns' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
