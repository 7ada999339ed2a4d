"""What goes wrong, when, and what it looks like on the wire: seeded, so that a run can be had again, and countable."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from tests.bench.night.tokens import refusal

Form = Literal["seconds", "date", "epoch", "text", "broken"]
FORMS: tuple[Form, ...] = ("seconds", "date", "epoch", "text", "broken")
"""How a 429 is said: Retry-After in seconds, as a date, as a UNIX time; GHCR's text; Docker Hub's broken bytes."""
TEXT_SECONDS = 0.88
"""What GHCR's text asks for."""
_BROKEN_STATUS = (500, 502, 503)
_BROKEN = (b"HTTP/1.0 429 Too Many Requests\nCache-Control: no-cache\nContent-Type: text/plain\n"
           b"Too Many Requests (HAP429)\n\nToo Many Requests (HAP429).\n")  # fmt: skip


@dataclass(frozen=True)
class Wounds:
    """What shall go wrong in a phase. Rates are shares of the requests that can be so injured.

    Attributes:
        forms: each is answered once.
        asked: simulated seconds that a 429 asks for, where its form says any.
        hang: token calls that are never answered; the first one of a phase is.
        broken: 500, 502 and 503.
        cut_answer: answers that end in a reset, in their body where they have one.
        cut_request: manifests that are put, and half read before the reset.
        lag: manifests that are put and not there yet.
        lag_seconds: simulated, until they are.
        expired: how often every token is forgotten in mid-flight.
        span: requests over which what happens so many times is spread.
    """

    forms: tuple[Form, ...] = FORMS
    asked: float = 3.0
    hang: float = 0.02
    broken: float = 0.005
    cut_answer: float = 0.002
    cut_request: float = 0.01
    lag: float = 0.02
    lag_seconds: float = 3.0
    expired: int = 1
    span: int = 1000


CALM = Wounds(forms=(), hang=0, broken=0, cut_answer=0, cut_request=0, lag=0, expired=0)
"""Nothing goes wrong."""


class _Every:
    """True for one of every 1/rate calls, somewhere among them."""

    def __init__(self, rate: float, draw: random.Random, *, first: bool = False) -> None:
        self._block = round(1 / rate) if rate else 0
        self._draw = draw
        self._number = 0
        self._hit = 0 if first else self._somewhere()

    def _somewhere(self) -> int:
        return self._draw.randrange(self._block) if self._block else -1

    def __call__(self) -> bool:
        if not self._block:
            return False
        number = self._number % self._block
        if number == 0 and self._number:
            self._hit = self._somewhere()
        self._number += 1
        return number == self._hit


class Injuries:
    """Decides, request by request, in the order in which they come."""

    def __init__(self, wounds: Wounds, seed: int = 0) -> None:
        """Equal seeds decide alike."""
        draw = random.Random(f"injuries {seed}")
        self.wounds = wounds
        once: list[Form | Literal["expired"]] = [*wounds.forms, *(["expired"] * wounds.expired)]  # type: ignore[list-item]  # a list of one literal is taken for one of str
        first, part = wounds.span // 20, max(wounds.span * 3 // 4 // max(len(once), 1), 1)
        places = [first + number * part + draw.randrange(part) for number in range(len(once))]  # one in each part
        draw.shuffle(once)
        self._once = dict(zip(places, once, strict=True))
        self._number = 0
        self._status = 0
        self._hang = _Every(wounds.hang, draw, first=True)
        self._broken = _Every(wounds.broken, draw)
        self._cut_answer = _Every(wounds.cut_answer, draw)
        self._cut_request = _Every(wounds.cut_request, draw)
        self._lag = _Every(wounds.lag, draw)

    def once(self) -> Form | Literal["expired"] | None:
        """What happens to this request of the registry, of all that happens so many times."""
        self._number += 1
        return self._once.pop(self._number - 1, None)

    def hangs(self) -> bool:
        """Whether this token call is never answered."""
        return self._hang()

    def broken(self) -> int:
        """The status that this request is answered with, or 0."""
        if not self._broken():
            return 0
        self._status += 1
        return _BROKEN_STATUS[self._status % len(_BROKEN_STATUS)]

    def cuts_answer(self) -> bool:
        """Whether the answer to this request ends in a reset."""
        return self._cut_answer()

    def cuts_request(self) -> bool:
        """Whether this manifest is read by half."""
        return self._cut_request()

    def lags(self) -> bool:
        """Whether this manifest, put, is not there yet."""
        return self._lag()


def too_many(form: Form, wait: float) -> tuple[dict[str, str], bytes] | bytes:
    """A 429 that asks for so many seconds: headers and body; or the very bytes, after which the connection ends.

    Seconds are those of the client's own pauses: where its clock runs fast, as the proxy's does, nothing is converted.
    A date and a UNIX time have whole seconds, and are counted from now.
    """
    body = refusal("TOOMANYREQUESTS", "too many requests")
    if form == "broken":
        return _BROKEN
    if form == "text":
        return {}, refusal("TOOMANYREQUESTS", f"retry-after: {TEXT_SECONDS * 1000:.0f}ms, allowed: 2000/minute")
    whole = max(1, round(wait))
    said = {"seconds": str(whole), "date": formatdate(time.time() + whole, usegmt=True),
            "epoch": str(int(time.time()) + whole)}[form]  # fmt: skip
    return {"Retry-After": said}, body
