"""What counts as DNS vouching for a host key: files, answers and policies, without a real name server."""

from __future__ import annotations

import hashlib
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
from audit.wire.sshfp import NUMBERS, Dns, Wish, Word, judge
from tests.wire.test_hostkeys import KEY, KIND, OTHER, line

NAME = "web.example"
ROUTE = Route(alias="web", hostname=NAME, verify_dns="yes")
MINE, THEIRS = hashlib.sha256(KEY).hexdigest(), hashlib.sha256(OTHER).hexdigest()
WEAK, THEIR_WEAK = hashlib.sha1(KEY).hexdigest(), hashlib.sha1(OTHER).hexdigest()


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
    ((f"SSHFP 4 1 {WEAK}", f"SSHFP 4 2 {MINE}", f"SSHFP 1 2 {THEIRS}", f"SSHFP 3 2 {THEIRS}"), "vouched", "SHA-256"),
    ((f"SSHFP 4 3 {THEIRS}", f"SSHFP 4 2 {MINE}"), "vouched", "SHA-256"),
    ((f"SSHFP 4 2 {THEIRS}", f"SSHFP 4 2 {MINE}"), "nothing", "another one of its kind"),
    ((f"SSHFP 4 1 {THEIR_WEAK}", f"SSHFP 4 2 {MINE}"), "nothing", "another one of its kind"),
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
