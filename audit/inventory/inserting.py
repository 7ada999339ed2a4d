"""Where in a YAML inventory a host's lines go, and how they are written there."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from audit.errors import InventoryError
from audit.inventory.scalars import as_ansible, as_yaml12

_PLAIN = re.compile(r"[A-Za-z/_][A-Za-z0-9./_@:-]*")
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"})
"""Some readers of YAML 1.1 take the single letters for booleans, too."""
_ESCAPED = re.compile(r"[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML takes for a line's end, or refuses as it stands; below U+0020 JSON has escaped it already."""
BY_HAND = "add these lines by hand"


def groups_of(tree: Any) -> Iterator[tuple[str, CommentedMap, CommentedMap]]:
    """Every group: its name, the mapping that has it as a key, and its own; deepest last."""
    if not isinstance(tree, CommentedMap):
        return
    for key, value in tree.items():
        if isinstance(value, CommentedMap):
            yield str(key), tree, value
            yield from groups_of(value.get("children"))
        else:
            yield str(key), tree, CommentedMap()


def with_host(file: Path, text: str, tree: CommentedMap, name: str, variables: Mapping[str, Any], group: str) -> str:
    """The text with the host's lines in it.

    Args:
        file: for messages.
        text: of the inventory.
        tree: the same, read with places.
        name: of the host.
        variables: its own.
        group: to be in; empty: below ``all``.

    Raises:
        InventoryError: it is written so that no line can be put in.
    """
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += end
    place = [found for found in groups_of(tree) if found[0] == (group or "all")]
    if place:
        _, parent, own = place[-1]
        at, written = _into_group(file, lines, parent, own, group or "all", name, variables)
    else:
        at, written = _new_group(file, lines, tree, group or "all", name, variables)
    return "".join([*lines[:at], *(line + end for line in written), *lines[at:]])


def _into_group(
    file: Path, lines: Sequence[str], parent: CommentedMap, own: CommentedMap, group: str, name: str,
    variables: Mapping[str, Any],
) -> tuple[int, list[str]]:  # fmt: skip
    row, indent = _place(file, parent, group)
    _require_block(file, parent, row)
    hosts = own.get("hosts")
    if isinstance(hosts, CommentedMap) and len(hosts):
        _require_block(file, hosts, _place(file, own, "hosts")[0])
        last = list(hosts)[-1]
        row, indent = _place(file, hosts, last)
        return _end(lines, row, indent), _host(name, variables, indent, _step(lines, indent))
    step = _step(lines, indent)
    if "hosts" in own:
        row, column = _place(file, own, "hosts")
        if lines[row].split("#")[0].strip() not in ("hosts:", "hosts: {}", "hosts: null", "hosts: ~"):
            raise InventoryError(f"writes {group}'s hosts on one line: {BY_HAND}", file=file, line=row + 1)
        if lines[row].split("#")[0].strip() != "hosts:":
            raise InventoryError(f"says that {group} has no hosts: take that away first", file=file, line=row + 1)
        return row + 1, _host(name, variables, column + step, step)
    if len(own):
        column = _place(file, own, next(iter(own)))[1]
        return row + 1, [f"{' ' * column}hosts:", *_host(name, variables, column + step, step)]
    if lines[row].split("#")[0].strip() not in (f"{group}:", f'"{group}":', f"'{group}':"):
        raise InventoryError(f"writes {group} on one line: {BY_HAND}", file=file, line=row + 1)
    inner = indent + step
    return row + 1, [f"{' ' * inner}hosts:", *_host(name, variables, inner + step, step)]


