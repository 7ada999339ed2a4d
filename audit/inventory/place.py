"""Where something stands, and the value that stands there: what every error of this room is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from audit.errors import InventoryError, PlacedError, PolicyError
from audit.model import Source


class Place(NamedTuple):
    """A key in a file.

    Attributes:
        file: path as the user gave it.
        line: 1-based; 0 where there is no line.
        key: dotted path, e.g. ``all.hosts.w01.timeout``.
        kind: what an error here is.
    """

    file: str
    line: int = 0
    key: str = ""
    kind: type[PlacedError] = InventoryError

    def error(self, message: str) -> PlacedError:
        """An error that names this place; for the caller to raise."""
        return self.kind(message, file=self.file, line=self.line or None, key=self.key or None)

    def under(self, name: str, line: int | None = None) -> Place:
        """The place of a key below this one."""
        key = f"{self.key}.{name}" if self.key else name
        return self._replace(key=key, line=self.line if line is None else line)

    def at(self, index: int, line: int | None = None) -> Place:
        """The place of an item of the list here."""
        return self._replace(key=f"{self.key}[{index}]", line=self.line if line is None else line)

    def as_policy(self) -> Place:
        """The same place, whose errors are `PolicyError`."""
        return self._replace(kind=PolicyError)

    @property
    def source(self) -> Source:
        """The file and line, for the model."""
        return Source(file=self.file, line=self.line)


@dataclass(slots=True)
class Tree:
    """A value with the place of each of its parts.

    Attributes:
        value: None, bool, int, float, str or date as Ansible's YAML 1.1 reads it; or a dict or list of trees.
        raw: the text of a plain (unquoted) scalar; None for anything else.
        encrypted: it is an ansible-vault value.
        literal: tagged ``!unsafe``: never a template.
        loose: it comes out of ``ansible-inventory``, whose INI reader has its own types: text may be a number.
    """

    value: object
    place: Place
    raw: str | None = None
    encrypted: bool = False
    literal: bool = False
    loose: bool = False

    @property
    def shown(self) -> str:
        """What a message calls the value: as written, else as read."""
        if isinstance(self.value, dict | list):
            return "a mapping" if isinstance(self.value, dict) else "a list"
        return repr(str(self.value))[:80] if self.raw is None else self.raw[:80]


@dataclass(slots=True)
class Setting:
    """A variable of ours, read and checked."""

    value: object
    place: Place


@dataclass(slots=True)
class Variables:
    """What one mapping of variables says to us.

    Attributes:
        ours: the variables that we use, by name.
        policies: every ``audit_policy`` in it (none or one).
        priority: ``ansible_group_priority``, where given.
    """

    ours: dict[str, Setting] = field(default_factory=dict)
    policies: list[Tree] = field(default_factory=list)
    priority: int | None = None
