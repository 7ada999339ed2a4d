"""One YAML inventory file into the roster: groups, hosts, children, vars."""

from __future__ import annotations

from collections.abc import Callable

from ruamel.yaml.nodes import MappingNode, Node

from audit.inventory.groups import ALL, UNGROUPED, Roster
from audit.inventory.place import Place, Setting, Tree
from audit.inventory.ranges import MAX_HOSTS, RangeError, host_names
from audit.inventory.spelling import hint, nearest
from audit.inventory.variables import POLICY, of_node
from audit.inventory.yamlfile import is_empty, kind_of, line_of, pairs, text_of

PARTS = ("hosts", "children", "vars")
OnPolicy = Callable[[Tree, str], None]
"""Called with each ``audit_policy`` and its scope."""


class Reader:
    """Reads the groups of one file.

    Args:
        roster: what to fill.
        on_policy: where policies go.
    """

    def __init__(self, roster: Roster, on_policy: OnPolicy) -> None:
        """Keep both."""
        self.roster = roster
        self.on_policy = on_policy
        self._open: list[int] = []

    def read(self, root: Node, file: str) -> None:
        """Read a whole document.

        Raises:
            InventoryError: anything that Ansible would refuse, skip or read otherwise than it looks.
        """
        top = Place(file)
        if not isinstance(root, MappingNode):
            raise top._replace(line=line_of(root)).error(f"must be a mapping of groups, and is {kind_of(root)}")
        for name, place, value in pairs(root, top):
            if name in PARTS:
                raise place.error("stands at the top level, where Ansible reads groups: put it under `all:`")
            if name == POLICY:
                raise place.error("stands where Ansible reads groups: move it to group_vars/all/policy.yml")
            if not isinstance(value, MappingNode) and not is_empty(value):
                raise place.error(f"must be a group, a mapping with hosts, children or vars, and is {kind_of(value)}")
            if close := self._slip_of_builtin(name):
                raise place.error(f"is a group at the top level: did you mean {close}? (If not, put it under all.)")
            self._group(name, place, value)

    @staticmethod
    def _slip_of_builtin(name: str) -> str | None:
        return nearest(name, [UNGROUPED], most=2) if name != UNGROUPED else None

    def _group(self, name: str, place: Place, node: Node) -> None:
        group = self.roster.group(name, place)
        if is_empty(node):
            return
        if id(node) in self._open:
            raise place.error("holds itself through an alias: write it out")
        self._open.append(id(node))
        for part, at, value in pairs(node, place):
            if part not in PARTS:
                raise at.error(f"is an unknown key of a group: {hint(part, PARTS)}")
            if part == "vars":
                if not is_empty(value):
                    said = of_node(value, at, priority_counts=True)
                    self.roster.set_group_vars(group, said)
                    for tree in said.policies:
                        self.on_policy(tree, f"group:{name}")
            elif part == "children":
                for child, where, inner in self._members(value, at):
                    self._child(name, child, where, inner)
            else:
                self._hosts(name, at, value)
        self._open.pop()

    def _child(self, parent: str, name: str, place: Place, node: Node | None) -> None:
        if name == ALL:
            raise place.error(f"closes a loop of groups (all > {parent} > all): every group is in all anyway")
        if node is not None and not isinstance(node, MappingNode) and not is_empty(node):
            raise place.error(f"must be a group, a mapping with hosts, children or vars, and is {kind_of(node)}")
        if node is not None:
            self._group(name, place, node)
        self.roster.child(parent, name, place)

    def _members(self, node: Node, place: Place) -> list[tuple[str, Place, Node | None]]:
        """The names under hosts or children: a mapping, or one bare word, as Ansible has it."""
        if is_empty(node):
            return []
        if isinstance(node, MappingNode):
            return list(pairs(node, place))
        word = text_of(node)
        if word is None or " " in word:
            raise place.error(f"must be a mapping, and is {kind_of(node)}: one name a line, a colon after each")
        return [(word, place.under(word), None)]

    def _hosts(self, group: str, place: Place, node: Node) -> None:
        here: dict[str, Place] = {}
        for key, at, value in self._members(node, place):
            try:
                names, port = host_names(key)
            except RangeError as error:
                raise at.error(str(error)) from None
            if value is not None and not is_empty(value) and not isinstance(value, MappingNode):
                raise at.error(f"must be empty or a mapping of variables, and is {kind_of(value)}")
            said = of_node(value, at) if value is not None and not is_empty(value) else None
            for name in names:
                if name in here:
                    first, by = here[name], here[name].key.removeprefix(place.key + ".")
                    raise at.error(
                        f"declares {name} a second time in one mapping (first by {by} in line {first.line}): keep one"
                    )
                here[name] = at
                self._host(name, group, at, port)
                if said is not None:
                    self.roster.members[name].vars |= said.ours
                    for tree in said.policies:
                        self.on_policy(tree, f"host:{name}")
            if len(self.roster.members) > MAX_HOSTS:
                raise at.error(f"makes more than {MAX_HOSTS} hosts: split the inventory")

    def _host(self, name: str, group: str, place: Place, port: int | None) -> None:
        new = name not in self.roster.members
        member = self.roster.member(name, group, place)
        if new and port is not None:
            member.vars["ansible_port"] = Setting(port, place)
