"""What counts as DNS vouching for a host key: files, answers and policies, without a real name server."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from audit.model import Host, Outcome
from audit.wire.failures import WireError
from audit.wire.hostkeys import HostKeyCheck, fingerprint
from audit.wire.options import Trusted
from audit.wire.sshconfig import Route, SshConfig
from audit.wire.sshfp import NUMBERS, SERVERS, Dns, Wish, Word, fetch, judge, resolver
from tests.wire.test_hostkeys import KEY, KIND, OTHER, line

NAME = "web.example"
ROUTE = Route(alias="web", hostname=NAME, verify_dns="yes")
MINE, THEIRS = hashlib.sha256(KEY).hexdigest(), hashlib.sha256(OTHER).hexdigest()
WEAK, THEIR_WEAK = hashlib.sha1(KEY).hexdigest(), hashlib.sha1(OTHER).hexdigest()


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


def answer(*records: str, ad: bool = True, rcode: int = dns.rcode.NOERROR, owner: str = NAME) -> dns.message.Message:
    """An answer with these records: ``TYPE RDATA``."""
    query = dns.message.make_query(f"{NAME}.", "SSHFP")
    made = dns.message.make_response(query)
    made.set_rcode(dns.rcode.Rcode(rcode))
    if ad:
        made.flags |= dns.flags.AD
    for record in records:
        kind, _, data = record.partition(" ")
        made.answer.append(dns.rrset.from_text(f"{owner}.", 60, "IN", kind, data))
    return dns.message.from_wire(made.to_wire())


JUDGED: list[tuple[tuple[str, ...], str, str]] = [
    ((f"SSHFP 4 2 {MINE}",), "vouched", "SHA-256"),
    ((f"SSHFP 4 2 {THEIRS}", f"SSHFP 4 2 {MINE}", f"SSHFP 1 2 {THEIRS}"), "vouched", "SHA-256"),
    ((f"SSHFP 4 1 {THEIR_WEAK}", f"SSHFP 4 2 {MINE}"), "vouched", "SHA-256"),
    ((f"SSHFP 4 2 {THEIRS}",), "other", fingerprint(OTHER)),
    ((f"SSHFP 4 2 {THEIRS}", f"SSHFP 4 1 {WEAK}"), "other", fingerprint(OTHER)),
    ((f"SSHFP 4 1 {WEAK}",), "nothing", "SHA-1"),
    ((f"SSHFP 4 1 {WEAK}", f"SSHFP 1 2 {THEIRS}"), "nothing", "SHA-1"),
    ((f"SSHFP 4 1 {THEIR_WEAK}",), "other", "SHA1:"),
    ((f"SSHFP 1 2 {MINE}",), "other", "RSA keys only"),
    ((f"SSHFP 6 2 {MINE}", f"SSHFP 3 2 {MINE}"), "other", "ECDSA, Ed448 keys only"),
    ((f"SSHFP 4 3 {MINE}", f"SSHFP 4 0 {MINE}"), "nothing", "no fingerprint that we know"),
    (("CNAME web.evil.example.",), "nothing", "alias"),
    ((), "nothing", "no SSHFP record"),
    (("TXT vouched",), "nothing", "no SSHFP record"),
]


@pytest.mark.parametrize(("records", "said", "words"), JUDGED)
def test_what_records_say(records: tuple[str, ...], said: str, words: str) -> None:
    """A SHA-256 fingerprint of the key's own algorithm, in an authenticated answer; without the AD bit nothing."""
    word = judge(answer(*records), NAME, KIND, KEY)
    assert word.said == said
    assert words in word.text
    bare = judge(answer(*records, ad=False), NAME, KIND, KEY)
    assert bare.said == "nothing", "also that DNS names another key is no word then"


def test_another_names_records_say_nothing() -> None:
    """Records that came along, and an answer that is none."""
    assert judge(answer(f"SSHFP 4 2 {MINE}", owner="evil.example"), NAME, KIND, KEY).said == "nothing"
    assert judge(answer(f"SSHFP 4 2 {MINE}", rcode=dns.rcode.NXDOMAIN), NAME, KIND, KEY).said == "nothing"
    behind = answer("CNAME evil.example.")
    behind.answer.append(dns.rrset.from_text("evil.example.", 60, "IN", "SSHFP", f"4 2 {MINE}"))
    assert judge(behind, NAME, KIND, KEY).said == "nothing"


def test_every_kind_of_key_has_its_number() -> None:
    """A digest under another algorithm's number is another key's."""
    for kind, number in NUMBERS.items():
        for algorithm in range(8):
            said = judge(answer(f"SSHFP {algorithm} 2 {MINE}"), NAME, kind, KEY).said
            assert (said == "vouched") is (algorithm == number)


