"""Annotations as they are asked for on a command line: ``[WHERE[,WHERE]:]KEY=VALUE``, as buildx reads them."""

from __future__ import annotations

import re
from typing import Literal

from audit.errors import UsageError
from audit.image.platform import Platform
from audit.value import Model

_WHERE = re.compile(r"(?P<where>[a-z-]+)(?:\[(?P<platform>[A-Za-z0-9_./()-]+)\])?")
_ELSEWHERE = {
    "manifest": "that would change the image, and with it its digest",
    "index-descriptor": "nothing describes a merged index",
}


class Annotation(Model):
    """One annotation of a merged index, or of the descriptors in it.

    Attributes:
        where: ``index`` for the index itself, ``manifest-descriptor`` for its entries.
        platform: only for the entries of this one; None for every entry, attestations too.
        key: e.g. ``org.opencontainers.image.source``.
        value: any text.
    """

    where: Literal["index", "manifest-descriptor"] = "index"
    platform: Platform | None = None
    key: str
    value: str

    @classmethod
    def parse(cls, text: str) -> tuple[Annotation, ...]:
        """Read what was asked for; without a place it is for the index.

        Raises:
            UsageError: it is none, or stands where a merge cannot put it.
        """
        name, equals, value = text.partition("=")
        places, colon, key = name.partition(":")
        if not colon:
            places, key = "index", places
        if not equals or not key:
            raise UsageError(f"--annotation {text[:100]!r}: write KEY=VALUE, or index:KEY=VALUE")
        return tuple(cls._one(place, key, value, text) for place in places.split(","))

    @classmethod
    def _one(cls, place: str, key: str, value: str, text: str) -> Annotation:
        found = _WHERE.fullmatch(place)
        where = found["where"] if found else place
        if where in _ELSEWHERE:
            raise UsageError(f"--annotation {text[:100]!r}: {where} is no place for one here: {_ELSEWHERE[where]}")
        platform = Platform.parse(found["platform"]) if found and found["platform"] else None
        if where == "manifest-descriptor":
            return cls(where="manifest-descriptor", platform=platform, key=key, value=value)
        if where != "index" or platform is not None:
            raise UsageError(
                f"--annotation {text[:100]!r}: before the colon stands index, or manifest-descriptor with a platform "
                "in brackets if need be"
            )
        return cls(where="index", key=key, value=value)

    def __str__(self) -> str:
        """As buildx takes it."""
        platform = f"[{self.platform}]" if self.platform else ""
        return f"{self.where}{platform}:{self.key}={self.value}"
