"""Version strings as workers write them, made comparable.

Distributions decorate: ``28.5.2+dfsg4``, ``24.0.7-0ubuntu4.1``, ``v0.29.1+ds1``, ``29.0.0-rc.1``, ``dev``.
What counts is the leading ``major.minor[.patch]`` and a pre-release mark of Docker's own (rc, beta, alpha, tp).
"""

from __future__ import annotations

import re
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

_LEADING = re.compile(r"v?(\d{1,5}(?:\.\d{1,5}){0,2})(?:[-~]?(rc|beta|alpha|tp)[.-]?(\d{1,5})?)?")
_PRE = {"rc": "rc", "beta": "b", "alpha": "a", "tp": "a"}


@lru_cache(maxsize=256)
def parse(text: str | None) -> Version | None:
    """The comparable part of a version string, or None where there is none (``dev``, empty)."""
    found = _LEADING.match((text or "").strip())
    if found is None:
        return None
    number, pre, count = found.groups()
    return Version(f"{number}{_PRE[pre]}{count or 0}" if pre else number)


def at_least(text: str | None, floor: str) -> bool | None:
    """Whether a version is `floor` or newer; None where it cannot be read."""
    version = parse(text)
    return None if version is None else version >= _floor(floor)


@lru_cache(maxsize=64)
def _floor(text: str) -> Version:
    return Version(text)


def within(text: str | None, wanted: str) -> bool | None:
    """Whether a version lies in a range such as ``>=0.13,<0.29``; None where it cannot be read.

    Raises:
        packaging.specifiers.InvalidSpecifier: the range is none (the policy's loader has refused it before).
    """
    version = parse(text)
    return None if version is None else SpecifierSet(wanted).contains(version, prereleases=True)


def release(text: str | None) -> str:
    """For people: ``28.5.2`` of ``28.5.2+dfsg4``; the text itself where it is no version, ``?`` where empty."""
    found = _LEADING.match((text or "").strip())
    return found.group(0).removeprefix("v") if found else (text or "?")


__all__ = ["InvalidSpecifier", "at_least", "parse", "release", "within"]
