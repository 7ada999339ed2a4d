"""A host written into a YAML inventory: lines put in where its siblings are, every other byte as it was.

    made = planned([Path("inventory")], NewHost("w08", {"ansible_host": "10.0.0.8"}, ("arm64",)))
    write(made)

The file is not printed anew from what was read, which would lose spacing and quotes: the new lines go in as text, and
what comes of it is read again and compared with what was wanted.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from audit.errors import InventoryError, UsageError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,251}")
_PLAIN = re.compile(r"[A-Za-z./_][A-Za-z0-9./_@:-]*")
_FILES = ("hosts.yml", "hosts.yaml", "inventory.yml", "inventory.yaml")
_ALSO = "add these lines by hand"


@dataclass(frozen=True)
class NewHost:
    """What is to be written.

    Attributes:
        name: of the host.
        variables: its own, by name; they stand with it in the first group.
        groups: to be in, at least in these; none: below ``all``.
    """

    name: str
    variables: Mapping[str, str | int | bool] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


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
        InventoryError: the file cannot be read, has a host of that name that is another one, or is written in a way
            that no line can be put into.
    """
    if _NAME.fullmatch(host.name) is None or host.name in ("all", "ungrouped", "localhost"):
        raise UsageError(f"{host.name!a}: is no name of a host; write letters, digits, '.', '_' and '-'")
    for group in host.groups:
        if _GROUP.fullmatch(group) is None:
            raise UsageError(f"--group {group!a}: is no name of a group; write letters, digits and '_'")
    file = _file(sources)
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            text = opened.read()
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InventoryError(f"cannot be read: {what}", file=file) from None
    tree = _tree(file, text)
    there = _found(tree, host.name)
    if there is not None:
        return _already(file, text, host, there)
    after = text
    for number, group in enumerate(host.groups or ("",)):
        variables = host.variables if number == 0 else {}
        after = _with(file, after, _tree(file, after), host.name, variables, group)
    _require_right(file, text, after, host)
    old, new = text.splitlines(keepends=True), after.splitlines(keepends=True)
    return Added(file, text, after, tuple(_new_lines(old, new)))


def write(made: Added) -> None:
    """Write it, under a lock, by another file put in its place, with its mode; a symbolic link stays one.

    Raises:
        InventoryError: it cannot be written, or has changed since it was read; nothing has changed then.
    """
    if not made.lines:
        return
    path = made.file.resolve()
    try:
        with _locked(path.parent):
            with path.open(encoding="utf-8", newline="") as opened:
                if opened.read() != made.before:
                    raise InventoryError("has changed while the host was added: do it again", file=made.file)
            _replace(path, made.after)
    except OSError as error:
        raise InventoryError(f"cannot be written: {error.strerror}; nothing was changed", file=made.file) from None


def _file(sources: Sequence[Path]) -> Path:
    for source in sources:
        if source.is_dir():
            found = next((source / name for name in _FILES if (source / name).is_file()), None)
            if found is not None:
                return found
        elif source.suffix in (".yml", ".yaml", ""):
            return source
    named = ", ".join(map(str, sources)) or "no inventory"
    raise UsageError(f"inventory add: {named}: there is no YAML file to write into; name one with -i")


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


def _groups(tree: Any) -> Iterator[tuple[str, CommentedMap, CommentedMap]]:
    """Every group: its name, the mapping that has it as a key, and its own; deepest last."""
    if not isinstance(tree, CommentedMap):
        return
    for key, value in tree.items():
        if isinstance(value, CommentedMap):
            yield str(key), tree, value
            yield from _groups(value.get("children"))
        else:
            yield str(key), tree, CommentedMap()


def _found(tree: CommentedMap, name: str) -> tuple[int, dict[str, Any], set[str]] | None:
    """A host that is there: its line, its variables, and the groups that name it."""
    line, variables, groups = 0, dict[str, Any](), set[str]()
    for group, _, own in _groups(tree):
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


# ------------------------------------------------------------------- lines


