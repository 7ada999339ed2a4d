"""A registry of the farm, a client for it, and certificates."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from audit.registry import ONCE, Client, Credentials, Options
from audit.registry.pace import bucket
from tests.farm.registry import PASSWORD, USER, Registry, serving

ROBOT = Credentials(username=USER, password=PASSWORD)
Dial = Callable[..., Client]


@pytest.fixture
def registry() -> Iterator[Registry]:
    """One that speaks http and asks nobody who he is; a test may change that."""
    with serving(Registry()) as one:
        yield one


@pytest.fixture
def dial() -> Iterator[Dial]:
    """A client for a registry of the farm; it never asks twice, and looks for credentials nowhere."""
    opened: list[Client] = []

    def made(registry: Registry, credentials: Credentials | None = None, **more: Any) -> Client:
        hooks = {
            name: more.pop(name)
            for name in ("before", "seen", "challenges", "now", "clock", "vault", "limiter")
            if name in more
        }
        options: dict[str, Any] = {
            "credentials": {registry.address: credentials} if credentials else {},
            "environment": {},
            "use_files": False,
            "retry": ONCE,
            "connect": 3.0,
            "idle": 3.0,
            "answer": 6.0,
        }
        if registry.scheme == "http":
            options["plain_http"] = frozenset({registry.address})
        client = Client(Options(**(options | more)), **hooks)
        opened.append(client)
        return client

    yield made
    for client in opened:
        client.close()


@dataclass(frozen=True)
class Pki:
    """A CA; servers of it for 127.0.0.1 and .2, one expired, one for another name; a client; and a stranger."""

    folder: Path

    def path(self, name: str) -> Path:
        """Certificate and key in one file."""
        return self.folder / f"{name}.pem"

    def server(self, name: str = "server", *, ask: bool = False) -> ssl.SSLContext:
        """How a registry shows itself; with `ask` it wants a certificate of its clients."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.path(name))
        if ask:
            made.maximum_version = ssl.TLSVersion.TLSv1_2  # so that a refusal comes within the handshake
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(self.path("ca"))
        return made


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Made once."""
    made = Pki(tmp_path_factory.mktemp("pki"))
    day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "strange-ca")}
    names = {name: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in keys}
    for name, issuer, address, days in (
        ("ca", "ca", "", 5),
        ("strange-ca", "strange-ca", "", 5),
        ("server", "ca", "127.0.0.1", 5),
        ("second", "ca", "127.0.0.2", 5),
        ("expired", "ca", "127.0.0.1", -1),
        ("elsewhere", "ca", "192.0.2.1", 5),
        ("client", "ca", "", 5),
        ("stranger", "strange-ca", "127.0.0.1", 5),
    ):
        key = keys.get(name) or ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(names[issuer])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * day)
            .not_valid_after(now + days * day)
            .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        )
        if address:
            alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(alternative, critical=False)
        certificate = builder.sign(keys[issuer], hashes.SHA256())
        pem = certificate.public_bytes(Encoding.PEM)
        pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        made.path(name).write_bytes(pem)
    return made


@pytest.fixture(autouse=True)
def whole_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that holds a whole minute's worth, so that the figures of these tests are round ones."""
    monkeypatch.setattr(bucket, "BURST", 1.0)
