"""Hosts and groups while they are read, and the order in which Ansible lets their variables win."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.inventory.place import Place, Setting, Variables
from audit.inventory.variables import host_of
from audit.model import Host

ALL, UNGROUPED = "all", "ungrouped"


@dataclass(slots=True)
class Group:
    """A group: where it was first named, its own variables, the groups right above it."""

    name: str
    place: Place
    vars: dict[str, Setting] = field(default_factory=dict)
    parents: dict[str, Place] = field(default_factory=dict)
    priority: int = 1
    depth: int = 0


@dataclass(slots=True)
class Member:
    """A host: where it was first declared, its own variables, the groups that name it."""

    name: str
    place: Place
    vars: dict[str, Setting] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class FilesOf:
    """What the group_vars and host_vars of one source say: by group and by host."""

    groups: dict[str, dict[str, Setting]] = field(default_factory=dict)
    hosts: dict[str, dict[str, Setting]] = field(default_factory=dict)


class Roster:
    """All hosts and groups of an inventory."""

    def __init__(self) -> None:
        """Begin with the two groups that always exist."""
        nowhere = Place("<inventory>")
        self.groups = {name: Group(name, nowhere) for name in (ALL, UNGROUPED)}
        self.members: dict[str, Member] = {}
        self.files: list[FilesOf] = []

    def group(self, name: str, place: Place) -> Group:
        """The group of that name, made where it is new."""
        if name not in self.groups:
            self.groups[name] = Group(name, place)
        return self.groups[name]

    def child(self, parent: str, name: str, place: Place) -> None:
        """Put a group below another."""
        self.group(name, place).parents.setdefault(parent, place)

    def member(self, name: str, group: str, place: Place) -> Member:
        """The host of that name, made where it is new, as a member of a group."""
        found = self.members.get(name)
        if found is None:
            found = self.members[name] = Member(name, place)
        found.groups[group] = None
        return found

    def set_group_vars(self, group: Group, said: Variables) -> None:
        """Later declarations in the inventory's files win."""
        group.vars |= said.ours
        if said.priority is not None:
            group.priority = said.priority

    def settle(self) -> None:
        """Hang loose groups below ``all``, fill ``ungrouped``, and measure depths.

        Raises:
            InventoryError: a group that is, through others, its own parent.
        """
        for name, group in self.groups.items():
            if name != ALL and (not group.parents or name == UNGROUPED):
                group.parents.setdefault(ALL, group.place)
        for member in self.members.values():
            named = [name for name in member.groups if name not in (ALL, UNGROUPED)]
            if named:
                member.groups.pop(UNGROUPED, None)
            else:
                member.groups[UNGROUPED] = None
        self._measure()

    def _measure(self) -> None:
        """Depth is the longest way from ``all``: groups are taken once all their parents are."""
        children: dict[str, list[str]] = {}
        waiting = {name: len(group.parents) for name, group in self.groups.items()}
        for name, group in self.groups.items():
            for parent in group.parents:
                children.setdefault(parent, []).append(name)
        ready = [name for name, count in waiting.items() if not count]
        while ready:
            name = ready.pop()
            del waiting[name]
            for child in children.get(name, ()):
                group = self.groups[child]
                group.depth = max(group.depth, self.groups[name].depth + 1)
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        if waiting:
            self._refuse_loop(set(waiting))

    def _refuse_loop(self, left: set[str]) -> None:
        """Walk up from any group left over until one comes twice."""
        trail = [min(left)]
        while trail.count(trail[-1]) < 2:
            trail.append(next(parent for parent in self.groups[trail[-1]].parents if parent in left))
        loop = trail[trail.index(trail[-1]) :][::-1]
        steps = [(parent, child) for parent, child in itertools.pairwise(loop)]
        last = max(steps, key=lambda step: self.groups[step[1]].parents[step[0]].line)
        place = self.groups[last[1]].parents[last[0]]
        turned = steps.index(last)
        loop = [last[0], *(child for _, child in (*steps[turned:], *steps[:turned]))]
        raise place.error(f"closes a loop of groups ({' > '.join(loop)}): take one of them out of the other's children")

    def above(self, names: Sequence[str]) -> list[str]:
        """These groups and all above them, in the order in which their variables are laid: the last wins."""
        found: set[str] = set()
        stack = [ALL, *names]
        while stack:
            name = stack.pop()
            if name not in found:
                found.add(name)
                stack.extend(self.groups[name].parents)
        return sorted(found, key=lambda name: (self.groups[name].depth, self.groups[name].priority, name))

    def hosts(self) -> list[Host]:
        """Every host with its merged variables, in the order of declaration."""
        merged: dict[tuple[str, ...], tuple[tuple[str, ...], dict[str, Setting]]] = {}
        result = []
        for member in self.members.values():
            key = tuple(member.groups)
            if key not in merged:
                groups = self.above(key)
                merged[key] = (tuple(groups), self._laid(groups))
            names, settings = merged[key]
            own = settings | member.vars
            for source in self.files:
                own |= source.hosts.get(member.name, {})
            result.append(host_of(member.name, own, names, member.place))
        return result

    def _laid(self, groups: Sequence[str]) -> dict[str, Setting]:
        """Inventory ``vars`` of all groups, then group_vars/all of each source, then the other group_vars of each."""
        laid: dict[str, Setting] = {}
        for name in groups:
            laid |= self.groups[name].vars
        for source in self.files:
            laid |= source.groups.get(ALL, {})
        for source in self.files:
            for name in groups:
                if name != ALL:
                    laid |= source.groups.get(name, {})
        return laid
