"""Which file of an inventory a host is written into, and which are left alone."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit.errors import InventoryError, UsageError

_INI = re.compile(r"\s*\[[^\]\[,:]+(?::\w+)?\]\s*(?:[#;].*)?")
_FILES = ("hosts.yml", "hosts.yaml", "inventory.yml", "inventory.yaml")


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


def file_of(sources: Sequence[Path], host: NewHost) -> Path:
    """The first YAML file, or hosts.yml of a folder.

    Raises:
        InventoryError: there is an INI inventory only; it says which line would go in.
        UsageError: there is none of both.
    """
    for source in sources:
        if source.is_dir():
            found = next((source / name for name in _FILES if (source / name).is_file()), None)
            if found is not None:
                return found
        elif source.suffix in (".yml", ".yaml", ""):
            return source
    folders = [place for source in sources if source.is_dir() for place in sorted(source.iterdir())]
    for place in (*sources, *folders):
        if place.is_file() and (place.suffix == ".ini" or place.name == "hosts"):
            raise _ini(place, host)
    named = ", ".join(map(str, sources)) or "no inventory"
    raise UsageError(f"inventory add: {named}: there is no YAML file to write into; name one with -i")


def require_yaml(file: Path, text: str, host: NewHost) -> None:
    """A file without a suffix may be either: an INI inventory has headings.

    Raises:
        InventoryError: it is one.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", ";"))]
    if file.suffix == "" and any(_INI.fullmatch(line) for line in lines):
        raise _ini(file, host)


def _ini(file: Path, host: NewHost) -> InventoryError:
    line = " ".join([host.name, *(f"{key}={shlex.quote(str(value))}" for key, value in host.variables.items())])
    below = f" below [{host.groups[0]}]" if host.groups else ""
    into = shlex.quote(str(file.with_suffix(".yml")))
    return InventoryError(
        f"is an INI inventory, and lines are put into YAML only: write `{line}`{below} by hand, or make it YAML once: "
        f"`ansible-inventory -i {shlex.quote(str(file))} --list --yaml --export --output {into}`",
        file=file,
    )


def require_writable(file: Path) -> None:
    """A file that nobody may write was protected on purpose; putting another in its place would pass over that.

    Raises:
        InventoryError: it is such.
    """
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        raise InventoryError(f"cannot be read: {error.strerror}", file=file) from None
    if not mode & 0o222:
        what = f"is write-protected (mode {mode:04o}), so nothing was written"
        raise InventoryError(f"{what}: `chmod u+w {shlex.quote(str(file))}` first", file=file)
