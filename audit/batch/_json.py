"""JSON with lines, which the library's own reader does not give for what it has read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from audit.batch._tree import Items, Node, Token, built, fail


def tree_of_json(text: str, name: str) -> Node:
    """The tree of a JSON document.

    Raises:
        PlacedError: it is none; with its line.
    """
    return built(_tokens(text, name), name) or Items(1)


_JSON = re.compile(
    r"[ \t\r\n]*(?:(?P<sign>[{}\[\],:])"
    r'|"(?P<text>[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*)"'
    r"|(?P<word>true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.+-])"
    r"|(?P<end>\Z))"
)


def _tokens(text: str, name: str) -> Iterator[Token]:
    line, counted, at = 1, 0, 0
    open_: list[str] = []
    wanted = "value"  # value, first (value or end), key, key-first, colon, more (comma or end), nothing
    while True:
        found = _JSON.match(text, at)
        start = found.start(found.lastgroup) if found and found.lastgroup else at
        line += text.count("\n", counted, start)
        counted = start
        if found is None:
            fail(
                name, line, "is not valid JSON: something here is neither a text in double quotes, a number, nor a sign"
            )
        at, kind, sign = found.end(), found.lastgroup, found["sign"]
        if kind == "end":
            if wanted != "nothing":
                fail(name, line, "is not valid JSON: it ends too early, so a part of it is missing")
            return
        if sign in ("}", "]") and open_ and open_[-1] == sign and wanted in ("more", "first", "key-first"):
            yield Token("end", line)
            open_.pop()
            wanted = "more" if open_ else "nothing"
        elif sign == "," and wanted == "more":
            wanted = "key" if open_[-1] == "}" else "value"
        elif sign == ":" and wanted == "colon":
            wanted = "value"
        elif sign in ("{", "[") and wanted in ("value", "first"):
            yield Token("map" if sign == "{" else "list", line)
            open_.append("}" if sign == "{" else "]")
            wanted = "key-first" if sign == "{" else "first"
        elif kind == "text" and wanted in ("key", "key-first"):
            yield Token("scalar", line, _unescaped(found["text"], name, line))
            wanted = "colon"
        elif kind in ("text", "word") and wanted in ("value", "first"):
            plain = kind == "word"
            yield Token("scalar", line, found["word"] if plain else _unescaped(found["text"], name, line), plain)
            wanted = "more" if open_ else "nothing"
        else:
            fail(name, line, f"is not valid JSON: {_MISSING[wanted]}")


_MISSING = {
    "value": "a value is missing here",
    "first": "a value is missing here",
    "key": 'a key in "double quotes" is missing here',
    "key-first": 'a key in "double quotes" is missing here',
    "colon": "a colon is missing after the key",
    "more": "a comma is missing, or a bracket that closes",
    "nothing": "something follows after its end",
}


def _unescaped(text: str, name: str, line: int) -> str:
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        fail(name, line, "is not valid JSON: a backslash begins no escape that JSON knows")
