"""From a file to YAML nodes with lines, and from nodes to trees: everything that can be wrong with the text itself."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.parser import Parser
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

from audit.inventory.place import Place, Tree
from audit.inventory.scalars import as_ansible

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 200
VAULT_HEADER = "$ANSIBLE_VAULT;"
_PLAIN = "plain"
_MERGE = "<<"
_VAULT_TAGS = {"!vault", "!vault-encrypted"}
_TEXT_TAG = "tag:yaml.org,2002:str"


class _Resolver(VersionedResolver):
    """Leaves plain scalars alone: we resolve the few that we use, and need their text."""

    plain = Tag(suffix=_PLAIN)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is ScalarNode and implicit[0]:
            return self.plain
        return super().resolve(kind, value, implicit)


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        InventoryError: missing, no file, unreadable, too large, or binary; it names the line of the first bad byte.
    """
    place = Place(str(path))
    try:
        if not path.exists():
            raise place.error("no such file or folder: give an inventory file, or a folder that holds one")
        if not path.is_file():
            raise place.error("is neither a file nor a folder: give an inventory file, or a folder that holds one")
        if path.stat().st_size > MAX_BYTES:
            raise place.error(f"is larger than {MAX_BYTES // 1024 // 1024} MiB: an inventory is never so large")
        data = path.read_bytes()
    except OSError as error:
        raise place.error(f"cannot be read ({error.strerror}): check its owner and mode") from None
    bad = data.find(0)
    text = ""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = error.start if bad < 0 else min(bad, error.start)
    if bad >= 0:
        line = data.count(b"\n", 0, bad) + 1
        raise place._replace(line=line).error("is not a UTF-8 text file: remove it, or save it as UTF-8")
    return text


def _yaml() -> YAML:
    """A composer that reads as Ansible's does; in C where ruamel.yaml.clib is installed."""
    yaml = YAML(typ="safe")
    yaml.version = (1, 1)
    yaml.Resolver = _Resolver
    yaml.max_depth = MAX_DEPTH
    return yaml


def _check_depth(text: str, file: str) -> None:
    """Refuse what would overflow the C composer's stack, which knows no `max_depth` (its events need no stack)."""
    yaml = _yaml()
    if yaml.Parser is Parser:
        return
    depth = 0
    for event in yaml.parse(text):
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1
                raise Place(file, line).error("is nested too deeply: an inventory needs a few levels only")
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