def _with(file: Path, text: str, tree: CommentedMap, name: str, variables: Mapping[str, Any], group: str) -> str:
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += end
    place = [found for found in _groups(tree) if found[0] == (group or "all")]
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
    row, indent = parent.lc.key(group)
    _require_block(file, parent, row)
    hosts = own.get("hosts")
    if isinstance(hosts, CommentedMap) and len(hosts):
        _require_block(file, hosts, own.lc.key("hosts")[0])
        last = list(hosts)[-1]
        row, indent = hosts.lc.key(last)
        return _end(lines, row, indent), _host(name, variables, indent, _step(lines, indent))
    step = _step(lines, indent)
    if "hosts" in own:
        row, column = own.lc.key("hosts")
        if lines[row].split("#")[0].strip() not in ("hosts:", "hosts: {}", "hosts: null", "hosts: ~"):
            raise InventoryError(f"writes {group}'s hosts on one line: {_ALSO}", file=file, line=row + 1)
        if lines[row].split("#")[0].strip() != "hosts:":
            raise InventoryError(f"says that {group} has no hosts: take that away first", file=file, line=row + 1)
        return row + 1, _host(name, variables, column + step, step)
    if len(own):
        column = own.lc.key(next(iter(own)))[1]
        return row + 1, [f"{' ' * column}hosts:", *_host(name, variables, column + step, step)]
    if lines[row].split("#")[0].strip() not in (f"{group}:", f'"{group}":', f"'{group}':"):
        raise InventoryError(f"writes {group} on one line: {_ALSO}", file=file, line=row + 1)
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
    row, indent = tree.lc.key("all")
    _require_block(file, tree, row)
    children = top.get("children") if isinstance(top, CommentedMap) else None
    if isinstance(children, CommentedMap) and len(children):
        _require_block(file, children, row)
        last = list(children)[-1]
        row, column = children.lc.key(last)
        at = _end(lines, row, column)
        body = [f"{' ' * column}{group}:", f"{' ' * (column + step)}hosts:"]
        return at, [*body, *_host(name, variables, column + 2 * step, step)]
    if isinstance(top, CommentedMap) and len(top):
        column = top.lc.key(next(iter(top)))[1]
        if "children" in top:
            raise InventoryError(f"says that there are no groups: take that away first, or {_ALSO}", file=file)
    else:
        column = indent + step
    body = [f"{' ' * column}children:", f"{' ' * (column + step)}{group}:", f"{' ' * (column + 2 * step)}hosts:"]
    return row + 1, [*body, *_host(name, variables, column + 3 * step, step)]


def _host(name: str, variables: Mapping[str, Any], indent: int, step: int) -> list[str]:
    pad, inner = " " * indent, " " * (indent + step)
    return [f"{pad}{_scalar(name)}:", *(f"{inner}{key}: {_scalar(value)}" for key, value in variables.items())]


def _scalar(value: object) -> str:
    """As YAML 1.1 and 1.2 both read it: what might be a number, a boolean or a date is quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    words = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}
    if _PLAIN.fullmatch(text) and text.lower() not in words and not text.endswith(":"):
        return text
    return json.dumps(text, ensure_ascii=False)


def _step(lines: Sequence[str], indent: int) -> int:
    """Columns that a level takes in this file."""
    for line in lines:
        own = len(line) - len(line.lstrip(" "))
        if own > indent and line.strip() and not line.lstrip().startswith(("#", "-")):
            return own - indent if own - indent <= 8 else 2
    widths = [len(line) - len(line.lstrip(" ")) for line in lines if line.startswith(" ") and line.strip()]
    return min(widths, default=2)


def _end(lines: Sequence[str], row: int, indent: int) -> int:
    """The line after a block that begins in `row`: its comments and blank lines at the end are the next one's."""
    last = row
    for number in range(row + 1, len(lines)):
        line = lines[number]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(line) - len(line.lstrip(" ")) <= indent:
            break
        last = number
    return last + 1


def _require_block(file: Path, tree: CommentedMap, row: int) -> None:
    if tree.fa.flow_style():
        raise InventoryError(f"is written on one line there: {_ALSO}", file=file, line=row + 1)


# ------------------------------------------------------------------- what came of it


def _require_right(file: Path, before: str, after: str, host: NewHost) -> None:
    """The new text says what the old one did, and the host; else nothing may be written."""
    tree = _tree(file, after)
    there = _found(tree, host.name)
    wanted = {name: value if isinstance(value, bool | int) else str(value) for name, value in host.variables.items()}
    right = there is not None and there[1] == wanted and set(host.groups or ("all",)) <= there[2]
    if not right or _without(tree, host) != _without(_tree(file, before), host):
        raise InventoryError(f"is written in a way that no host can be put into: {_ALSO}", file=file)


def _without(tree: CommentedMap, host: NewHost) -> Any:
    """The plain value without the host, and without groups that have nothing."""

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            items = {str(name): plain(one, str(name)) for name, one in value.items()}
            if key == "hosts":
                items.pop(host.name, None)
            return {name: one for name, one in items.items() if one not in ({}, None) or key == "hosts"}
        return [plain(one) for one in value] if isinstance(value, list) else value

    return plain(tree)


def _new_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, str]]:
    place = 0
    for number, line in enumerate(new, 1):
        if place < len(old) and line.rstrip("\r\n") == old[place].rstrip("\r\n"):
            place += 1
        else:
            yield number, line.rstrip("\r\n")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    seen = path.stat()
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(beside)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(seen.st_mode & 0o7777)
        with contextlib.suppress(PermissionError):
            os.chown(new, seen.st_uid, seen.st_gid)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
