"""Keys that ssh_config's RevokedHostKeys names: never believed, whatever vouches for them."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

from audit.wire.clocks import Once

LIMIT = 10.0
"""Seconds for ssh-keygen to look into a binary list."""
MOST = 64 << 20
"""Bytes of one list that are read."""
_MAGIC = b"SSHKRL\n\0"


class Revoked:
    """The lists, each read once; safe to use from many threads."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._files: Once[str, bytes | str] = Once()
        self._lines: Once[str, dict[bytes, int] | int] = Once()
        self._asked: Once[tuple[str, str, bytes], str | None] = Once()

    def why(self, path: str, kind: str, blob: bytes) -> str | None:
        """Why a key is not to be believed.

        Args:
            path: of the list: public keys, one a line, or OpenSSH's binary form (KRL); empty: there is none.
            kind: of the key, e.g. ``ssh-ed25519``.
            blob: the key.

        Returns:
            A clause for people; None: the list says nothing against it. A list that cannot be read counts against
            every key, as it does for ssh.
        """
        if not path:
            return None
        text = self._files.get(path, lambda: _read(path))
        if isinstance(text, str):
            return f"{path}, which RevokedHostKeys names, {text}, and ssh believes no host then: mend it"
        if text.startswith(_MAGIC):
            return self._asked.get((path, kind, blob), lambda: _by_keygen(path, kind, blob))
        keys = self._lines.get(path, lambda: _keys(text))
        if isinstance(keys, int):
            return f"{path}:{keys}, which RevokedHostKeys names, is no key, and ssh believes no host then: mend it"
        return f"it is marked as revoked in {path}:{keys[blob]}" if blob in keys else None


def _read(path: str) -> bytes | str:
    """The list; a text: why it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            found = file.read(MOST + 1)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return found if len(found) <= MOST else f"is larger than {MOST >> 20} MiB"


def _keys(text: bytes) -> dict[bytes, int] | int:
    """Each key with the first line that has it; or the first line that is none, at which ssh gives up, too."""
    found: dict[bytes, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        try:
            blob = base64.b64decode(words[1], validate=True)
        except (IndexError, ValueError):
            return number
        if blob[4 : 4 + int.from_bytes(blob[:4])] != words[0]:
            return number
        if words[0].endswith(b"-cert-v01@openssh.com"):  # ssh takes a certificate for the key in it
            plain = _plain(words)
            if plain is None:
                return number
            found.setdefault(plain, number)
        found.setdefault(blob, number)
    return found


def _plain(words: list[bytes]) -> bytes | None:
    """The key in a certificate; None: it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        SSHCertificate,
        load_ssh_public_identity,
    )

    try:
        found = load_ssh_public_identity(b" ".join(words[:2]))
        if not isinstance(found, SSHCertificate):
            return None
        line = found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return base64.b64decode(line.split()[1])


def _by_keygen(path: str, kind: str, blob: bytes) -> str | None:
    """OpenSSH's own program reads its own form."""
    program = shutil.which("ssh-keygen")
    if program is None:
        return f"{path}, which RevokedHostKeys names, cannot be looked into without ssh-keygen: install openssh-client"
    try:
        done = subprocess.run(  # noqa: S603 - OpenSSH's own program, without a shell
            [program, "-Q", "-f", path, "/dev/stdin"], input=f"{kind} {base64.b64encode(blob).decode()}\n".encode(),
            capture_output=True, timeout=LIMIT, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return f"{path}, which RevokedHostKeys names, could not be looked into: ssh-keygen -Q did not answer"
    if done.returncode == 0:
        return None
    if b"REVOKED" in done.stdout:
        return f"it is marked as revoked in {path}"
    return f"{path}, which RevokedHostKeys names, cannot be looked into (ssh-keygen -Q ended with {done.returncode})"
