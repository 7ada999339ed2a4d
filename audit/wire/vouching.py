"""Whether a host certificate authority of known_hosts vouches for a host key: the certificate is checked by us.

The key exchange has proved that the machine has the key that it showed; so its certificate may be fetched without any
trust, and counts only for that very key. What ssh prints is never read: a server writes into it.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
from collections.abc import Collection
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from audit.model import Host
from audit.wire.failures import WireError
from audit.wire.hostkeys import HostKeyCheck, fingerprint, matches
from audit.wire.revoked import Revoked
from audit.wire.sshconfig import SshConfig

LIMIT = 20.0
"""Seconds to fetch the certificates."""
MOST = 1 << 20
"""Bytes of what is fetched that are read."""
_AUTHORITIES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
"""Types of authorities; not RSA, whose signatures may be SHA-1."""


def vouched(host: Host, key: str, known_hosts: Path | None) -> str | None:
    """Who vouches for a key.

    Args:
        host: is asked for its certificates, and no login is tried; only where it can be reached without a jump host.
        key: the fingerprint that it showed in a key exchange, ``SHA256:…``.
        known_hosts: read instead of ssh's own files.

    Returns:
        A clause for people; None: nobody.
    """
    program = shutil.which("ssh-keyscan")
    if program is None or not key or host.connection != "ssh":
        return None
    try:
        route = SshConfig().route(host)
    except WireError:
        return None
    known = HostKeyCheck("strict", known_hosts).known(route)
    revoked = {entry.blob for entry in known if entry.marker == "@revoked"}
    listed = Revoked()
    authorities = {
        entry.blob: entry.place
        for entry in known
        if entry.marker == "@cert-authority"
        and entry.kind in _AUTHORITIES
        and entry.blob not in revoked
        and listed.why(route.revoked, entry.kind, entry.blob) is None
    }
    if not authorities or route.proxy_jump or route.proxy_command:
        return None
    words = [program, "-c", "-T", "5", "-p", str(route.port), "--", route.hostname]
    try:
        done = subprocess.run(  # noqa: S603 - OpenSSH's own program, without a shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    name = route.host_key_alias or route.hostname.lower()
    for line in done.stdout[:MOST].splitlines():
        authority = by_authority(line, key, authorities, name, time.time())
        if authority is not None and not _is_revoked(line, listed, route.revoked):
            return f"the host certificate authority of {authorities[authority]} vouches for it"
    return None


def _is_revoked(line: bytes, listed: Revoked, path: str) -> bool:
    """Whether the list names this very certificate: a KRL does so by serial number or key ID."""
    kind, text = _certificate(line)
    return listed.why(path, kind.decode(), base64.b64decode(text)) is not None


def _certificate(line: bytes) -> tuple[bytes, bytes]:
    """Type and base64 of the certificate in a line of a scan; empty where there is none."""
    words = line.split()
    place = next((number for number, word in enumerate(words) if word.endswith(b"-cert-v01@openssh.com")), len(words))
    found = words[place : place + 2]
    return (found[0], found[1]) if len(found) == 2 else (b"", b"")


def by_authority(line: bytes, key: str, authorities: Collection[bytes], name: str, now: float) -> bytes | None:
    """Whether one line of a scan is a certificate that counts.

    Args:
        line: ``[NAME] TYPE BASE64 [COMMENT]``.
        key: fingerprint of the key that the machine has proved to have.
        authorities: keys that may sign.
        name: that the certificate must be for.
        now: UNIX time.

    Returns:
        The authority that signed it; None: it counts for nothing.
    """
    words = _certificate(line)
    if not words[0]:
        return None
    try:
        found = load_ssh_public_identity(b" ".join(words))
        if not isinstance(found, SSHCertificate):
            return None
        signer = _blob(found.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
        own = _blob(found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
        right = (
            fingerprint(own) == key
            and signer in authorities
            and found.type is SSHCertificateType.HOST
            and not found.critical_options
            and found.valid_after <= now < found.valid_before
            and any(matches(name, one.decode("utf-8", "replace").lower()) for one in found.valid_principals)
        )
        if not right:
            return None
        found.verify_cert_signature()
    except (ValueError, TypeError, IndexError, InvalidSignature, UnsupportedAlgorithm):
        return None
    return signer


def _blob(line: bytes) -> bytes:
    return base64.b64decode(line.split()[1])
