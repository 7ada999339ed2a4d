"""Host keys: which are known, which one a server showed, and what to say when the two differ."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.model import Outcome
from audit.wire.clocks import Once
from audit.wire.failures import WireError
from audit.wire.knownhosts import append, replace_key
from audit.wire.nameservers import LIMIT
from audit.wire.options import HostKeys, Trusted
from audit.wire.sshconfig import Route
from audit.wire.sshfp import Dns, Word

ALGORITHMS: dict[str, tuple[str, ...]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
"""Types of host keys that we can check, best first, and how each may sign."""


@dataclass(frozen=True)
class Known:
    """One line of a known_hosts file.

    Attributes:
        marker: ``@revoked``, ``@cert-authority`` or nothing.
        kind: the key's type.
        blob: the key itself.
        place: ``file:line``.
    """

    marker: str
    kind: str
    blob: bytes
    place: str


class _File:
    """One known_hosts file, read once."""

    def __init__(self, path: str) -> None:
        self.plain: dict[str, list[Known]] = {}
        self.globs: list[tuple[list[str], Known]] = []
        self.hashed: list[tuple[bytes, bytes, Known]] = []
        self.everywhere: list[Known] = []
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for number, line in enumerate(lines, 1):
            words = line.split()
            marker = words.pop(0) if words and words[0].startswith("@") else ""
            if len(words) < 3 or words[0].startswith("#"):
                continue
            try:
                blob = base64.b64decode(words[2], validate=True)
            except (binascii.Error, ValueError):
                continue
            self._add(words[0], Known(marker, words[1], blob, f"{path}:{number}"))

    def _add(self, names: str, known: Known) -> None:
        if names.startswith("|1|"):
            try:
                salt, digest = (base64.b64decode(part) for part in names.split("|")[2:4])
            except (binascii.Error, ValueError):
                return
            self.hashed.append((salt, digest, known))
        elif any(char in names for char in "*?!"):
            self.globs.append((names.lower().split(","), known))
        else:
            for name in names.lower().split(","):
                self.plain.setdefault(name, []).append(known)

    def find(self, name: str) -> list[Known]:
        found = list(self.plain.get(name, ()))
        for patterns, known in self.globs:
            if any(matches(name, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
                continue
            if any(matches(name, pattern) for pattern in patterns if not pattern.startswith("!")):
                found.append(known)
        encoded = name.encode()
        for salt, digest, known in self.hashed:
            if hmac.digest(salt, encoded, "sha1") == digest:
                found.append(known)
        return found


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern of known_hosts, or of a certificate, is for a name: ``*`` and ``?`` alone are special."""
    if "[" in pattern:
        pattern = pattern.replace("[", "[[]")
    return fnmatch.fnmatchcase(name, pattern)


