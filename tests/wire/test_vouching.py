"""Who vouches for a host key: what ssh itself believes, and only for the key that was shown."""

from __future__ import annotations

import pytest

from audit.wire.vouching import said

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
