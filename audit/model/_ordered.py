"""What an ordered scale is: `Severity` and `Status` are two."""

from __future__ import annotations

from enum import StrEnum


class OrderedEnum(StrEnum):
    """A StrEnum whose members compare by the order they are written in, so that max() is a summary."""

    @property
    def rank(self) -> int:
        """0 for the first member."""
        return list(type(self)).index(self)

    def __lt__(self, other: str) -> bool:
        """Written earlier."""
        return self.rank < type(self)(other).rank

    def __le__(self, other: str) -> bool:
        """Written earlier, or the same."""
        return self.rank <= type(self)(other).rank

    def __gt__(self, other: str) -> bool:
        """Written later."""
        return self.rank > type(self)(other).rank

    def __ge__(self, other: str) -> bool:
        """Written later, or the same."""
        return self.rank >= type(self)(other).rank
