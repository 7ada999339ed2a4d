"""Who vouches for a host key: a host CA of known_hosts, by a certificate for that very key."""

from __future__ import annotations

import base64
import subprocess
import time
from pathlib import Path

import pytest

from audit.model import Host
from audit.wire.hostkeys import fingerprint
from audit.wire.vouching import by_authority, vouched
from tests.farm.sshd import SSHD, keygen, sshd

pytestmark = pytest.mark.skipif(SSHD is None, reason="OpenSSH is not installed")
FORGED = (
    "w\ndebug1: Host 'x' is known and matches the ED25519-CERT host certificate.\n"
    "debug1: SSH2_MSG_SERVICE_ACCEPT received\n"
)
"""A key ID that ssh -v prints as lines of its own."""


def blob(file: Path) -> bytes:
    """A public key."""
    return base64.b64decode(file.with_name(f"{file.name}.pub").read_text(encoding="utf-8").split()[1])


def signed(folder: Path, ca: Path, *options: str, host: bool = True, name: str = "w") -> bytes:
    """A host key with a certificate; the certificate's line."""
    folder.mkdir()
    keygen(folder / "host_key")
    words = ["ssh-keygen", "-q", "-s", str(ca), "-I", name, *(["-h"] if host else []), *options]
    subprocess.run([*words, str(folder / "host_key.pub")], check=True, capture_output=True)
    return (folder / "host_key-cert.pub").read_bytes()


FOR = ("-n", "127.0.0.1")


def test_a_certificate_counts_only_if_all_of_it_is_right(tmp_path: Path) -> None:
    """Another CA, name or key, a user's, an expired one, one for nobody, a forged key ID, a spoilt signature: no."""
    ca, evil = keygen(tmp_path / "ca", "-t", "ed25519"), keygen(tmp_path / "evil", "-t", "ed25519")
    authorities = {blob(ca)}

    def counts(line: bytes, folder: Path) -> bool:
        return by_authority(
            line, fingerprint(blob(folder / "host_key")), authorities, "127.0.0.1", time.time()
        ) == blob(ca)

    good = signed(tmp_path / "good", ca, *FOR)
    assert counts(good, tmp_path / "good")
    assert counts(signed(tmp_path / "glob", ca, "-n", "127.*"), tmp_path / "glob")
    cases = {
        "other": signed(tmp_path / "other", evil, *FOR),
        "forged": signed(tmp_path / "forged", evil, *FOR, name=FORGED),
        "elsewhere": signed(tmp_path / "elsewhere", ca, "-n", "elsewhere"),
        "user": signed(tmp_path / "user", ca, *FOR, host=False),
        "expired": signed(tmp_path / "expired", ca, *FOR, "-V", "20200101:20210101"),
        "nobody": signed(tmp_path / "nobody", ca),
    }
    for name, line in cases.items():
        assert not counts(line, tmp_path / name), name
    assert by_authority(good, fingerprint(blob(evil)), authorities, "127.0.0.1", time.time()) is None
    kind, text = good.split()[:2]
    raw = bytearray(base64.b64decode(text))
    raw[-10] ^= 1
    assert not counts(kind + b" " + base64.b64encode(raw), tmp_path / "good")
    for garbage in (b"", b"x", b"ssh-ed25519-cert-v01@openssh.com !!!", b"# 127.0.0.1:22 SSH-2.0", good[:60]):
        assert not counts(garbage, tmp_path / "good")


def test_a_real_server_with_a_certificate(tmp_path: Path) -> None:
    """By a CA of known_hosts, for its own key only; a revoked CA, or none, vouches for nothing; nor does a forger."""
    ca, evil = keygen(tmp_path / "ca", "-t", "ed25519"), keygen(tmp_path / "evil", "-t", "ed25519")
    known = tmp_path / "known_hosts"
    authority = (tmp_path / "ca.pub").read_text(encoding="utf-8")
    known.write_text(f"@cert-authority * {authority}", encoding="utf-8")
    for name, signer, key_id, right in (("good", ca, "w", True), ("forged", evil, FORGED, False)):
        folder = tmp_path / name
        signed(folder, signer, *FOR, "-z", "7", name=key_id)
        key = fingerprint(blob(folder / "host_key"))
        with sshd(folder, f"HostCertificate {folder}/host_key-cert.pub") as server:
            host = Host(name="w", address=server.address, port=server.port, user=server.user, ssh_args=("-F", "none"))
            found = vouched(host, key, known)
            assert (found is not None and f"{known}:1" in found) is right
            assert vouched(host, fingerprint(blob(evil)), known) is None
            revoked = tmp_path / "revoked"
            revoked.write_text(f"@cert-authority * {authority}@revoked * {authority}", encoding="utf-8")
            assert vouched(host, key, revoked) is None
            assert vouched(host, key, tmp_path / "nothing") is None
            listed = host.model_copy(
                update={"ssh_args": ("-F", "none", "-o", f"RevokedHostKeys={tmp_path / 'ca.pub'}")}
            )
            assert vouched(listed, key, known) is None
            for serial in ("7", "8"):
                (tmp_path / "serials").write_text(f"serial: {serial}\n", encoding="utf-8")
                words = ["ssh-keygen", "-q", "-k", "-f", "krl", "-s", "ca.pub", "serials"]
                subprocess.run(words, check=True, cwd=tmp_path)
                ssh_args = ("-F", "none", "-o", f"RevokedHostKeys={tmp_path}/krl")
                by_serial = host.model_copy(update={"ssh_args": ssh_args})
                assert (vouched(by_serial, key, known) is not None) is (right and serial == "8")
            jumping = host.model_copy(update={"ssh_args": ("-F", "none", "-o", "ProxyCommand=false")})
            assert vouched(jumping, key, known) is None
