"""Who vouches for a host key: what ssh itself believes, and only for the key that was shown."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from audit.model import Host
from audit.wire.hostkeys import fingerprint
from audit.wire.vouching import said, vouched
from tests.farm.sshd import SSHD, keygen, sshd

KEY = "SHA256:" + "A" * 43
OTHER = "SHA256:" + "B" * 43
CERTIFICATE = f'debug1: Server host certificate: ssh-ed25519-cert-v01@openssh.com {KEY}, serial 0 ID "w" CA x\n'
PLAIN = f"debug1: Server host key: ssh-ed25519 {KEY}\n"
BY_CA = "debug1: Host 'w1' is known and matches the ED25519-CERT host certificate.\n"
DNS = "debug1: matching host key fingerprint found in DNS\n"
SECURE = "debug1: found 2 secure fingerprints in DNS\n"
ON = "debug1: SSH2_MSG_SERVICE_ACCEPT received\n"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (CERTIFICATE + BY_CA + ON, "certificate authority"),
        (PLAIN + SECURE + DNS + ON, "SSHFP"),
        (PLAIN + DNS + ON, None),
        (PLAIN + "debug1: found 2 insecure fingerprints in DNS\n" + DNS + ON, None),
        (PLAIN + ON, None),
        (CERTIFICATE + BY_CA, None),
        (CERTIFICATE.replace(KEY, OTHER) + BY_CA + ON, None),
        (PLAIN + CERTIFICATE.replace(KEY, OTHER) + BY_CA + ON, None),
        ("", None),
    ],
    ids=["ca", "dnssec", "dns unsigned", "insecure", "known plainly", "stopped", "other key", "last counts", "nothing"],
)
def test_what_ssh_says(log: str, words: str | None) -> None:
    """A reason that vouches, for this key, and ssh went on to the login."""
    found = said(log, KEY)
    assert (found is None) if words is None else (found is not None and words in found)


@pytest.mark.skipif(SSHD is None, reason="OpenSSH is not installed")
def test_a_host_ca_that_ssh_knows_vouches(tmp_path: Path) -> None:
    """A real sshd with a certificate: by a CA of known_hosts, for its own key only; without the CA nobody does."""
    ca = keygen(tmp_path / "ca", "-t", "ed25519")
    folder = tmp_path / "server"
    folder.mkdir()
    keygen(folder / "host_key")
    sign = ["ssh-keygen", "-q", "-s", str(ca), "-I", "w", "-h", "-n", "127.0.0.1", str(folder / "host_key.pub")]
    subprocess.run(sign, check=True, capture_output=True)
    with sshd(folder, f"HostCertificate {folder}/host_key-cert.pub") as server:
        machine = Host(name="w", address=server.address, port=server.port, user=server.user, ssh_args=("-F", "none"))
        known = tmp_path / "known_hosts"
        authority = (tmp_path / "ca.pub").read_text(encoding="utf-8")
        known.write_text(f"@cert-authority * {authority}", encoding="utf-8")
        blob = base64.b64decode((folder / "host_key.pub").read_text(encoding="utf-8").split()[1])
        key = fingerprint(blob)
        assert vouched(machine, key, known) == "a host certificate authority of known_hosts vouches for it"
        assert vouched(machine, OTHER, known) is None
        known.write_text("", encoding="utf-8")
        assert vouched(machine, key, known) is None
    assert vouched(machine, key, known) is None, "nobody answers there"