def test_a_long_list_is_told_short() -> None:
    """A thousand other keys are one line that names two."""
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1000)]
    many = answer(*(f"SSHFP 4 2 {digest}" for digest in digests))
    word = judge(many, NAME, KIND, KEY)
    assert word.said == "other"
    assert "and 998 more" in word.text
    assert len(word.text) < 300


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


def fetched(port: int, seconds: float = 1.0, *servers: str) -> dns.message.Message | Word:
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
    assert isinstance(found, Word)
    assert found == Word("nothing", "DNS gave no answer that can be read within 1 s")


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
            assert isinstance(fetched(port), Word)


@pytest.mark.parametrize(("rcode", "words"), [(2, "SERVFAIL"), (5, "REFUSED"), (4, "NOTIMP"), (23, "23")])
def test_a_refusal_is_told(rcode: int, words: str) -> None:
    """Records that come with one count for nothing."""
    with server(lambda data: [to(data, f"4 2 {MINE}", rcode=rcode)]) as port:
        found = fetched(port)
    assert isinstance(found, Word)
    assert found.said == "nothing"
    assert words in found.text or "BADCOOKIE" in found.text


def test_the_next_server_is_asked() -> None:
    """Where nobody listens at the first one."""
    with server(lambda data: [to(data, f"4 2 {MINE}")]) as port:
        assert isinstance(fetched(port, 2.0, "127.0.0.99", "127.0.0.1"), dns.message.Message)
    assert isinstance(fetched(port), Word), "nobody is left"


class Said(Dns):
    """DNS that says this."""

    def __init__(self, said: str, **more: object) -> None:
        """`said`: of every key."""
        super().__init__(**more)  # type: ignore[arg-type]  # passed on
        self.said, self.asked = said, 0

    def _ask(self, name: str, kind: str, blob: bytes, seconds: float) -> Word:
        self.asked += 1
        return Word(self.said, f"DNS said {self.said}")  # type: ignore[arg-type]  # of the table


def outcome(dns_: Dns, file: Path, wish: Wish = "yes", mode: str = "strict") -> tuple[Outcome, str]:
    """What becomes of a host that shows the key, and why."""
    route = Route(alias="web", hostname=NAME, verify_dns=wish)
    check = HostKeyCheck(mode, file, None, dns_)  # type: ignore[arg-type]  # of the table
    try:
        check.check(route, KIND, KEY, check.known(route))
    except WireError as failure:
        return failure.outcome, failure.detail
    return Outcome.OK, ""


@pytest.mark.parametrize(
    ("known", "mode", "wish", "said", "wanted", "asked", "written"),
    [
        ("", "strict", "yes", "vouched", Outcome.OK, 1, False),
        ("", "strict", "ask", "vouched", Outcome.HOSTKEY, 1, False),
        ("", "strict", "no", "vouched", Outcome.HOSTKEY, 0, False),
        ("", "strict", "yes", "other", Outcome.HOSTKEY, 1, False),
        ("", "strict", "yes", "nothing", Outcome.HOSTKEY, 1, False),
        ("", "pinned", "yes", "vouched", Outcome.HOSTKEY, 0, False),
        ("", "accept-new", "yes", "vouched", Outcome.OK, 1, True),
        ("", "accept-new", "yes", "nothing", Outcome.OK, 1, True),
        ("", "accept-new", "yes", "other", Outcome.HOSTKEY, 1, False),
        ("", "accept-new", "ask", "other", Outcome.HOSTKEY, 1, False),
        ("", "accept-new", "no", "other", Outcome.OK, 0, True),
        (line(NAME), "strict", "yes", "other", Outcome.OK, 0, False),
        (line(NAME, OTHER), "strict", "yes", "vouched", Outcome.HOSTKEY_CHANGED, 1, False),
        (line(NAME, OTHER), "accept-new", "yes", "vouched", Outcome.HOSTKEY_CHANGED, 1, False),
        (line(NAME, OTHER), "strict", "no", "vouched", Outcome.HOSTKEY_CHANGED, 0, False),
        ("@revoked " + line("*"), "strict", "yes", "vouched", Outcome.HOSTKEY, 0, False),
        ("@cert-authority " + line("*", OTHER), "strict", "yes", "vouched", Outcome.OK, 1, False),
        ("@cert-authority " + line("*", OTHER), "strict", "yes", "nothing", Outcome.HOSTKEY, 1, False),
    ],
)
def test_where_dns_is_asked_and_believed(
    known: str, mode: str, wish: Wish, said: str, wanted: Outcome, asked: int, written: bool, tmp_path: Path
) -> None:
    """Only of keys that are not known, and where ssh_config wants it; a changed key is refused with what it said."""
    file = tmp_path / "known"
    file.write_text(known, encoding="utf-8")
    dns_ = Said(said)
    found, detail = outcome(dns_, file, wish, mode)
    assert (found, dns_.asked) == (wanted, asked)
    assert (file.read_text(encoding="utf-8") != known) is written
    assert (f"DNS said {said}" in detail) is (asked == 1 and wanted is not Outcome.OK)


