"""`check --notify`: looks into the history before the run stands in it, and tells people after the reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any

from audit.errors import FleetAuditError, UsageError

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.notify import Channel
    from audit.run import Run
    from audit.snapshot import Snapshot
    from audit.telling import Message

_MOST_RUNS = 20
"""Earlier checks that are looked into for a word on each host."""


class Teller:
    """Tells people of one run.

        teller = teller_of(settings)       # before anything is asked: a wrong address ends it here
        teller.look(run)                   # before the run is recorded
        teller.tell(quiet=False)           # after the reports are written

    Args:
        settings: ``notify_on`` and ``link``, and where the history is.
        channels: to tell.
    """

    def __init__(self, settings: Settings, channels: tuple[Channel, ...]) -> None:
        """Nothing to tell yet."""
        self._settings, self._channels = settings, channels
        self._message: Message | None = None
        self._troubles: list[str] = []

    def look(self, run: Run) -> None:
        """Work out what to tell; a history that cannot be read is a warning, and what fails now is new."""
        if not self._channels:
            return
        from audit.drift.transitions import transitions
        from audit.snapshot import Snapshot
        from audit.telling import chosen, standing, told

        now = Snapshot.of(run)
        try:
            with closing(_earlier(self._settings)) as earlier:
                before = standing(now, earlier)
        except (FleetAuditError, ValueError) as error:
            why = error if isinstance(error, FleetAuditError) else "the history's last check is none that we can read"
            self._troubles.append(f"{why}; so every finding counts as new in the message")
            before = None
        found = chosen(transitions(before, now), self._settings.notify_on, now)
        link = self._settings.link or ""
        self._message = told(found, now, before=before.at if before else None, link=link)

    def tell(self, *, quiet: bool) -> None:
        """Send the message, if there is one: a channel that does not take it is one line on stderr."""
        if self._message is not None:
            from audit.notify import send

            message = self._message
            self._troubles += send(self._channels, message.subject, message.body, message.kind)
        if not quiet:
            for trouble in self._troubles:
                print(f"fleet-audit: warning: {trouble}", file=sys.stderr)


def teller_of(settings: Settings, *, wanted: bool = True) -> Teller:
    """Whoever tells people.

    Args:
        settings: with the addresses.
        wanted: False: nobody is told, whatever is set.

    Raises:
        UsageError: an address cannot be used, or the link is none that may be sent round.
    """
    if not settings.notify or not wanted:
        return Teller(settings, ())
    _require_link(settings.link)
    from audit.notify import addresses, channels_of

    return Teller(settings, channels_of(addresses(settings.notify)))


def _require_link(link: str | None) -> None:
    if link is None:
        return
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(link)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        raise UsageError("--link: is no address of a page; write https://HOST/PATH") from None
    if not whole or not link.isprintable() or " " in link or len(link) > 1000:
        raise UsageError("--link: is no address of a page; write https://HOST/PATH")
    if "@" in parts.netloc:
        raise UsageError("--link: holds a user or a password, which everybody would be sent; leave it out")


def _earlier(settings: Settings) -> Generator[Snapshot, None, None]:
    """The checks of the history, newest first; none where there is no history."""
    from audit.snapshot import Snapshot
    from audit.store.failures import StoreError

    try:
        opened: Any = import_module("audit.cli.recorded").history_of(settings, create=False)
    except ModuleNotFoundError:
        return
    try:
        with opened as history:
            for run in history.runs(_MOST_RUNS):
                yield Snapshot.model_validate_json(json.dumps(history.snapshot(run.id)))
    except StoreError as error:
        if error.kind != "missing":
            raise
