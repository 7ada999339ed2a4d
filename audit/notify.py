"""Channels that carry a message to people, through apprise: mail, chats, webhooks and a hundred others.

    channels = channels_of(addresses(["mailtos://…", "@/etc/fleet-audit/notify"]))
    for trouble in send(channels, subject, body, "failure"): warn(trouble)

An address holds passwords and tokens. So it is never said again: a channel is called by its number and its kind, what
apprise logs (it logs addresses) goes nowhere, and what a server answers is not repeated.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.errors import UsageError

if TYPE_CHECKING:
    import apprise

SECONDS = 10.0
"""For a channel to take a message; all are sent to side by side."""
_MOST_BYTES = 64 << 10
"""Of a file with addresses."""
_SETTINGS: dict[str, Any] = {
    "app_id": "fleet-audit",
    "app_desc": "fleet-audit",
    "app_url": "",
    "image_url_mask": "",  # no picture from somebody else's server in a message
    "image_url_logo": "",
    "async_mode": False,
    "interpret_emojis": False,
    "secure_logging": True,
    "service_timeout": 0,  # the clock is ours; its own one runs on threads that Python waits for at its end
    "storage_mode": "memory",
    "pgp_autogen": False,
    "pem_autogen": False,
    "http_redirects": False,  # a token goes where it was meant to, and nowhere else
}


@dataclass(frozen=True)
class Channel:
    """One way to people.

    Attributes:
        label: for messages, e.g. ``channel 2 (Slack)``; nothing of its address.
        carrier: apprise with this one service.
    """

    label: str
    carrier: apprise.Apprise

    def __repr__(self) -> str:
        """Without the address, which apprise would show."""
        return f"Channel({self.label!r})"


def addresses(given: Sequence[str]) -> tuple[str, ...]:
    """The addresses, with ``@FILE`` replaced by the lines of that file.

    Args:
        given: URLs, or ``@FILE``; in a file empty lines and those that begin with ``#`` count for nothing.

    Raises:
        UsageError: a file cannot be read, or holds no address.
    """
    found: list[str] = []
    for one in given:
        if not one.startswith("@"):
            found.append(one.strip())
            continue
        try:
            with Path(one[1:]).open("rb") as file:
                raw = file.read(_MOST_BYTES + 1)
            text = raw.decode() if len(raw) <= _MOST_BYTES else ""
        except OSError as error:
            raise UsageError(f"--notify {one}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            text = ""
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        if not lines:
            raise UsageError(f"--notify {one}: holds no address; write one a line, up to 64 KiB")
        found += lines
    return tuple(dict.fromkeys(found))


def channels_of(urls: Sequence[str]) -> tuple[Channel, ...]:
    """The channels of these addresses; nobody is contacted.

    Raises:
        UsageError: apprise is not installed, or takes one of them for no address; it is named by its number.
    """
    if not urls:
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what its services import
        return _channels(urls)


def _channels(urls: Sequence[str]) -> tuple[Channel, ...]:
    try:
        import apprise
    except ImportError:
        raise UsageError(
            "--notify needs apprise, which is not installed; install fleet-audit[notify], or leave --notify out"
        ) from None
    _hush()
    # Older versions do not know all of them, and refuse what they do not know.
    wanted = {name: value for name, value in _SETTINGS.items() if hasattr(apprise.AppriseAsset, name)}
    wanted |= {name: value for name, value in _SETTINGS.items() if hasattr(apprise.AppriseAsset, f"_{name}")}
    asset = apprise.AppriseAsset(**wanted)
    return tuple(_channel(apprise, asset, number, url) for number, url in enumerate(urls, 1))


def _channel(library: Any, asset: apprise.AppriseAsset, number: int, url: str) -> Channel:
    service = library.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise UsageError(
            f"--notify: address number {number} is none that apprise understands (it is not shown here, since it may "
            "hold a secret); try it with `apprise --dry-run`"
        )
    carrier = library.Apprise(asset=asset)
    carrier.add(service)
    return Channel(f"channel {number} ({str(service.service_name)[:40]})", carrier)


def send(
    channels: Sequence[Channel], subject: str, body: str, kind: str, *, seconds: float = SECONDS
) -> tuple[str, ...]:
    """Send one message to all channels side by side, and say which did not take it.

    Args:
        channels: each gets the message once.
        subject: one line.
        body: plain text.
        kind: ``failure``, ``warning``, ``success`` or ``info``.
        seconds: after which a channel is left alone.

    Returns:
        A sentence a channel that did not take it, in their order; never an error.
    """
    done: dict[int, bool] = {}

    def carry(number: int, carrier: apprise.Apprise) -> None:
        try:
            done[number] = bool(carrier.notify(body=body, title=subject, notify_type=kind, body_format="text"))
        except (
            Exception
        ):  # of a hundred services by other people; none may cost a run, and its text may hold an address
            done[number] = False

    # Not a pool: Python waits for a pool's threads at its end, and a channel that hangs would hold the run.
    threads = [
        threading.Thread(target=carry, args=(number, channel.carrier), name=f"notify-{number}", daemon=True)
        for number, channel in enumerate(channels)
    ]
    end = time.monotonic() + seconds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a host's certificate that the user asked not to look at
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    return tuple(
        f"{channel.label} did not take the message" + ("" if number in done else f" within {seconds:g} s")
        for number, channel in enumerate(channels)
        if not done.get(number)
    )


def _hush() -> None:
    """Nothing that apprise logs is shown or handed on: its lines hold addresses, and what servers answered."""
    log = logging.getLogger("apprise")
    log.setLevel(logging.CRITICAL + 1)
    log.propagate = False
    if not any(isinstance(handler, logging.NullHandler) for handler in log.handlers):
        log.addHandler(logging.NullHandler())