def test_a_key_that_somebody_else_judges_is_noted(tmp_path: Path) -> None:
    """It is asked for whatever ssh_config says, and not believed here; another host's is."""
    dns_ = Said("vouched", judged=("web", 22), always=True)
    assert outcome(dns_, tmp_path / "known", "no")[0] is Outcome.HOSTKEY
    assert dns_.noted(fingerprint(KEY)) == (Word("vouched", "DNS said vouched"), "yes")
    assert dns_.noted(fingerprint(OTHER)) is None
    peer = Route(alias="peer", hostname="peer.example", verify_dns="yes")
    check = HostKeyCheck("strict", tmp_path / "known", None, dns_)
    check.check(peer, KIND, OTHER, [])
    assert dns_.noted(fingerprint(OTHER)) is None
    assert dns_.word(Route(alias="peer", hostname="peer.example"), KIND, KEY) is None, "the flag is for one host"
    only = Said("vouched", judged=("web", None))
    assert outcome(only, tmp_path / "known", "ask")[0] is Outcome.HOSTKEY
    assert only.noted(fingerprint(KEY)) == (Word("vouched", "DNS said vouched"), "ask")


def test_a_compared_fingerprint_goes_before_dns(tmp_path: Path) -> None:
    """Who has compared it knows better; DNS is not asked."""
    dns_ = Said("other")
    check = HostKeyCheck("strict", tmp_path / "known", Trusted("web", 22, fingerprint(KEY)), dns_)
    check.check(ROUTE, KIND, KEY, [])
    assert dns_.asked == 0


def test_each_key_is_asked_for_once() -> None:
    """A second connection of a run asks nothing; another key of the name does."""
    dns_ = Said("nothing")
    for key in (KEY, KEY, OTHER):
        dns_.word(ROUTE, KIND, key)
    assert dns_.asked == 2


@pytest.mark.parametrize(
    "name",
    ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "::1", "fe80::1%lo", "", ".", "*", "a..b", "web\\.evil", "web\\046x",
     "web.example\n", "web example", "wéb.example", "x" * 64, ".".join(["x" * 63] * 4), f"{'x.' * 126}xx", "@", "a\0b"],
)  # fmt: skip
def test_no_record_is_asked_of_what_is_no_name(name: str, tmp_path: Path) -> None:
    """Addresses in every way of writing, and names that DNS would read as others."""
    nowhere = Dns(resolv_conf=tmp_path / "none")
    word = nowhere.word(Route(alias="w", hostname=name, verify_dns="yes"), KIND, KEY)
    assert word is not None
    assert word.said == "nothing"
    assert "that is no name" in word.text or "an address" in word.text


def test_no_file_and_no_server(tmp_path: Path) -> None:
    """One sentence each; nobody is asked."""
    word = Dns(resolv_conf=tmp_path / "none").word(ROUTE, KIND, KEY)
    assert word == Word("nothing", f"DNS was not asked: {tmp_path}/none cannot be read")
    (tmp_path / "empty").write_text("options trust-ad\n", encoding="utf-8")
    word = Dns(resolv_conf=tmp_path / "empty").word(ROUTE, KIND, KEY)
    assert word == Word("nothing", f"DNS was not asked: {tmp_path}/empty names no name server")
    word = Dns(resolv_conf=tmp_path / "empty").word(ROUTE, "ssh-dss", KEY)
    assert word == Word("nothing", "no SSHFP record can speak of a key of type ssh-dss")


@pytest.mark.parametrize(
    ("option", "wish"), [("yes", "yes"), ("ask", "ask"), ("no", "no"), ("true", "yes"), (None, "no")]
)
def test_ssh_says_whether_dns_is_wanted(option: str | None, wish: str) -> None:
    """VerifyHostKeyDNS, as `ssh -G` has it."""
    more = () if option is None else ("-o", f"VerifyHostKeyDNS={option}")
    host = Host(name="w", address="web.example", ssh_args=("-F", "none", *more))
    config = SshConfig()
    if config.ssh is None:
        pytest.skip("ssh is not installed")
    assert config.route(host).verify_dns == wish
