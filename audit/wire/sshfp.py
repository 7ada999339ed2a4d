"""Whether DNS vouches for a host key by SSHFP records (RFC 4255, 6594, 7479, 8709): asked by us, judged by us.

An answer counts only with the AD bit ("all of this was validated by DNSSEC", RFC 4035, 6840) of a name server that
/etc/resolv.conf trusts with ``options trust-ad``: glibc's contract (resolv.conf(5), 2.31 and newer), under which it
shows that bit to ssh's VerifyHostKeyDNS, too. A name server on a loopback address is not trusted by its address alone:
container engines put forwarders there that pass on a bit which came over the network.

Only SHA-256 fingerprints vouch, and as with OpenSSH only where no record of the key's kind names another one. So
nothing is believed that ssh would not believe. ssh's own words are never read: a server writes into them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audit.wire.nameservers import LIMIT, PORT, RESOLV_CONF, fetch, resolver

if TYPE_CHECKING:
    from dns.message import Message

    from audit.wire.sshconfig import Route

Wish = Literal["no", "ask", "yes"]
"""ssh_config's VerifyHostKeyDNS: not asked; asked and shown; asked and believed."""

NUMBERS = {
    "ssh-rsa": 1,
    "ecdsa-sha2-nistp256": 3,
    "ecdsa-sha2-nistp384": 3,
    "ecdsa-sha2-nistp521": 3,
    "ssh-ed25519": 4,
}
"""Type of key -> algorithm number of its records."""
_WORDS = {1: "RSA", 2: "DSA", 3: "ECDSA", 4: "Ed25519", 6: "Ed448"}
_SHA1, _SHA256 = 1, 2
_SIZES = {_SHA1: 20, _SHA256: 32}
_NAME = re.compile(r"(?=.{1,253}\.?\Z)(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")


@dataclass(frozen=True, slots=True)
class Word:
    """What DNS says of a key.

    Attributes:
        said: ``vouched``: an authenticated record has it; ``other``: authenticated records are there, and none of
            them has it; ``nothing``: no authenticated word, which is never a yes.
        text: for people, one line.
    """

    said: Literal["vouched", "other", "nothing"]
    text: str


class Dns:
    """What DNS says of the host keys of one run; safe to use from many threads."""

    def __init__(
        self,
        *,
        judged: tuple[str, int | None] | None = None,
        always: bool = False,
        resolv_conf: Path | None = None,
        port: int | None = None,
    ) -> None:
        """Nothing is read or asked before it is needed.

        Args:
            judged: address and port, as declared, of the one host whose key the caller judges: what DNS says of it
                is noted (see `noted`), and not acted upon.
            always: that host's key is asked for, and may be taken, whatever ssh_config says.
            resolv_conf: instead of the system's; for tests.
            port: of the name servers; likewise.
        """
        self._judged, self._always = judged, always
        self._file, self._port = resolv_conf, port
        self._turn = threading.Lock()
        self._words: dict[tuple[str, bytes], Word] = {}
        self._noted: dict[str, tuple[Word, Wish]] = {}

    def judges(self, route: Route) -> bool:
        """Whether the caller judges this host's key, and not we."""
        return self._judged is not None and route.alias == self._judged[0] and self._judged[1] in (None, route.port)

    def wish(self, route: Route) -> Wish:
        """What the operator wants of DNS for this host."""
        return "yes" if self._always and self.judges(route) else route.verify_dns

    def word(self, route: Route, kind: str, blob: bytes, seconds: float = LIMIT) -> Word | None:
        """What DNS says of the key that a host showed; each name and key is asked for once.

        Args:
            route: to it; ssh, too, asks for the name that it connects to, not for HostKeyAlias.
            kind: the key's type.
            blob: the key.
            seconds: that are left.

        Returns:
            None: nobody wants DNS to be asked.
        """
        wish = self.wish(route)
        if wish == "no":
            return None
        key = (route.hostname.lower().rstrip("."), blob)
        with self._turn:
            word = self._words.get(key)
        if word is None:
            word = self._ask(route.hostname, kind, blob, min(seconds, LIMIT))
            with self._turn:
                self._words[key] = word
        if self.judges(route):
            shown = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
            self._noted[f"SHA256:{shown}"] = (word, wish)
        return word

    def noted(self, key: str) -> tuple[Word, Wish] | None:
        """What DNS said of a key of the host that the caller judges.

        Args:
            key: its fingerprint, ``SHA256:…``.

        Returns:
            The word, and whether it may be acted upon; None: DNS was not to be asked.
        """
        return self._noted.get(key)

    def _ask(self, name: str, kind: str, blob: bytes, seconds: float) -> Word:
        if kind not in NUMBERS:
            return _nothing(f"no SSHFP record can speak of a key of type {kind}")
        if _is_address(name):
            return _nothing("DNS was not asked: there are no SSHFP records for an address")
        if _NAME.fullmatch(name) is None:
            return _nothing("DNS was not asked: that is no name that it could have")
        file = self._file or RESOLV_CONF
        try:
            there = resolver(file.read_text(encoding="utf-8", errors="replace"), str(file))
        except OSError:
            return _nothing(f"DNS was not asked: {file} cannot be read")
        if there.why:
            return _nothing(there.why)
        answer = fetch(name, there.servers, self._port or PORT, seconds)
        return _nothing(answer) if isinstance(answer, str) else judge(answer, name, kind, blob)