def _new_group(
    file: Path, lines: Sequence[str], tree: CommentedMap, group: str, name: str, variables: Mapping[str, Any]
) -> tuple[int, list[str]]:
    step = _step(lines, 0)
    pad = " " * step
    if group == "all" or "all" not in tree:
        if len(tree):
            _require_block(file, tree, 0)
        if group == "all":
            return len(lines), ["all:", f"{pad}hosts:", *_host(name, variables, 2 * step, step)]
        body = [f"{pad}children:", f"{pad * 2}{group}:", f"{pad * 3}hosts:", *_host(name, variables, 4 * step, step)]
        return len(lines), ["all:", *body]
    top = tree["all"]
    row, indent = _place(file, tree, "all")
    _require_block(file, tree, row)
    children = top.get("children") if isinstance(top, CommentedMap) else None
    if isinstance(children, CommentedMap) and len(children):
        _require_block(file, children, row)
        last = list(children)[-1]
        row, column = _place(file, children, last)
        at = _end(lines, row, column)
        body = [f"{' ' * column}{group}:", f"{' ' * (column + step)}hosts:"]
        return at, [*body, *_host(name, variables, column + 2 * step, step)]
    if isinstance(top, CommentedMap) and len(top):
        column = _place(file, top, next(iter(top)))[1]
        if "children" in top:
            raise InventoryError(f"says that there are no groups: take that away first, or {BY_HAND}", file=file)
    else:
        column = indent + step
    body = [f"{' ' * column}children:", f"{' ' * (column + step)}{group}:", f"{' ' * (column + 2 * step)}hosts:"]
    return row + 1, [*body, *_host(name, variables, column + 3 * step, step)]


def _host(name: str, variables: Mapping[str, Any], indent: int, step: int) -> list[str]:
    pad, inner = " " * indent, " " * (indent + step)
    return [f"{pad}{scalar(name)}:", *(f"{inner}{key}: {scalar(value)}" for key, value in variables.items())]


def scalar(value: object) -> str:
    """As YAML 1.1, which Ansible reads, and 1.2 both read it: a text that either takes for something else is quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    is_text = isinstance(as_ansible(text), str) and isinstance(as_yaml12(text), str) and text.lower() not in _WORDS
    if _PLAIN.fullmatch(text) and is_text and not text.endswith(":"):
        return text
    return _ESCAPED.sub(lambda one: f"\\u{ord(one[0]):04x}", json.dumps(text, ensure_ascii=False))


def meant(text: str) -> str | int | bool:
    """What a person means by a scalar that is typed in: a boolean or a whole number where every YAML reads it so.

    ``true`` and ``2222`` are that; ``1.10``, ``no``, ``0x10``, ``1:30`` and ``null`` are the text that stands there, as
    is what stands in quotes.
    """
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        with contextlib.suppress(ValueError):
            return str(json.loads(text))
    return text


def _step(lines: Sequence[str], indent: int) -> int:
    """Columns that a level takes in this file."""
    for line in lines:
        own = len(line) - len(line.lstrip(" "))
        if own > indent and line.strip() and not line.lstrip().startswith(("#", "-")):
            return own - indent if own - indent <= 8 else 2
    widths = [len(line) - len(line.lstrip(" ")) for line in lines if line.startswith(" ") and line.strip()]
    return min(widths, default=2)


def _end(lines: Sequence[str], row: int, indent: int) -> int:
    """The line after a block that begins in `row`: of what stands at its end only deeper comments are its own."""
    last = row
    for number in range(row + 1, len(lines)):
        line = lines[number]
        if not line.strip():
            continue
        deeper = len(line) - len(line.lstrip(" ")) > indent
        if not deeper and not line.lstrip().startswith("#"):
            break
        if deeper:
            last = number
    return last + 1


def _place(file: Path, tree: CommentedMap, key: object) -> tuple[int, int]:
    """Line and column of a key; what a merge key (``<<``) brings has none here."""
    try:
        row, column = tree.lc.key(key)
    except (KeyError, TypeError):
        raise InventoryError(f"has {key} by a merge key (<<), which stands elsewhere: {BY_HAND}", file=file) from None
    return row, column


def _require_block(file: Path, tree: CommentedMap, row: int) -> None:
    if tree.fa.flow_style():
        raise InventoryError(f"is written on one line there: {BY_HAND}", file=file, line=row + 1)
