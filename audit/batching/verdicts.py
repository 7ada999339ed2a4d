"""What a failure means for the tag that met it, and for the others."""

from __future__ import annotations

from typing import Literal, NamedTuple

from audit.errors import StepError
from audit.registry import Denied, LoginLocked, LoginRefused, RegistryError, TlsFailed

_LOCKED = 900.0
"""Docker Hub locks an account for 10 to 15 minutes; asking in that time begins them anew."""
_FIRST, _LONGEST = 15.0, 300.0


class Verdict(NamedTuple):
    """What is done about a failure.

    Attributes:
        what: the tag comes back later, or never.
        seconds: to wait at least before it comes back.
        closes: the repository or the registry takes nothing more from us in this run; None: only this tag is meant.
    """

    what: Literal["park", "fail"]
    seconds: float = 0.0
    closes: Literal["repository", "registry"] | None = None


def verdict(error: StepError, attempts: int) -> Verdict:
    """What is done about it, after so many attempts at that tag.

    What a registry may do otherwise a little later is parked; wrong sources, rights and settings are not: they stay
    wrong until a person has done something. Where the account may not write a repository, no other tag is tried there.
    """
    if not isinstance(error, RegistryError):
        return Verdict("fail")
    if isinstance(error, LoginLocked):
        return Verdict("park", max(error.after or 0.0, _LOCKED))
    if error.transient:
        return Verdict("park", max(error.after or 0.0, min(_LONGEST, _FIRST * 2 ** min(attempts - 1, 10))))
    if isinstance(error, Denied) and error.call.kind.partition(" ")[0] in ("PUT", "POST", "PATCH"):
        return Verdict("fail", closes="repository")
    if isinstance(error, LoginRefused | TlsFailed):
        return Verdict("fail", closes="registry")
    return Verdict("fail")
