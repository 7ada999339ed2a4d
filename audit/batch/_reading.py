"""From a plan's tree to its entries: keys checked, names completed, every text read once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from audit.batch._names import Reading, shown
from audit.batch._tree import Items, Node, Pairs, Scalar, fail
from audit.batch.model import BatchSource, Entry
from audit.errors import UsageError
from audit.image.annotation import Annotation
from audit.image.merged import Attest, Orphans
from audit.image.reference import Reference

VERSION = "1"
OPTIONS = ("attest", "orphans", "annotations", "prefer_index")
TOP = ("version", "merges", "defaults")
ENTRY = ("tags", "tag", "sources", "source", *OPTIONS)
SOURCE = ("image", "platform", "digest")
DEFAULTS = ("target", "staging", *OPTIONS)
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")


def entries_of(root: Node | None, reading: Reading) -> Iterator[Entry]:
    """The entries of a plan: its whole form, or the short one.

    Raises:
        PlacedError: it is neither; the sentence says what and in which line.
    """
    if root is None:
        fail(reading.name, 1, "holds no merge: write merges, or TAG: [SOURCE, …]")
    if not isinstance(root, Pairs):
        fail(reading.name, _line(root), "is no plan: it begins with neither merges nor TAG: [SOURCE, …]")
    keys = {key.text for key, _ in root}
    if not {"version", "merges"} & keys and ("defaults" not in keys or len(keys) == 1):
        if "defaults" in keys:
            fail(reading.name, root.line, "holds no merge: write merges, a list of tags and sources")
        yield from _short(root, reading)
        return
    parts = _members(root, TOP, "a plan", reading)
    if "version" in parts:
        said = _text(parts["version"], "version", reading)
        if said != VERSION:
            fail(
                reading.name,
                _line(parts["version"]),
                f"version {said[:40]!r} is not known: this fleet-audit reads version {VERSION}",
            )
    if "defaults" in parts:
        _defaults(parts["defaults"], reading)
    if "merges" not in parts:
        fail(reading.name, root.line, "holds no merge: write merges, a list of tags and sources")
    rows = parts["merges"]
    if isinstance(rows, Pairs):
        yield from _short(rows, reading)
        return
    if not isinstance(rows, Items):
        fail(reading.name, _line(rows), f"merges must be a list of tags and sources, and is {_kind(rows)}")
    rows.reverse()
    while rows:  # what was read is let go, so that the tree and the entries never stand beside each other
        yield _entry(rows.pop(), reading)


def _short(rows: Pairs, reading: Reading) -> Iterator[Entry]:
    rows.reverse()
    while rows:
        key, value = rows.pop()
        if key.empty:
            fail(reading.name, key.line, "has an empty tag: write TAG: [SOURCE, …]")
        near = difflib.get_close_matches(key.text, TOP, n=1)
        inside = value if isinstance(value, Items) else ()
        if near and (isinstance(value, Pairs) or any(isinstance(one, Pairs) and _entry_like(one) for one in inside)):
            fail(reading.name, key.line, f"{shown(key.text)} is no key of a plan: did you mean {near[0]}?")
        if isinstance(value, Pairs) or (isinstance(value, Scalar) and value.empty):
            fail(reading.name, key.line, f"{shown(key.text)} needs a list of sources, and has {_kind(value)}")
        tag = reading.tag(key.text, key.line)
        yield _made((tag,), _sources(value, key.line, reading), {}, key.line, reading)


def _entry_like(node: Pairs) -> bool:
    return bool({key.text for key, _ in node} & set(ENTRY))


def _entry(node: Node, reading: Reading) -> Entry:
    if not isinstance(node, Pairs):
        fail(reading.name, _line(node), f"a merge must be a mapping with tags and sources, and is {_kind(node)}")
    parts = _members(node, ENTRY, "a merge", reading)
    tags = _one_of(parts, "tags", "tag", node.line, reading)
    texts = list(_texts(tags, "tags", reading))
    if not texts:
        fail(reading.name, _line(tags), "a merge has no tags: name at least one")
    named = tuple(reading.tag(one.text, one.line) for one in texts)
    sources = _sources(_one_of(parts, "sources", "source", node.line, reading), node.line, reading)
    return _made(named, sources, _options(parts, reading), node.line, reading)


def _made(
    tags: tuple[Reference, ...], sources: tuple[BatchSource, ...], said: dict[str, Any], line: int, reading: Reading
) -> Entry:
    options = reading.options | said if said else reading.options
    return Entry(tags=tags, sources=sources, where=f"{reading.name}, line {line}", **options)


def _sources(node: Node, line: int, reading: Reading) -> tuple[BatchSource, ...]:
    rows: Iterable[Node] = node if isinstance(node, Items) else (node,)
    found = tuple(_source(one, reading) for one in rows)
    if not found:
        fail(reading.name, line, "a merge has no sources: name at least one image")
    return found


def _source(node: Node, reading: Reading) -> BatchSource:
    if isinstance(node, Scalar):
        return reading.source(_text(node, "a source", reading), node.line)
    if not isinstance(node, Pairs):
        fail(reading.name, node.line, "a source must be a name or {image: NAME, platform: …}, and is a list")
    parts = _members(node, SOURCE, "a source", reading)
    if "image" not in parts:
        fail(reading.name, node.line, "a source has no image: write {image: NAME, platform: …, digest: …}")
    platform = None
    if "platform" in parts:
        platform = reading.platform(_text(parts["platform"], "platform", reading), _line(parts["platform"]))
    digest = _text(parts["digest"], "digest", reading) if "digest" in parts else ""
    return reading.source(_text(parts["image"], "image", reading), node.line, platform, digest)


def _defaults(node: Node, reading: Reading) -> None:
    if not isinstance(node, Pairs):
        fail(reading.name, _line(node), f"defaults must be a mapping, and is {_kind(node)}")
    parts = _members(node, DEFAULTS, "defaults", reading)
    for key in ("target", "staging"):
        if key not in parts:
            continue
        text, line = _text(parts[key], f"defaults.{key}", reading), _line(parts[key])
        try:
            name = Reference.parse(text)
        except UsageError as error:
            fail(reading.name, line, f"defaults.{key}: {error}")
        if name.digest is not None or ":" in text.rpartition("/")[2]:
            fail(reading.name, line, f"defaults.{key}: {shown(text)} must be a repository, without a tag and a digest")
        setattr(reading, key, name.name)
    reading.options = _options(parts, reading)


def _options(parts: dict[str, Node], reading: Reading) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, allowed in (("attest", get_args(Attest)), ("orphans", get_args(Orphans))):
        if key in parts:
            found[key] = _word(parts[key], key, allowed, reading)
    if "prefer_index" in parts:
        found["prefer_index"] = _word(parts["prefer_index"], "prefer_index", TRUE + FALSE, reading) in TRUE
    if "annotations" in parts:
        made: list[Annotation] = []
        for one in _texts(parts["annotations"], "annotations", reading):
            try:
                made.extend(Annotation.parse(one.text))
            except UsageError as error:
                fail(reading.name, one.line, str(error).removeprefix("--"))
        found["annotations"] = tuple(made)
    return found


def _word(node: Node, key: str, allowed: tuple[str, ...], reading: Reading) -> str:
    text = _text(node, key, reading, plain=True)
    text = text.lower() if key == "prefer_index" else text
    if text not in allowed:
        right = ("true", "false") if key == "prefer_index" else allowed
        fail(reading.name, _line(node), f"{key} must be {' or '.join(right)}, and is {shown(text)}")
    return text


def _members(node: Pairs, known: tuple[str, ...], where: str, reading: Reading) -> dict[str, Node]:
    """Keys and values of a mapping that has these keys only, each once."""
    found: dict[str, Node] = {}
    for key, value in node:
        text = key.text
        if text not in known:
            near = difflib.get_close_matches(text, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            fail(reading.name, key.line, f"{shown(text)} is no key of {where}: {hint}")
        if text in found:
            fail(reading.name, key.line, f"{text} stands twice in one mapping: delete one of them")
        found[text] = value
    return found


def _one_of(parts: dict[str, Node], many: str, one: str, line: int, reading: Reading) -> Node:
    if many in parts and one in parts:
        fail(reading.name, line, f"a merge has both {one} and {many}: write {many} only")
    found = parts.get(many, parts.get(one))
    if found is None:
        fail(reading.name, line, f"a merge has no {many}: write {many}: […]")
    return found


def _texts(node: Node, key: str, reading: Reading) -> Iterator[Scalar]:
    """One text, or a list of them."""
    for one in node if isinstance(node, Items) else (node,):
        _text(one, key, reading)
        if isinstance(one, Scalar):
            yield one


def _text(node: Node, key: str, reading: Reading, *, plain: bool = False) -> str:
    if not isinstance(node, Scalar):
        fail(reading.name, _line(node), f"{key} must be a text, and is {_kind(node)}")
    if node.empty or (not node.text and not plain):
        fail(reading.name, node.line, f"{key} is empty: write it, or delete the key")
    return node.text


def _line(node: Node) -> int:
    return node.line


def _kind(node: Node) -> str:
    if isinstance(node, Pairs):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    return "empty" if node.empty else shown(node.text)
