"""Which files an inventory is made of: Ansible's folder layout and its list of what it ignores."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.inventory.place import Place
from audit.inventory.spelling import hint
from audit.inventory.yamlfile import VAULT_HEADER, read_text

IGNORED_SUFFIXES = (
    ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry",
)  # fmt: skip
"""Ansible's default for a folder used as an inventory (its setting INVENTORY_IGNORE_EXTS)."""
VARS_FOLDERS = ("group_vars", "host_vars")
YAML_SUFFIXES = (".yml", ".yaml", ".json")
_SECTION = re.compile(r"\[[^\[\]\s:]+(?::(?:vars|children|hosts))?\]\s*(?:[#;].*)?\Z")
_MAPPING = re.compile(r"""(?:---|%YAML|\{|["']?[^\s#]+["']?\s*:(?:\s|\Z))""")
_PLUGIN = re.compile(r"""^["']?plugin["']?\s*:\s*\S""", re.MULTILINE)


@dataclass(frozen=True)
class SourceFile:
    """One inventory file.

    Attributes:
        path: as the user gave it.
        kind: ``yaml``, or what only Ansible reads: ``an INI inventory``, ``an executable script``, …
        text: its text; empty for a script.
    """

    path: Path
    kind: str
    text: str

    @property
    def native(self) -> bool:
        """Whether we read it ourselves."""
        return self.kind == "yaml"


@dataclass(frozen=True)
class Location:
    """One inventory source as the user named it.

    Attributes:
        path: file or folder.
        files: its inventory files in Ansible's order.
        base: the folder whose group_vars and host_vars count.
    """

    path: Path
    files: tuple[SourceFile, ...]
    base: Path


def locate(path: Path) -> Location:
    """Find the files of a source.

    Raises:
        InventoryError: nothing there, nothing to read in it, or variables where Ansible never looks for them.
    """
    if not path.is_dir():
        return Location(path, (_source_file(path),), path.parent)
    files = tuple(_source_file(file) for file in _files_in(path, top=True))
    if not files:
        raise Place(str(path)).error("holds no inventory file: add a hosts.yml")
    return Location(path, files, path)


def ignored(name: str) -> bool:
    """Whether Ansible passes over a name in an inventory folder."""
    return name.startswith(".") or name.endswith(IGNORED_SUFFIXES)


def _entries(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths, are sorted
    except OSError as error:
        raise Place(str(folder)).error(f"cannot be read ({error.strerror}): check its owner and mode") from None


def _files_in(folder: Path, *, top: bool) -> Iterator[Path]:
    for name in _entries(folder):
        path = folder / name
        if name in VARS_FOLDERS and not top and path.is_dir():
            raise Place(str(path)).error(
                f"lies below the folder given, where Ansible never reads it: give {folder} as the inventory"
            )
        if ignored(name) or name in (*VARS_FOLDERS, "vars_plugins"):
            continue
        if path.is_dir():
            yield from _files_in(path, top=False)
        else:
            yield path


def _source_file(path: Path) -> SourceFile:
    if path.is_file() and os.access(path, os.R_OK):
        with path.open("rb") as stream:
            head = stream.read(4)
        if head[:2] == b"#!" or (head == b"\x7fELF" and os.access(path, os.X_OK)):
            return SourceFile(path, "an executable inventory script", "")
    text = read_text(path)
    return SourceFile(path, kind_of_text(path.name, text), text)


def kind_of_text(name: str, text: str) -> str:
    """Tell what an inventory file is, by its first telling line and its name."""
    if text.startswith(VAULT_HEADER):
        return "encrypted with ansible-vault"
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith(("#", ";"))), "")
    suffix = Path(name).suffix
    if suffix == ".toml":
        return "a TOML inventory"
    if _SECTION.match(first) and suffix != ".json":
        return "an INI inventory"
    if suffix in YAML_SUFFIXES or not first or _MAPPING.match(first):
        return "the configuration of an inventory plugin" if _PLUGIN.search(text) else "yaml"
    return "an INI inventory"


def vars_files(base: Path, folder: str, names: Collection[str], what: str) -> Iterator[tuple[str, Path]]:
    """Each variables file of group_vars or host_vars with the group or host it belongs to, in Ansible's order.

    Args:
        base: the folder beside the inventory.
        folder: ``group_vars`` or ``host_vars``.
        names: the groups or hosts that exist.
        what: ``group`` or ``host``, for the message.

    Raises:
        InventoryError: a file for a group or host that does not exist, or two of which Ansible reads only one.
    """
    top = base / folder
    if not top.is_dir():
        if top.exists():
            raise Place(str(top)).error("must be a folder, as Ansible has it")
        return
    owners: dict[str, Path] = {}
    for entry in _entries(top):
        path = top / entry
        suffix = path.suffix if path.suffix in YAML_SUFFIXES and not path.is_dir() else ""
        owner = entry if entry in names else entry.removesuffix(suffix)
        if owner not in names:
            if ignored(entry):
                continue
            word = owner if suffix or path.is_dir() or "." not in entry else entry
            raise Place(str(path), key=word).error(f"the inventory has no such {what}: {hint(word, names)}")
        if owner in owners:
            raise Place(str(path)).error(f"is not read by Ansible, because {owners[owner]} is there too: merge them")
        owners[owner] = path
    for owner, path in owners.items():
        if path.is_dir():
            yield from ((owner, file) for file in _below(path))
        else:
            yield owner, path


def _below(folder: Path) -> Iterator[Path]:
    for name in _entries(folder):
        if name.startswith(".") or name.endswith("~"):
            continue
        path = folder / name
        if path.is_dir() and not path.suffix:
            yield from _below(path)
        elif path.is_file() and path.suffix in ("", *YAML_SUFFIXES):
            yield path
