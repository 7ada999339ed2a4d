"""The variables that fleet-audit uses: Ansible's connection variables and its own; every other one is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from ruamel.yaml.nodes import Node

from audit.inventory import readers
from audit.inventory.place import Place, Setting, Tree, Variables
from audit.inventory.spelling import nearest
from audit.inventory.yamlfile import pairs, tree_from_json, tree_of
from audit.model import Host

POLICY = "audit_policy"
OURS: Mapping[str, Callable[[Tree], object]] = {
    "platform": readers.platform,
    "emulated": readers.boolean,
    "pool": readers.text,
    "build_unit": readers.unit,
    "merge_host": readers.boolean,
    "timeout": readers.seconds,
}
_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_USER = ("ansible_user", "ansible_ssh_user")
_KEY_FILE = ("ansible_private_key_file", "ansible_ssh_private_key_file")
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
ANSIBLES: Mapping[str, Callable[[Tree], object]] = {
    **dict.fromkeys(_ADDRESS, readers.word),
    **dict.fromkeys(_PORT, readers.port),
    **dict.fromkeys(_USER, readers.word),
    **dict.fromkeys(_KEY_FILE, readers.text),
    **dict.fromkeys(_ARGUMENTS, readers.arguments),
    "ansible_become": readers.ansible_boolean,
    "ansible_become_method": readers.text,
    "ansible_connection": readers.connection,
}
USED = {**OURS, **ANSIBLES}
_PRIORITY = "ansible_group_priority"
_INNOCENT = frozenset({"emulator", "poll", "polls", "port", "tool", "timeouts_file", "platform_name", "build_uid"})
"""Real words of other people's inventories that happen to be near ours."""


@lru_cache(maxsize=4096)
def near_miss(name: str) -> str | None:
    """The variable of ours that a name is probably a slip for; None for a name that stands on its own."""
    if name in USED or name in _INNOCENT or name == POLICY:
        return None
    if name.startswith("ansible_"):
        return nearest(name, ANSIBLES, most=1)
    plain = name.replace("-", "_").lower()
    if plain in OURS or plain == POLICY:
        return plain
    candidates = [known for known in (*OURS, POLICY) if known[0] == name[0]]
    return nearest(name, [known for known in candidates if len(known) < 8], most=1) or nearest(
        name, [known for known in candidates if len(known) >= 8], most=2
    )


def of_node(node: Node, place: Place, *, priority_counts: bool = False) -> Variables:
    """What a mapping of variables says, checked.

    Args:
        node: the mapping; empty is allowed.
        place: the mapping's own.
        priority_counts: whether ``ansible_group_priority`` has effect here (only in an inventory file's ``vars``).

    Raises:
        InventoryError: a wrong type, a template, or a name one slip away from one of ours.
    """
    found = Variables()
    for name, at, value in pairs(node, place):
        if name in USED or name in (POLICY, _PRIORITY):
            _take(found, name, tree_of(value, at.as_policy() if name == POLICY else at), priority_counts)
        else:
            _refuse_slip(name, at)
    return found


def of_json(values: Mapping[str, Any], place: Place) -> Variables:
    """The same for the variables that ``ansible-inventory`` printed."""
    found = Variables()
    for name, value in values.items():
        if name in USED or name == POLICY:
            at = place.under(name)
            _take(found, name, tree_from_json(value, at.as_policy() if name == POLICY else at), False)
        else:
            _refuse_slip(name, place.under(name))
    return found


def _refuse_slip(name: str, at: Place) -> None:
    if meant := near_miss(name):
        raise at.error(f"is unknown, did you mean {meant}? (Rename it if it is a variable of your own.)")


def _take(found: Variables, name: str, tree: Tree, priority_counts: bool) -> None:
    if name == POLICY:
        found.policies.append(tree)
    elif name == _PRIORITY:
        if priority_counts:
            found.priority = int(readers.number(tree))
    else:
        found.ours[name] = Setting(USED[name](tree), tree.place)


def host_of(name: str, settings: Mapping[str, Setting], groups: tuple[str, ...], place: Place) -> Host:
    """The host that the merged variables describe.

    Raises:
        InventoryError: its address would be an option for ssh, or it becomes root by something else than sudo.
    """

    def last(names: Iterable[str]) -> Any:
        values = [settings[each].value for each in names if each in settings]
        value = values[-1] if values else None
        return readers.filled(value, name) if isinstance(value, str) else value

    address = last(_ADDRESS) or name
    if address.startswith("-"):
        raise place.error(f"has the address {address!r}, which ssh would read as an option: set ansible_host")
    become = bool(last(["ansible_become"]))
    method = last(["ansible_become_method"]) or "sudo"
    if become and method.removeprefix("ansible.builtin.") != "sudo":
        at = settings["ansible_become_method"].place
        raise at.error(f"is {method!r} for {name}, and fleet-audit knows sudo only: set ansible_become: false")
    arguments: list[str] = []
    for each in _ARGUMENTS:
        if each in settings:
            arguments += [readers.filled(part, name) for part in settings[each].value]  # type: ignore[attr-defined]  # a tuple of text, by its reader
    return Host(
        name=name,
        address=address,
        port=last(_PORT),
        user=last(_USER),
        key_file=last(_KEY_FILE),
        ssh_args=tuple(arguments),
        become=become,
        connection=last(["ansible_connection"]) or "ssh",
        platform=last(["platform"]),
        emulated=bool(last(["emulated"])),
        pool=last(["pool"]),
        build_unit=last(["build_unit"]),
        merge_host=bool(last(["merge_host"])),
        timeout=last(["timeout"]),
        groups=groups,
        source=place.source,
    )
