"""Reading what a worker said without trusting its types: everything here returns, or raises `CannotTell`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from audit.fact import CannotTell, parse_object
from audit.model import Reason, Unknown

MOST_ITEMS = 200
MOST_CHARACTERS = 500
_USERINFO = re.compile(r"://[^\s\"]*@")
_DIGITS = re.compile(r"\d{1,18}")


def cannot_tell(reason: Reason, detail: str) -> CannotTell:
    """The exception that makes a fact Unknown."""
    return CannotTell(Unknown(reason=reason, detail=short(detail)))


def garbled(detail: str) -> CannotTell:
    """An answer that is not what the program should say."""
    return cannot_tell(Reason.GARBLED, detail)


def short(text: str) -> str:
    """No more than a line for people; a half of a surrogate pair becomes ``?``."""
    if text.isascii() and len(text) <= MOST_CHARACTERS:
        return text
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def no_userinfo(text: str) -> str:
    """URLs without user and password."""
    return short(_USERINFO.sub("://***@", text))


def number(text: str | None) -> int | None:
    """A plain decimal number, or None."""
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None


class Lines:
    """An answer of lines ``WORD rest``, and the JSON document after the line ``json``, where there is one.

    Attributes:
        json_text: what stands after the line ``json``; None where there is no such line.
    """

    def __init__(self, text: str) -> None:
        """Split the text."""
        self.json_text: str | None = None
        self._pairs: list[tuple[str, str]] = []
        head, marker, tail = f"\n{text}".partition("\njson\n")
        if marker:
            self.json_text = tail
        for line in head.split("\n"):
            word, _, rest = line.partition(" ")
            if word:
                self._pairs.append((word, rest.strip()))

    def all(self, word: str) -> list[str]:
        """What stands after the word on each line that begins with it; at most `MOST_ITEMS`."""
        return [short(rest) for name, rest in self._pairs if name == word][:MOST_ITEMS]

    def first(self, word: str) -> str | None:
        """The first of them, or None; an empty one is None too."""
        return next((short(rest) for name, rest in self._pairs if name == word and rest), None)

    def has(self, word: str) -> bool:
        """Whether a line begins with it."""
        return any(name == word for name, _ in self._pairs)

    def json(self, what: str) -> dict[str, Any]:
        """The document as an object, or CannotTell (garbled)."""
        return parse_object(self.json_text or "", what)


@lru_cache(maxsize=32)
def split_lines(text: str) -> Lines:
    """The answer split once, though several facts read it; nothing changes a `Lines`."""
    return Lines(text)


class Doc:
    """A JSON object whose values are taken out by type: null and a missing key are None, a wrong type is garbled."""

    def __init__(self, value: Mapping[str, Any], what: str) -> None:
        """Wrap; `what` names it in messages."""
        self._value = value
        self._what = what

    def _wrong(self, key: str) -> CannotTell:
        return garbled(f"{self._what}: {key} has a value of the wrong type")

    def raw(self, key: str) -> Any:
        """The value as it is."""
        return self._value.get(key)

    def names(self) -> list[str]:
        """The keys, sorted; at most `MOST_ITEMS`."""
        return sorted(short(key) for key in self._value)[:MOST_ITEMS]

    def text(self, key: str) -> str | None:
        """A string; an empty one is None."""
        value = self.raw(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key)
        return short(value) if value else None

    def flag(self, key: str) -> bool:
        """A boolean; None counts as False."""
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(key)
        return bool(value)

    def count(self, key: str) -> int | None:
        """A whole number."""
        value = self.raw(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise self._wrong(key)
        return value if value is None or abs(value) < 10**18 else None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(self._text_of(item, key) for item in self._list(key))

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A list of pairs of strings."""
        found = []
        for item in self._list(key):
            if not isinstance(item, list) or len(item) != 2:
                raise self._wrong(key)
            found.append((self._text_of(item[0], key), self._text_of(item[1], key)))
        return tuple(found)

    def doc(self, key: str) -> Doc:
        """An object; a missing one is empty."""
        value = self.raw(key)
        if value is not None and not isinstance(value, dict):
            raise self._wrong(key)
        return Doc(value or {}, f"{self._what}.{short(key)}")

    def docs(self, key: str) -> tuple[Doc, ...]:
        """A list of objects."""
        found = []
        for item in self._list(key):
            if not isinstance(item, dict):
                raise self._wrong(key)
            found.append(Doc(item, f"{self._what}.{key}"))
        return tuple(found)

    def members(self, key: str) -> Iterator[tuple[str, Doc]]:
        """An object of objects, in order of its keys."""
        inner = self.doc(key)
        for name in sorted(inner._value)[:MOST_ITEMS]:
            yield short(name), inner.doc(name)

    def _list(self, key: str) -> list[Any]:
        value = self.raw(key)
        if value is not None and not isinstance(value, list):
            raise self._wrong(key)
        return (value or [])[:MOST_ITEMS]

    def _text_of(self, item: Any, key: str) -> str:
        if not isinstance(item, str):
            raise self._wrong(key)
        return short(item)