def fingerprint(blob: bytes) -> str:
    """``SHA256:…`` as ssh prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


class HostKeyCheck:
    """The policy of a run; safe to use from many threads."""

    def __init__(
        self, mode: HostKeys, override: Path | None, trusted: Trusted | None = None, dns: Dns | None = None
    ) -> None:
        """Read nothing yet.

        Args:
            mode: see `WireOptions`.
            override: read instead of ssh's own files.
            trusted: believed of its one host.
            dns: asked for SSHFP records.
        """
        self.mode, self._trusted, self._dns = mode, trusted, dns or Dns()
        self._override = str(override.expanduser()) if override is not None else None
        self._files: Once[str, _File] = Once()
        self._writing = threading.Lock()

    def files(self, route: Route) -> tuple[str, ...]:
        """The files that count for this route."""
        return (self._override,) if self._override is not None else route.known_hosts

    def known(self, route: Route) -> list[Known]:
        """Everything that the files say of the route's name."""
        found: list[Known] = []
        for path in self.files(route):
            file = self._files.get(path, lambda path=path: _File(path))  # type: ignore[misc]
            names = [route.known_as]
            if route.port != 22 and not route.host_key_alias:
                names.append(route.hostname.lower())  # ssh also takes an entry without the port
            with self._writing:
                by_name = [file.find(name) for name in names]
            found += by_name[0] or next((entries for entries in by_name[1:] if entries), [])
        return found

    def algorithms(self, known: Sequence[Known]) -> tuple[str, ...]:
        """What to ask the server for: the types that are known already, then the others."""
        have = {entry.kind for entry in known if not entry.marker}
        kinds = sorted(ALGORITHMS, key=lambda kind: kind not in have)
        return tuple(algorithm for kind in kinds for algorithm in ALGORITHMS[kind])

    def check(self, route: Route, kind: str, blob: bytes, known: Sequence[Known], seconds: float = LIMIT) -> None:
        """Believe the key that a server showed, or not.

        DNS is asked only of a key that known_hosts does not have, and only where ssh_config wants it. It vouches for
        the key of a host that is not known, for this connection; never for another one than is known.

        Args:
            route: to the server.
            kind: the key's type.
            blob: the key.
            known: what `known` found.
            seconds: that are left for DNS.

        Raises:
            WireError: HOSTKEY where the server is not known, HOSTKEY_CHANGED where it was another one.
        """
        shown = fingerprint(blob)
        for entry in known:
            if entry.marker == "@revoked" and entry.blob == blob:
                raise _refused(Outcome.HOSTKEY, f"its key {shown} is marked as revoked in {entry.place}", shown)
        plain = [entry for entry in known if not entry.marker]
        if any(entry.blob == blob for entry in plain):
            return
        if self._trusted is not None and self._trusted.covers(route.alias, route.port, shown):
            self._trust(route, kind, blob, plain)
            return
        word = self._dns.word(route, kind, blob, seconds) if self.mode != "pinned" else None
        heard = f"; {word.text}" if word is not None else ""
        others = [entry for entry in plain if entry.kind == kind] or plain
        name = route.known_as
        file = self.files(route)[0] if self.files(route) else "~/.ssh/known_hosts"
        if others:
            old = others[0]
            raise _refused(
                Outcome.HOSTKEY_CHANGED,
                f"the host key changed: {old.place} has {old.kind} {fingerprint(old.blob)}, the server now shows "
                f"{kind} {shown}{heard}. Was the machine reinstalled? Compare on its console with `ssh-keygen -lf "
                f"/etc/ssh/ssh_host_{_file_word(kind)}_key.pub`; only if it is the same, forget the old key with "
                f"`ssh-keygen -f {old.place.rpartition(':')[0]} -R '{name}'` and accept the new one",
                shown,
            )
        if self._believed(word, route):
            if self.mode == "accept-new":
                self._accept(file, name, kind, blob)
            return
        authority = next((entry for entry in known if entry.marker == "@cert-authority"), None)
        if authority is not None:
            raise _refused(
                Outcome.HOSTKEY,
                f"only a host certificate authority vouches for it ({authority.place}); fleet-audit cannot check that: "
                f"add the server's own key, {kind} {shown}, to {file}{heard}",
                shown,
            )
        if self.mode == "accept-new" and (word is None or word.said != "other"):
            self._accept(file, name, kind, blob)
            return
        advice = f"add it to {file}"
        if self.mode != "pinned":
            advice = f"compare it on its console, then `ssh-keyscan -p {route.port} {route.hostname} >> {file}`"
        if self.mode == "strict" and not heard:
            advice += ", or accept new hosts with --host-keys accept-new"
        raise _refused(Outcome.HOSTKEY, f"{name} is not a known host; it shows {kind} {shown}{heard}: {advice}", shown)

    def _believed(self, word: Word | None, route: Route) -> bool:
        """Whether what DNS says is enough: the operator wants it so, and nobody else judges this host."""
        vouched = word is not None and word.said == "vouched"
        return vouched and self._dns.wish(route) == "yes" and not self._dns.judges(route)

    def _trust(self, route: Route, kind: str, blob: bytes, plain: Sequence[Known]) -> None:
        path = Path(self.files(route)[0] if self.files(route) else "~/.ssh/known_hosts").expanduser()
        elsewhere = next((one for one in plain if Path(one.place.rpartition(":")[0]).expanduser() != path), None)
        if elsewhere is not None:
            message = f"its old key stands in {elsewhere.place}, too, and would stay believed: take it away there first"
            raise _refused(Outcome.HOSTKEY_CHANGED, message, fingerprint(blob))
        try:
            with self._writing:
                replace_key(path, route.known_as, kind, blob)
        except OSError as error:
            message = f"its new key could not be written to {path}: {error.strerror}"
            raise _refused(Outcome.HOSTKEY, message, fingerprint(blob)) from None

    def _accept(self, path: str, name: str, kind: str, blob: bytes) -> None:
        line = f"{name} {kind} {base64.b64encode(blob).decode()}\n"
        file = self._files.get(path, lambda: _File(path))
        with self._writing:
            if any(entry.blob == blob for entry in file.find(name)):
                return
            try:
                append(Path(path), line.encode())
            except OSError as error:
                message = f"its new key could not be written to {path}: {error.strerror}"
                raise _refused(Outcome.HOSTKEY, message) from None
            file.plain.setdefault(name, []).append(Known("", kind, blob, f"{path} (accepted in this run)"))


def _refused(outcome: Outcome, detail: str, key: str | None = None) -> WireError:
    return WireError(outcome, detail, "hostkey", key=key)


def _file_word(kind: str) -> str:
    return kind.split("-")[0] if kind.startswith("ecdsa") else kind.removeprefix("ssh-")
