"""The machine's name servers: whom it trusts with DNSSEC, and how they are asked for SSHFP records."""

from __future__ import annotations

import ipaddress
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audit.wire.failures import FOREIGN

if TYPE_CHECKING:
    from dns.message import Message

RESOLV_CONF = Path("/etc/resolv.conf")
PORT = 53
LIMIT = 5.0
"""Seconds for all name servers together."""
ROUNDS = 2
"""Times that each is asked; a datagram may be lost."""
SERVERS = 3
"""Name servers of the file that count, as in the C library."""
_PAYLOAD = 1232
"""Bytes of a datagram that cross every network whole; more comes by TCP."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """What resolv.conf says.

    Attributes:
        servers: addresses, in their order.
        trusted: ``options trust-ad``: its name servers' AD bit is the machine's own.
        why: why there is nothing to ask; empty: there is.
    """

    servers: tuple[str, ...] = ()
    trusted: bool = False
    why: str = ""


def resolver(text: str, place: str = str(RESOLV_CONF)) -> Resolver:
    """Read a resolv.conf.

    Args:
        text: of the file.
        place: its name, for people.
    """
    servers: list[str] = []
    trusted = False
    for line in text.split("\n"):  # as the C library: nothing else ends a line, and keywords stand in the first column
        words = re.split("[ \t]+", line.rstrip(" \t"))
        if words[0] == "nameserver" and len(words) > 1:
            try:
                ipaddress.ip_address(words[1])
            except ValueError:
                continue
            servers.append(words[1])
        elif words[0] == "options":
            said = itertools.takewhile(lambda word: word[:1] not in "#;", words[1:])
            trusted = trusted or "trust-ad" in said
    found = tuple(servers[:SERVERS])
    if not found:
        return Resolver(trusted=trusted, why=f"DNS was not asked: {place} names no name server")
    if not trusted:
        why = (
            f"DNS was not asked: {place} does not say `options trust-ad`, so its name servers are not trusted with that"
        )
        return Resolver(found, why=why)
    return Resolver(found, trusted=True)


def fetch(name: str, servers: Sequence[str], port: int, seconds: float) -> Message | str:
    """The first answer that settles it: records, or that there are none.

    Args:
        name: asked for as it stands; no search list.
        servers: addresses, in their order.
        port: of all of them.
        seconds: for all of it.

    Returns:
        An answer of NOERROR or NXDOMAIN; else why there is none.
    """
    import dns.exception
    import dns.flags
    import dns.message
    import dns.query
    import dns.rcode

    ends = time.monotonic() + seconds
    turns = [server for _ in range(ROUNDS) for server in servers]
    said = ""
    for number, server in enumerate(turns):
        left = ends - time.monotonic()
        if left <= 0:
            break
        until = time.monotonic() + left / (len(turns) - number)
        query = dns.message.make_query(name.rstrip(".") + ".", "SSHFP", want_dnssec=True, payload=_PAYLOAD)
        query.flags |= dns.flags.AD
        try:
            answer = dns.query.udp(
                query, server, until - time.monotonic(), port, ignore_unexpected=True, ignore_errors=True
            )
            if answer.flags & dns.flags.TC:  # what came is a part, and judged by nobody
                answer = dns.query.tcp(query, server, max(0.0, until - time.monotonic()), port)
        except dns.exception.DNSException:  # its time-outs, too
            continue
        except FOREIGN:
            continue
        code = answer.rcode()
        if answer.flags & dns.flags.TC:
            continue
        if code in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return answer
        said = said or dns.rcode.to_text(code)
    if said == "SERVFAIL":
        return "the name server cannot answer for it (SERVFAIL): its DNSSEC signatures may be wrong"
    if said:
        return f"the name server does not answer for it ({said})"
    return f"DNS gave no answer that can be read within {seconds:.3g} s"
