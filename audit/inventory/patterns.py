"""Ansible's pattern language, as ``--limit`` speaks it: a smaller fleet out of a fleet."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from audit.errors import UsageError
from audit.inventory.groups import ALL
from audit.inventory.ranges import is_ipv6
from audit.inventory.spelling import hint
from audit.model import Fleet

_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]\Z")
_PIECES = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_GLOB = re.compile(r"[*?\[]")


def select(fleet: Fleet, pattern: str) -> Fleet:
    """The hosts that a pattern names, in the fleet's order, under the same policy.

    Terms are separated by ``,`` or ``:``; each is a host, a group, a glob (``w*``) or an expression (``~w\\d+``);
    ``!term`` takes away, ``&term`` keeps only these; ``web[0]``, ``web[-1]`` and ``web[0:2]`` (ends included) count
    within what the term names; ``@file`` reads terms from a file, one a line. Only ``!`` and ``&``: begin with all.

    Raises:
        UsageError: a term that names nothing, a wrong regular expression or subscript, or no host left.
    """
    index = _Index(fleet)
    wanted: list[set[int]] = []
    required: list[set[int]] = []
    excluded: list[set[int]] = []
    terms = list(_terms(pattern, index))
    if not terms:
        raise UsageError("the pattern is empty: name a host or a group, or write all")
    for term in terms:
        if term[0] in "!&" and term not in index.hosts:
            (excluded if term[0] == "!" else required).append(set(index.find(term[1:].strip(), pattern)))
        else:
            wanted.append(set(index.find(term, pattern)))
    left = set().union(*wanted) if wanted else set(range(len(fleet.hosts)))
    for some in required:
        left &= some
    for some in excluded:
        left -= some
    if not left:
        raise UsageError(f"pattern {pattern!r} leaves no host: its parts exclude each other")
    return fleet.model_copy(update={"hosts": tuple(fleet.hosts[i] for i in sorted(left))})


def _terms(pattern: str, index: _Index) -> Iterable[str]:
    """Single terms; a part that is a host's name, colons and all, stays whole."""
    for part in (piece.strip() for piece in pattern.split(",")):
        if part.startswith("@") and part not in index.hosts:
            for line in _lines(part[1:]):
                yield from _terms(line, index)
        elif part in index.hosts or part.lstrip("!&") in index.hosts or is_ipv6(part.lstrip("!&")):
            yield part
        else:
            yield from _PIECES.findall(part)


def _lines(name: str) -> list[str]:
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"pattern @{name}: the file cannot be read ({why})") from None
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


class _Index:
    """Hosts and groups by name."""

    def __init__(self, fleet: Fleet) -> None:
        self.hosts = {host.name: i for i, host in enumerate(fleet.hosts)}
        self.groups: dict[str, list[int]] = {ALL: list(range(len(fleet.hosts)))}
        for i, host in enumerate(fleet.hosts):
            for group in host.groups:
                if group != ALL:
                    self.groups.setdefault(group, []).append(i)

    def find(self, term: str, pattern: str) -> Sequence[int]:
        """The hosts that one term names, without its ``!`` or ``&``.

        Raises:
            UsageError: none.
        """
        if term in self.hosts:
            return [self.hosts[term]]
        name, cut = self._subscript(term)
        found = self._matches(name, pattern)
        if found and cut is not None:
            found = found[cut]
        if not found:
            known = [*self.groups, *self.hosts]
            raise UsageError(
                f"pattern {pattern!r}: {term!r} names no host and no group; {hint(name, known)} "
                "(`fleet-audit inventory` lists them)"
            )
        return found

    @staticmethod
    def _subscript(term: str) -> tuple[str, slice | None]:
        found = None if term.startswith("~") else _SUBSCRIPT.match(term)
        if found is None:
            return term, None
        name, single, first, last = found.groups()
        if single is not None:
            number = int(single)
            return name, slice(number, number + 1 or None)
        return name, slice(int(first), int(last) + 1 if last else None)

    def _matches(self, name: str, pattern: str) -> list[int]:
        """Members of the groups it names, else (and for a glob or an expression always) the hosts it names."""
        if name in (ALL, "*"):
            return self.groups[ALL]
        if name in self.hosts and name not in self.groups:
            return [self.hosts[name]]
        if not name.startswith("~") and not _GLOB.search(name):
            return self.groups.get(name, [])
        try:
            matcher = re.compile(name[1:] if name.startswith("~") else fnmatch.translate(name))
        except re.error as error:
            raise UsageError(f"pattern {pattern!r}: {name!r} is no regular expression ({error})") from None
        found: dict[int, None] = {}
        for group, members in self.groups.items():
            if matcher.match(group):
                found.update(dict.fromkeys(members))
        for host, i in self.hosts.items():
            if matcher.match(host):
                found[i] = None
        return list(found)
