"""Where a merge is measured: a network of its own with a registry and a token server under real host names.

Docker's clients treat loopback as a place for tests (plain http, no verification), and older ones never mount blobs
where the registry's name has a port. So the addresses are ones for documentation (RFC 5737), on the loopback of a
network namespace, with the usual port, and the names stand in an /etc/hosts of a mount namespace.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.bench.merge.counting import Front, Tally, fronting
from tests.bench.proxy import delaying
from tests.lab.pki import Authority
from tests.lab.registry import program
from tests.lab.tokens import Signer

REGISTRY, TOKENS = "registry.example", "auth.example"
_ADDRESSES = {REGISTRY: "192.0.2.1", TOKENS: "192.0.2.2"}
_UPSTREAM = ("127.0.0.1", 5000)
ACCOUNT, PASSWORD = "live", "bench-password"
_SERVICE, _ISSUER = "bench", "bench-tokens"
_INSIDE = "FLEET_AUDIT_BENCH_INSIDE"


@dataclass(frozen=True)
class Place:
    """What the contenders need to know.

    Attributes:
        folder: of this run, removed afterwards.
        tally: what is being asked.
    """

    folder: Path
    tally: Tally

    @property
    def ca(self) -> Path:
        """The certificate that registry and token server are signed by."""
        return self.folder / "ca.crt"

    @property
    def docker_config(self) -> str:
        """The text of a config.json with the account's credentials."""
        auth = base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
        return json.dumps({"auths": {REGISTRY: {"auth": auth}}})

    @property
    def storage(self) -> Path:
        """What the registry keeps."""
        return self.folder / "storage"


def enter(module: str, arguments: Sequence[str], outside: Callable[[], str]) -> str:
    """Run the module again inside namespaces of its own; once we are there, what `outside` gave before we left."""
    if _INSIDE in os.environ:
        return os.environ[_INSIDE]
    root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    argv = ["unshare", *root, "--net", "--mount", "--propagation", "private", sys.executable, "-m", module, *arguments]
    os.execvpe("unshare", argv, {**os.environ, _INSIDE: outside()})
    raise AssertionError("execvpe does not return")


def furnish(folder: Path) -> None:
    """Give the namespaces their addresses, names, and an empty /var/lib: skopeo remembers blobs there."""
    commands = ["ip link set lo up", *(f"ip addr add {address}/32 dev lo" for address in _ADDRESSES.values())]
    names = [f"{address} {name}" for name, address in _ADDRESSES.items()]
    (folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names, ""]), encoding="utf-8")
    commands += [f"mount --bind {folder / 'hosts'} /etc/hosts", "mount -t tmpfs tmpfs /var/lib"]
    for command in commands:
        subprocess.run(command.split(), check=True)


class _Named(Authority):
    """The lab's authority; it certifies names here, not addresses."""

    def name(self, stem: Path, names: Sequence[str]) -> tuple[Path, Path]:
        """Write a certificate for these names, and its key; both files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, stem.name)])
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = self._certificate(subject, key).add_extension(alternatives, critical=False)
        made, secret = stem.with_suffix(".crt"), stem.with_suffix(".key")
        made.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return made, secret


@contextlib.contextmanager
def serving(folder: Path, registry_program: Path, round_trip: float) -> Iterator[Place]:
    """The registry and its token server, each `round_trip` seconds away."""
    authority = _Named("bench CA")
    (folder / "ca.crt").write_text(authority.pem, encoding="utf-8")
    certificate, key = authority.name(folder / "server", list(_ADDRESSES))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    tally = Tally()
    place = Place(folder, tally)
    signer = Signer(key, certificate, _ISSUER, 300)
    front = Front(tally, _UPSTREAM, signer, {ACCOUNT: PASSWORD})
    near = 10443 if round_trip else 443
    places = [(address, near) for address in _ADDRESSES.values()]
    with ExitStack() as stack:
        stack.enter_context(_storing(folder, registry_program))
        stack.enter_context(fronting(front, tls, places[0], places[1]))
        if round_trip:
            for address, port in places:
                stack.enter_context(delaying(round_trip, address, port, 443))
        yield place


@contextlib.contextmanager
def _storing(folder: Path, registry_program: Path) -> Iterator[None]:
    """Debian's registry, as http, behind the counting front."""
    realm = f"https://{TOKENS}/token"
    token = {"realm": realm, "service": _SERVICE, "issuer": _ISSUER, "rootcertbundle": str(folder / "ca.crt")}
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": ":".join(map(str, _UPSTREAM)), "host": f"https://{REGISTRY}"},
        "auth": {"token": token},
    }
    (folder / "registry.yml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML too
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [registry_program, "serve", folder / "registry.yml"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        _until_it_listens(process, folder)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _until_it_listens(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(_UPSTREAM, timeout=1).close()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the registry did not start: {(folder / 'registry.log').read_text()[-800:]}")
        time.sleep(0.05)


def registry_program() -> Path:
    """Debian's docker-registry, from the lab's cache."""
    return program()
