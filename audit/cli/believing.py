"""Which host key of a machine is believed: by its fingerprint, by whom ssh believes, or by a person who looks.

Where DNS was to be asked and its authenticated SSHFP records name another key, nobody but a person who has compared the
very fingerprint is believed: two who ought to know it contradict each other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audit import inert
from audit.cli.recorded import utc
from audit.errors import UsageError
from audit.model import Host, Outcome
from audit.onboard import Identity

if TYPE_CHECKING:
    from audit.run import SavedRun
    from audit.snapshot import Snapshot
    from audit.wire.sshfp import Wish, Word

Ask = Callable[["str | None"], "SavedRun"]
"""Asks the machine, and all that it is compared with; the machine is known by this key from then on, if it shows it."""


@dataclass(frozen=True)
class Believer:
    """Finds out who says that a key is right.

    Attributes:
        host: the machine.
        known_hosts: read instead of ssh's own files.
        fingerprint: that was given on the command line.
        first_use: the key of a machine that was never known is taken.
        may_ask: somebody sits there.
        noted: what DNS said of a key when the machine showed it, and whether it may be taken by that.
    """

    host: Host
    known_hosts: Path | None
    fingerprint: str | None = None
    first_use: bool = False
    may_ask: bool = False
    noted: Callable[[str], tuple[Word, Wish] | None] = lambda _: None

    def identity(self, ask: Ask, earlier: Snapshot | None) -> tuple[Identity, SavedRun | None]:
        """The host key, and what all that were asked said once it is believed.

        Args:
            ask: asks them.
            earlier: the machine as the last check saw it that reached it.

        Raises:
            UsageError: another fingerprint was given than the machine shows.
        """
        since, old = _before(earlier)
        saved = ask(None)
        mine = saved.evidence.hosts[self.host.name]
        key = mine.host_key or ""
        if not key and not mine.reached:  # a jump host's key, or nobody answered
            return Identity("unreachable", detail=mine.detail, since=since), None
        if mine.outcome not in (Outcome.HOSTKEY, Outcome.HOSTKEY_CHANGED):
            self._given(key)
            return Identity("known", key=key, since=since), saved
        known = (old,) if old and old != key else ()
        if "marked as revoked in" in mine.detail:
            return Identity("revoked", key=key, since=since), None
        if "which RevokedHostKeys names" in mine.detail:  # the list is at fault: no key is believed
            return Identity("unreachable", detail=mine.detail, since=since), None
        changed = mine.outcome is Outcome.HOSTKEY_CHANGED
        dns = self._dns(key)
        how = self.who(key, changed=changed)
        if how is None:
            return Identity("changed" if changed else "new", key=key, old=known, since=since, dns=dns), None
        saved = ask(key)
        mine = saved.evidence.hosts[self.host.name]
        if mine.host_key != key or mine.outcome in (Outcome.HOSTKEY, Outcome.HOSTKEY_CHANGED):
            return Identity("unreachable", detail=f"its key was not taken: {mine.detail}", since=since), None
        return Identity("accepted", key=key, old=known, how=how, since=since, dns="" if dns == how else dns), saved

    def _given(self, key: str) -> None:
        """The fingerprint that was given is the one that is shown."""
        if self.fingerprint is not None and key and self.fingerprint != key:
            raise UsageError(
                f"--accept-host-key {self.fingerprint}: {self.host.name} shows {key}; nothing was taken. Compare "
                "both with its own console: one of the two is another machine"
            )

    def who(self, key: str, *, changed: bool) -> str | None:
        """Who says that this key is right; None: nobody.

        Raises:
            UsageError: somebody says that it is another one.
        """
        if self.fingerprint is not None:
            self._given(key)
            return "its fingerprint was given"
        from audit.wire.vouching import vouched

        word, wish = self.noted(key) or (None, "no")
        if word is None or word.said != "other":
            if (by := vouched(self.host, key, self.known_hosts)) is not None:
                return by
            if word is not None and word.said == "vouched" and wish == "yes":
                return word.text
            if self.first_use and not changed:
                return "taken at first use, nobody has compared it"
        return self._typed(key, changed=changed) if self.may_ask else None

    def _dns(self, key: str) -> str:
        noted = self.noted(key)
        return noted[0].text if noted is not None else ""

    def _typed(self, key: str, *, changed: bool) -> str | None:
        which = "another one than before" if changed else "new"
        for line in (
            f"{self.host.name} shows the host key {key}, which is {which}.",
            *filter(None, [self._dns(key)]),
            "On its own console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        ):
            print(f"fleet-audit: {inert.terminal(line)}", file=sys.stderr)
        print("Type the fingerprint that stands there: ", end="", file=sys.stderr, flush=True)
        said = sys.stdin.readline().strip().rstrip("=")
        return "its console's fingerprint was typed in" if key in (said, f"SHA256:{said}") else None


def _before(earlier: Snapshot | None) -> tuple[str, str]:
    """When an earlier check reached it, and which key it had then; empty where none is known."""
    if earlier is None:
        return "", ""
    key = (earlier.hosts[0].facts.get("reach") or {}).get("host_key")
    return utc(earlier.at), key if isinstance(key, str) else ""
