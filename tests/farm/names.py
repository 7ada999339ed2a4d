"""Real DNS of our own on loopback ports: signed zones, knotd that serves them, unbound that validates them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from audit.wire.sshfp import Dns
from tests.farm.sshd import free_port

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
KNOTD, UNBOUND = shutil.which("knotd", path=_PATH), shutil.which("unbound", path=_PATH)
LACKING = ", ".join(name for name, found in (("knot", KNOTD), ("unbound", UNBOUND)) if found is None)
"""Packages without which there is none of it."""

SIGNED, PLAIN, SPOILT = "signed.test", "plain.test", "spoilt.test"
"""A zone that validates; one that nobody signed; one whose SSHFP records were altered after it was signed."""


@dataclass(frozen=True)
class Names:
    """What is running.

    Attributes:
        resolver: port of unbound on 127.0.0.1.
        authority: port of knotd, which validates nothing.
        folder: of its files.
    """

    resolver: int
    authority: int
    folder: Path

    def dns(self, *, trusted: bool = True, port: int | None = None, **more: object) -> Dns:
        """Ours, asking unbound (or another port)."""
        file = resolv_conf(self.folder / f"resolv-{trusted}.conf", trusted=trusted)
        return Dns(resolv_conf=file, port=port or self.resolver, **more)  # type: ignore[arg-type]


def resolv_conf(file: Path, *, trusted: bool = True, servers: Sequence[str] = ("127.0.0.1",)) -> Path:
    """A resolv.conf; returns its path."""
    lines = [*(f"nameserver {one}" for one in servers), *(["options edns0 trust-ad"] if trusted else [])]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def sshfp(key: bytes, kind: int = 2, algorithm: int = 4) -> str:
    """The record of a key, as a zone has it."""
    digest = hashlib.sha256(key) if kind == 2 else hashlib.sha1(key)
    return f"SSHFP {algorithm} {kind} {digest.hexdigest()}"


@contextlib.contextmanager
def names(folder: Path, records: Sequence[str], *, port: int | None = None) -> Iterator[Names]:
    """Serve the same records in all three zones while the body runs.

    Args:
        folder: for its files.
        records: lines of a zone file, with names that are relative.
        port: of unbound; by default one that is free.
    """
    assert KNOTD is not None, "knot is not installed"
    assert UNBOUND is not None, "unbound is not installed"
    folder.mkdir(parents=True, exist_ok=True)
    found = Names(port or free_port(), free_port(), folder)
    anchors = {zone: _zone(folder, zone, records) for zone in (SIGNED, PLAIN, SPOILT)}
    shutil.copy(UNBOUND, folder / "unbound")  # a distribution's profile lets the installed one read its own files only
    (folder / "knot.conf").write_text(_knot(found, anchors), encoding="utf-8")
    (folder / "unbound.conf").write_text(_unbound(found, anchors), encoding="utf-8")
    with contextlib.ExitStack() as running:
        for words in (
            [KNOTD, "-c", str(folder / "knot.conf")],
            [str(folder / "unbound"), "-d", "-p", "-c", str(folder / "unbound.conf")],
        ):
            with (folder / f"{Path(words[0]).name}.log").open("wb") as log:
                server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            running.callback(server.wait, 10)
            running.callback(server.terminate)
        for zone in (SIGNED, PLAIN):
            _wait_for(zone, found.resolver)
        yield found


def _zone(folder: Path, origin: str, records: Sequence[str]) -> str:
    """Write a zone's file; returns its key, empty where it has none."""
    head = "@ 60 SOA ns hostmaster 1 60 60 600 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n"
    text = head + "".join(f"{line}\n" for line in records)
    zone = dns.zone.from_text(text, origin=f"{origin}.")
    anchor = ""
    if origin != PLAIN:
        private = ec.generate_private_key(ec.SECP256R1())
        key = dns.dnssec.make_dnskey(private.public_key(), "ECDSAP256SHA256", flags=257)
        dns.dnssec.sign_zone(zone, keys=[(private, key)], dnskey_ttl=60, lifetime=86400)
        anchor = f"{origin}. DNSKEY {key.to_text()}"
    text = zone.to_text(want_origin=True)
    if origin == SPOILT:
        text = re.sub(r"(?m)( SSHFP \d \d )(.+)$", lambda found: found[1] + found[2][::-1], text)
    (folder / f"{origin}.zone").write_text(text, encoding="utf-8")
    return anchor


def _knot(found: Names, zones: Iterable[str]) -> str:
    place = found.folder
    listed = "".join(f"  - domain: {zone}\n    file: {place}/{zone}.zone\n" for zone in zones)
    return (
        f"server:\n  rundir: {place}\n  listen: 127.0.0.1@{found.authority}\n  udp-workers: 1\n  tcp-workers: 1\n"
        f"  background-workers: 1\nlog:\n  - target: stderr\n    any: info\ndatabase:\n  storage: {place}\n"
        f"template:\n  - id: default\n    zonefile-sync: -1\n    journal-content: none\nzone:\n{listed}"
    )


def _unbound(found: Names, zones: dict[str, str]) -> str:
    anchors = "".join(f'  trust-anchor: "{anchor}"\n' for anchor in zones.values() if anchor)
    stubs = "".join(f"stub-zone:\n  name: {zone}\n  stub-addr: 127.0.0.1@{found.authority}\n" for zone in zones)
    return (
        f'server:\n  directory: "{found.folder}"\n  chroot: ""\n  username: ""\n  pidfile: ""\n  use-syslog: no\n'
        f"  interface: 127.0.0.1@{found.resolver}\n  access-control: 127.0.0.0/8 allow\n  do-ip6: no\n"
        "  do-not-query-localhost: no\n  do-daemonize: no\n  num-threads: 1\n  verbosity: 1\n"
        f'  local-zone: "test." nodefault\n{anchors}remote-control:\n  control-enable: no\n{stubs}'
    )


def _wait_for(zone: str, port: int) -> None:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with contextlib.suppress(OSError, dns.exception.DNSException):
            answer = dns.query.udp(dns.message.make_query(f"{zone}.", "SOA"), "127.0.0.1", 1, port)
            if answer.rcode() == dns.rcode.NOERROR:
                return
        time.sleep(0.02)
    raise AssertionError(f"the name server does not answer for {zone}; see its log")


def blob(public: Path) -> bytes:
    """The key of a public key file."""
    return base64.b64decode(public.read_text(encoding="utf-8").split()[1])
