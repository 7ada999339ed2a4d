"""From a plan's text to a small tree with lines: JSON and YAML give the same one.

Scalars keep the text that was written: ``1.10`` stays ``1.10`` and ``no`` stays ``no``. What a text means is for those
to say who know the key. The tree is built from tokens: a parser's own nodes would be ten times as large.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Literal, NamedTuple, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from audit.errors import PlacedError

MOST_NODES = 8_000_000
"""Scalars, lists and mappings of a plan, each as often as aliases repeat it."""
DEEPEST = 20
"""Lists and mappings in one another; a plan needs four."""
MOST_PURE = 16 << 20
"""Characters that are read by Python, where libyaml cannot: a second a million."""
NULLS = ("", "~", "null", "Null", "NULL")


_TAGS = "tag:yaml.org,2002:"
_PLAIN_TAGS = ("", "!", "str", "int", "float", "bool", "null", "timestamp", "map", "seq")


class Scalar:
    """One value as it was written.

    Attributes:
        text: of it, escapes read.
        line: 1-based.
        plain: it stood without quotes; of JSON, it is a number, a boolean or null.
    """

    __slots__ = ("line", "plain", "text")

    def __init__(self, text: str, line: int, *, plain: bool) -> None:
        """As its attributes say."""
        self.text, self.line, self.plain = text, line, plain

    @property
    def empty(self) -> bool:
        """Nothing is written there: null."""
        return self.plain and self.text in NULLS


class Items(list["Node"]):
    """A list.

    Attributes:
        line: that it begins on.
        size: nodes in it, itself counted.
    """

    __slots__ = ("line", "size")

    def __init__(self, line: int) -> None:
        """Empty yet."""
        super().__init__()
        self.line, self.size = line, 1


class Pairs(list[tuple[Scalar, "Node"]]):
    """A mapping, in the order in which it was written.

    Attributes:
        line: that it begins on.
        size: nodes in it, itself counted.
    """

    __slots__ = ("line", "size")

    def __init__(self, line: int) -> None:
        """Empty yet."""
        super().__init__()
        self.line, self.size = line, 1


Node = Scalar | Items | Pairs


class Token(NamedTuple):
    """What a text is made of.

    Attributes:
        kind: a mapping or a list begins, one of them ends, a scalar, what an alias repeats, one more document.
        anchor: the name that the value has, or that is repeated.
    """

    kind: Literal["map", "list", "end", "scalar", "alias", "document"]
    line: int
    text: str = ""
    plain: bool = False
    anchor: str | None = None


def tree_of_yaml(text: str, name: str) -> Node | None:
    """The tree of a YAML document; None where it holds comments only.

    Raises:
        PlacedError: it is none, or several; with its line.
    """
    try:
        return built(_yaml_tokens(text, name), name)
    except PlacedError as error:
        # libyaml reads YAML 1.1, where [repository:tag] needs quotes; in YAML 1.2 it does not.
        if "unexpected ':'" not in error.message:
            raise
        if len(text) > MOST_PURE:
            fail(name, error.line or 1, "has a colon in [brackets] without quotes: in so large a plan, write quotes")
    return built(_yaml_tokens(text, name, pure=True), name)


def fail(name: str, line: int, message: str) -> NoReturn:
    """One sentence with its place.

    Raises:
        PlacedError: always.
    """
    raise PlacedError(message, file=name, line=line)


def built(tokens: Iterator[Token], name: str) -> Node | None:
    """The one value that these tokens are; None where there is none.

    Raises:
        PlacedError: they are nested too deeply, or too many, or repeat what is not known.
    """
    root: Node | None = None
    spare: dict[str, Node] = {}
    names: list[str | None] = []
    open_: list[Items | Pairs] = []
    keys: list[Scalar | None] = []
    total = documents = 0
    for kind, line, text, plain, anchor in tokens:
        node: Node
        if kind == "document":
            documents += 1
            if documents > 1:
                fail(name, line, "begins a second document: put every merge into the first one")
            continue
        if kind == "end":
            node = open_.pop()
            keys.pop()
            if (called := names.pop()) is not None:
                spare[called] = node
            if open_:
                open_[-1].size += node.size
            continue
        if kind == "alias":
            found = spare.get(anchor or "")
            if found is None:
                fail(name, line, f"repeats *{anchor}, which does not end before this line: write it out")
            node = found
        elif kind == "scalar":
            node = Scalar(text, line, plain=plain)
        else:
            node = Pairs(line) if kind == "map" else Items(line)
        total += 1 if isinstance(node, Scalar) else node.size
        if total > MOST_NODES:
            fail(name, line, f"holds more than {MOST_NODES:,} values: split it into several plans")
        if not open_:
            root = node
        else:
            _put(open_[-1], keys, node, name, line)
            if kind in ("alias", "scalar"):
                open_[-1].size += 1 if isinstance(node, Scalar) else node.size
        if kind in ("map", "list"):
            if len(open_) >= DEEPEST:
                fail(name, line, "is nested too deeply: a plan needs four levels")
            open_.append(node)  # type: ignore[arg-type]  # a mapping or a list, as the kind says
            keys.append(None)
            names.append(anchor)
        elif anchor is not None:
            spare[anchor] = node
    return root


def _put(into: Items | Pairs, keys: list[Scalar | None], node: Node, name: str, line: int) -> None:
    if isinstance(into, Items):
        into.append(node)
    elif (key := keys[-1]) is not None:
        into.append((key, node))
        keys[-1] = None
    elif isinstance(node, Scalar):
        keys[-1] = node
    else:
        fail(name, line, "has a mapping or a list as a key: a key must be a word")


def _yaml_tokens(text: str, name: str, *, pure: bool = False) -> Iterator[Token]:
    """By libyaml where ruamel.yaml.clib is installed, which is ten times as fast as Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for event in YAML(typ="safe", pure=pure).parse(text):
                found = _token(event, name)
                if found is not None:
                    yield found
    except MarkedYAMLError as error:
        opened = error.context_mark if "quoted scalar" in str(error.context) else None  # where the quote was opened
        mark = opened or error.problem_mark or error.context_mark
        what = " ".join(str(part).strip() for part in (error.context, error.problem) if part)
        fail(name, mark.line + 1 if mark else 1, f"is not valid YAML: {what}")
    except YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        fail(name, line, f"is not valid YAML: {str(error).splitlines()[0]}")
    except (ValueError, AssertionError, IndexError, KeyError, AttributeError, TypeError, RecursionError) as error:
        fail(name, 1, f"is not valid YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}")


def _token(event: Event, name: str) -> Token | None:
    line = int(event.start_mark.line) + 1
    if isinstance(event, ScalarEvent):
        _check_tag(event, name, line)
        # libyaml says in `implicit` whether a scalar stood there without quotes; `style` is empty for it too.
        return Token("scalar", line, str(event.value), not event.style, event.anchor)
    if isinstance(event, MappingStartEvent):
        _check_tag(event, name, line)
        return Token("map", line, anchor=event.anchor)
    if isinstance(event, SequenceStartEvent):
        _check_tag(event, name, line)
        return Token("list", line, anchor=event.anchor)
    if isinstance(event, CollectionEndEvent):
        return Token("end", line)
    if isinstance(event, AliasEvent):
        return Token("alias", line, anchor=event.anchor)
    return Token("document", line) if isinstance(event, DocumentStartEvent) else None


def _check_tag(event: Event, name: str, line: int) -> None:
    tag = str(getattr(event, "tag", None) or "")
    if tag.removeprefix(_TAGS) not in _PLAIN_TAGS:
        fail(name, line, f"has the tag {tag[:60]!r}: a plan holds plain values, so remove it")