def judge(answer: Message, name: str, kind: str, blob: bytes) -> Word:
    """What an answer of a trusted name server says of a key.

    Args:
        answer: to a query for the name's SSHFP records.
        name: that was asked for.
        kind: the key's type, one of `NUMBERS`.
        blob: the key.
    """
    import dns.flags
    import dns.name
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    owner = dns.name.from_text(name.rstrip(".") + ".")
    if answer.rcode() != dns.rcode.NOERROR:
        return _nothing(f"DNS has no SSHFP record of {name}")
    if any(found.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.DNAME) for found in answer.answer):
        return _nothing(f"{name} is an alias in DNS (CNAME): SSHFP records behind one vouch for nothing")
    records = answer.get_rrset(answer.answer, owner, dns.rdataclass.IN, dns.rdatatype.SSHFP)
    if records is None:
        return _nothing(f"DNS has no SSHFP record of {name}")
    if not answer.flags & dns.flags.AD:
        return _nothing(
            f"the SSHFP records of {name} are not authenticated: its zone is not signed, or the name server does not "
            "validate"
        )
    listed = {
        (int(one.algorithm), int(one.fp_type), bytes(one.fingerprint))
        for one in records
        if len(one.fingerprint) == _SIZES.get(int(one.fp_type))
    }
    return _compared(listed, name, NUMBERS[kind], blob)


def _compared(listed: set[tuple[int, int, bytes]], name: str, number: int, blob: bytes) -> Word:
    """A key against what authenticated records name: (algorithm, type of digest, digest)."""
    own = {
        _SHA256: hashlib.sha256(blob).digest(),
        _SHA1: hashlib.sha1(blob, usedforsecurity=False).digest(),
    }
    mine = sorted((digest, kind) for algorithm, kind, digest in listed if algorithm == number)
    strong = [digest for digest, kind in mine if kind == _SHA256]
    if any(hmac.compare_digest(digest, own[_SHA256]) for digest in strong):
        if any(not hmac.compare_digest(digest, own[kind]) for digest, kind in mine):
            return _nothing(
                f"the SSHFP records of {name} name this key and another one of its kind: not which is right"
            )
        return Word("vouched", f"vouched for by SSHFP: an authenticated record of {name} has its SHA-256 fingerprint")
    if not listed:
        return _nothing(f"the SSHFP records of {name} hold no fingerprint that we know")
    if not mine:
        kinds = ", ".join(sorted({_WORDS.get(algorithm, str(algorithm)) for algorithm, _, _ in listed}))
        return Word(
            "other", f"DNS names other keys: the authenticated SSHFP records of {name} are of {kinds} keys only"
        )
    if not strong and any(hmac.compare_digest(digest, own[_SHA1]) for digest, _ in mine):
        return _nothing(f"the SSHFP records of {name} have only its SHA-1 fingerprint, which vouches for nothing")
    # by RFC 6594 a SHA-1 fingerprint is not looked at where there is a SHA-256 one
    shown = [_printed(digest, kind) for digest, kind in mine if kind == _SHA256 or not strong]
    more = f" and {len(shown) - 2} more" if len(shown) > 2 else ""
    return Word(
        "other", f"DNS names another key: the authenticated SSHFP records of {name} have {', '.join(shown[:2])}{more}"
    )


def _printed(digest: bytes, kind: int) -> str:
    return f"SHA{'256' if kind == _SHA256 else '1'}:{base64.b64encode(digest).decode().rstrip('=')}"


def _nothing(text: str) -> Word:
    return Word("nothing", text)


def _is_address(name: str) -> bool:
    """In any way of writing that the C library takes for one: ``127.1`` and ``0x7f000001``, too."""
    try:
        socket.getaddrinfo(name, None, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return False
    return True