def compose(text: str, file: str) -> Node | None:
    """The root node of a document; None where it holds nothing but comments.

    Raises:
        InventoryError: not valid YAML, or more than one document; with the line.
    """
    collecting = gc.isenabled()
    gc.disable()  # nodes are many and all live: collecting while composing only costs time
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_depth(text, file)
            node: Node | None = _yaml().compose(text)
    except MaxDepthExceededError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 0
        raise Place(file, line).error("is nested too deeply: an inventory needs a few levels only") from None
    except MarkedYAMLError as error:
        opened = error.context_mark if "quoted scalar" in str(error.context) else None  # where the quote was opened
        mark = opened or error.problem_mark or error.context_mark
        what = " ".join(str(part).strip() for part in (error.context, error.problem) if part)
        raise Place(file, mark.line + 1 if mark else 0).error(f"is not valid YAML: {what}") from None
    except YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise Place(file, line).error(f"is not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise Place(file).error("is nested too deeply: an inventory needs a few levels only") from None
    except (ValueError, AssertionError, IndexError, KeyError, AttributeError, TypeError) as error:
        raise Place(file).error(f"is not valid YAML: {error or type(error).__name__}") from None
    finally:
        if collecting:
            gc.enable()
    return node if node is not None and not _is_null(node) else None


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == _PLAIN and as_ansible(node.value) is None


def line_of(node: Node) -> int:
    """The 1-based line that a node starts on."""
    return int(node.start_mark.line) + 1


def is_empty(node: Node) -> bool:
    """Whether nothing is written there (null)."""
    return _is_null(node)


def text_of(node: Node) -> str | None:
    """The text of a scalar that YAML 1.1 reads as text; None for anything else."""
    if not isinstance(node, ScalarNode):
        return None
    if node.tag == _PLAIN:
        return node.value if isinstance(as_ansible(node.value), str) else None
    return str(node.value) if node.tag == _TEXT_TAG else None


def name_of(node: Node, place: Place) -> str:
    """A key that must be text.

    Raises:
        InventoryError: YAML reads it as a number, a boolean, a date or a collection.
    """
    name = text_of(node)
    if name is not None:
        return name
    if not isinstance(node, ScalarNode):
        raise place._replace(line=line_of(node)).error("has a mapping or a list as key: a key must be a word")
    meant = as_ansible(node.value) if node.tag == _PLAIN else node.value
    raise place.under(str(node.value), line_of(node)).error(
        f'is a key that YAML reads as {meant!r}: write it in quotes, "{node.value}"'
    )


def pairs(node: Node, place: Place) -> Iterator[tuple[str, Place, Node]]:
    """The keys of a mapping in order: name, place, value; merge keys (``<<``) come first, as weaker values.

    Raises:
        InventoryError: no mapping, a key that is not text, or the same key twice.
    """
    if not isinstance(node, MappingNode):
        raise place.error(f"must be a mapping (name: value), and is {kind_of(node)}")
    seen: dict[str, int] = {}
    merged: list[Node] = []
    own: list[tuple[str, Place, Node]] = []
    for key, value in node.value:
        if isinstance(key, ScalarNode) and key.value == _MERGE and key.tag in (_PLAIN, "tag:yaml.org,2002:merge"):
            merged.extend(value.value if isinstance(value, SequenceNode) else [value])
            continue
        name = name_of(key, place)
        line = line_of(key)
        if name in seen:
            raise place.under(name, line).error(f"stands twice in this mapping, first in line {seen[name]}: delete one")
        seen[name] = line
        own.append((name, place.under(name, line), value))
    weaker: dict[str, tuple[str, Place, Node]] = {}
    for other in merged:
        if other is node or not isinstance(other, MappingNode):
            raise place.error("merges (<<) something that is no other mapping")
        for item in pairs(other, place):
            weaker.setdefault(item[0], item)
    yield from (item for name, item in weaker.items() if name not in seen)
    yield from own


def kind_of(node: Node) -> str:
    """What a message calls a node."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    return "empty" if _is_null(node) else f"{node.value!r}"


def tree_of(node: Node, place: Place, open_nodes: tuple[int, ...] = ()) -> Tree:
    """The value of a node as Ansible reads it, with places.

    Raises:
        InventoryError: a key twice, a key that is not text, or an alias that holds itself.
    """
    if id(node) in open_nodes or len(open_nodes) > MAX_DEPTH:
        raise place.error("holds itself through an alias: write it out")
    inside = (*open_nodes, id(node))
    if isinstance(node, MappingNode):
        return Tree({name: tree_of(value, at, inside) for name, at, value in pairs(node, place)}, place)
    if isinstance(node, SequenceNode):
        items = [tree_of(item, place.at(i, line_of(item)), inside) for i, item in enumerate(node.value)]
        return Tree(items, place)
    if node.tag == _PLAIN:
        return Tree(as_ansible(node.value), place, raw=node.value)
    tag = str(node.tag)
    if tag in _VAULT_TAGS:
        return Tree(node.value, place, encrypted=True)
    if tag.startswith("tag:yaml.org,2002:") and tag != _TEXT_TAG:
        return Tree(as_ansible(node.value), place, raw=node.value)
    return Tree(node.value, place, literal=tag == "!unsafe")


def tree_from_json(value: object, place: Place) -> Tree:
    """The same for a value that ``ansible-inventory`` printed: every part has the one place."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_vault"}:
            return Tree("", place, encrypted=True)
        if set(value) == {"__ansible_unsafe"}:
            return Tree(str(value["__ansible_unsafe"]), place, literal=True, loose=True)
        return Tree({str(k): tree_from_json(v, place.under(str(k))) for k, v in value.items()}, place, loose=True)
    if isinstance(value, list):
        return Tree([tree_from_json(item, place.at(i)) for i, item in enumerate(value)], place, loose=True)
    return Tree(value, place, loose=True)
