"""A host written into a YAML inventory: lines put in where its siblings are, every other byte as it was.

    made = planned([Path("inventory")], NewHost("w08", {"ansible_host": "10.0.0.8"}, ("arm64",)))
    write(made)

The file is not printed anew from what was read, which would lose spacing and quotes: the new lines go in as text, and
what comes of it is read again and compared with what was wanted.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, TaggedScalar
from ruamel.yaml.error import YAMLError

from audit.errors import InventoryError, UsageError
from audit.inplace import alone, replace
from audit.inventory.inserting import BY_HAND, groups_of, with_host
from audit.inventory.writable import NewHost, file_of, require_writable, require_yaml

__all__ = ["Added", "Changed", "NewHost", "groups_naming", "planned", "tried", "write"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,251}")


class Changed(InventoryError):  # noqa: N818 - an outcome: it is tried again
    """The file is another one than was read: all of it may be tried again."""


@dataclass(frozen=True)
class Added:
    """What was, or would be, written.

    Attributes:
        file: that has the host now.
        before, after: its text.
        lines: that are new, with their numbers, from 1; none: it is there already, just so.
    """

    file: Path
    before: str
    after: str
    lines: tuple[tuple[int, str], ...]


def planned(sources: Sequence[Path], host: NewHost) -> Added:
    """What adding the host would write; nothing is written.

    Args:
        sources: YAML files, or folders with a hosts.yml; the first that is such is the one.
        host: to be added.

    Raises:
        UsageError: a name is none for Ansible, or no source is a YAML inventory.
        InventoryError: the file cannot be read, is an INI inventory or write-protected, has a host of that name that is
            another one or a group of that name, or is written in a way that no line can be put into.
    """
    if _NAME.fullmatch(host.name) is None or host.name in ("all", "ungrouped", "localhost"):
        raise UsageError(f"{host.name!a}: is no name of a host; write letters, digits, '.', '_' and '-'")
    for group in host.groups:
        if _GROUP.fullmatch(group) is None:
            raise UsageError(f"--group {group!a}: is no name of a group; write letters, digits and '_'")
    file = file_of(sources, host)
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            text = opened.read()
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InventoryError(f"cannot be read: {what}", file=file) from None
    require_yaml(file, text, host)
    tree = _tree(file, text)
    there = _found(tree, host.name)
    if there is not None:
        return _already(file, text, host, there)
    _require_no_group(file, tree, host)
    require_writable(file)
    after = text
    for number, group in enumerate(host.groups or ("",)):
        variables = host.variables if number == 0 else {}
        after = with_host(file, after, _tree(file, after) if number else tree, host.name, variables, group)
    _require_right(file, tree, after, host)
    old, new = text.splitlines(keepends=True), after.splitlines(keepends=True)
    return Added(file, text, after, tuple(_new_lines(old, new)))


def groups_naming(sources: Sequence[Path], name: str) -> tuple[str, ...]:
    """The groups that name a host by itself, in the file that `planned` writes into; none: it stands in a range."""
    try:
        file = file_of(sources, NewHost(name))
        tree = _tree(file, file.read_text(encoding="utf-8"))
    except (OSError, ValueError, InventoryError, UsageError):
        return ()  # `planned` says what is wrong with it
    found = (group for group, _, own in groups_of(tree)
             if isinstance(own.get("hosts"), CommentedMap) and name in own["hosts"])  # fmt: skip
    return tuple(dict.fromkeys(group for group in found if group != "all"))


@contextlib.contextmanager
def tried(made: Added, sources: Sequence[Path]) -> Iterator[list[Path]]:
    """The sources as they would be, in a folder that goes away: to be read before anything is written.

    Args:
        made: not written yet.
        sources: all of them, in their order.

    Raises:
        InventoryError: they cannot be copied.
    """
    with tempfile.TemporaryDirectory(prefix="fleet-audit-") as place:
        copies = []
        try:
            for number, source in enumerate(sources):
                copy = Path(place) / str(number) / source.resolve().name
                copy.parent.mkdir()
                if source.is_dir():
                    shutil.copytree(source, copy)
                else:
                    shutil.copy(source, copy)
                copies.append(copy)
                if made.file == source or source in made.file.parents:
                    target = copy / made.file.relative_to(source) if source.is_dir() else copy
                    target.chmod(0o600)
                    with target.open("w", encoding="utf-8", newline="") as file:
                        file.write(made.after)
        except (OSError, shutil.Error) as error:
            what = f"cannot be tried: {getattr(error, 'strerror', None) or error}; nothing was changed"
            raise InventoryError(what, file=made.file) from None
        yield copies


def write(made: Added) -> bool:
    """Write it, under a lock, by another file put in its place, with its mode; a symbolic link stays one.

    Returns:
        Whether it belongs to whom it belonged; only root can give a file to somebody else.

    Raises:
        Changed: it is another file than was read; nothing has changed then.
        InventoryError: it cannot be written; nothing has changed then.
    """
    if not made.lines:
        return True
    path = made.file.resolve()
    try:
        with alone(path.parent):
            seen = path.stat()
            if path.read_bytes() != made.before.encode():
                raise Changed("has changed while the host was added: do it again", file=made.file)
            return replace(path, made.after.encode(), seen)
    except OSError as error:
        raise InventoryError(f"cannot be written: {error.strerror}; nothing was changed", file=made.file) from None


def _require_no_group(file: Path, tree: CommentedMap, host: NewHost) -> None:
    """One name for a host and a group: Ansible warns, and a pattern of that name means both."""
    named = {group: mapping.lc.key(group)[0] + 1 for group, mapping, _ in groups_of(tree) if group in mapping}
    if host.name in named or host.name in host.groups:
        what = f"has a group {host.name}, so a host cannot be called so: patterns would mean both"
        raise InventoryError(f"{what}; give the host another name", file=file, line=named.get(host.name))
    taken = next((group for group in host.groups if _found(tree, group) is not None), None)
    if taken is not None:
        raise InventoryError(f"has a host {taken}, so a group cannot be called so: patterns would mean both", file=file)


def _tree(file: Path, text: str) -> CommentedMap:
    try:
        tree = YAML(typ="rt").load(text)
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise InventoryError(
            f"is no YAML that can be read: {getattr(error, 'problem', error)}",
            file=file,
            line=mark.line + 1 if mark else None,
        ) from None
    if tree is None:
        return CommentedMap()
    if not isinstance(tree, CommentedMap):
        raise InventoryError("is no inventory: it is not a mapping of groups", file=file)
    return tree


def _found(tree: CommentedMap, name: str) -> tuple[int, dict[str, Any], set[str]] | None:
    """A host that is there: its line, its variables, and the groups that name it."""
    line, variables, groups = 0, dict[str, Any](), set[str]()
    for group, _, own in groups_of(tree):
        hosts = own.get("hosts")
        if isinstance(hosts, CommentedMap) and name in hosts:
            line = line or hosts.lc.key(name)[0] + 1
            variables |= dict(hosts[name] or {})
            groups.add(group)
    return (line, variables, groups) if groups else None


def _already(file: Path, text: str, host: NewHost, there: tuple[int, dict[str, Any], set[str]]) -> Added:
    line, variables, groups = there
    same = all(str(variables.get(name)) == str(value) for name, value in host.variables.items())
    if same and set(host.groups) <= groups:
        return Added(file, text, text, ())
    raise InventoryError(f"has a host {host.name} already, which is another one: change it there", file=file, line=line)


# ------------------------------------------------------------------- what came of it


def _require_right(file: Path, before: CommentedMap, after: str, host: NewHost) -> None:
    """The new text says what the old one did, and the host; else nothing may be written."""
    tree = _tree(file, after)
    there = _found(tree, host.name)
    wanted = {name: value if isinstance(value, bool | int) else str(value) for name, value in host.variables.items()}
    read = there[1] if there is not None else {}
    right = there is not None and _typed(read) == _typed(wanted) and set(host.groups or ("all",)) == there[2]
    if not right or _without(tree, host) != _without(before, host):
        raise InventoryError(f"is written in a way that no host can be put into: {BY_HAND}", file=file)


def _typed(values: Mapping[str, Any]) -> dict[str, tuple[bool, Any]]:
    """True is no 1."""
    return {name: (isinstance(value, bool), value) for name, value in values.items()}


def _without(tree: CommentedMap, host: NewHost) -> Any:
    """The plain value without the host, and without groups that have nothing."""

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            items = {str(name): plain(one, str(name)) for name, one in value.items()}
            if key == "hosts":
                items.pop(host.name, None)
            return {name: one for name, one in items.items() if one not in ({}, None) or key == "hosts"}
        if isinstance(value, TaggedScalar):  # a vaulted value, say; two of them are never equal
            return [str(value.tag), str(value.value)]
        return [plain(one) for one in value] if isinstance(value, list) else value

    return plain(tree)


def _new_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, str]]:
    place = 0
    for number, line in enumerate(new, 1):
        if place < len(old) and line.rstrip("\r\n") == old[place].rstrip("\r\n"):
            place += 1
        else:
            yield number, line.rstrip("\r\n")
