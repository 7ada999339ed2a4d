"""Which machine it is: what a new machine-id, host key or engine id says."""

from __future__ import annotations

from collections.abc import Sequence

from audit.drift.model import Difference, Node
from audit.drift.topics import HOSTKEY, REINSTALLED, RENAMED, WIPED
from audit.snapshot import HostRow

MACHINE, KEY, ENGINE = "machine.machine_id", "reach.host_key", "engine.engine_id"
_WORDS = {
    MACHINE: "machine-id", KEY: "host key", ENGINE: "engine id", "machine.hostname": "hostname",
    "engine.name": "engine's name",
}  # fmt: skip


def roots(found: Sequence[Difference], after: HostRow) -> tuple[Node, ...]:
    """The causes that identity fields speak of; each difference stands in one of them.

    Args:
        found: identity differences of one host.
        after: the host now.
    """
    by_path = {one.path: one for one in found}
    new = {path for path, one in by_path.items() if one.before is not None and one.after is not None}
    if MACHINE in new or ({KEY, ENGINE} <= new and not _same_machine(by_path, after)):
        names = [_WORDS.get(path, path) for path in _WORDS if path in new]
        text = f"reinstalled, or another machine under this name: {_listed(names)} {_new(names)}"
        fix = "confirm that somebody reinstalled it; then `fleet-audit baseline set` makes what it is now the baseline"
        return (Node(id=REINSTALLED, text=text, differences=tuple(found), fix=fix),)
    nodes = []
    if ENGINE in new:
        text = "the data-root was emptied, or is another one: the engine has a new id"
        nodes.append(Node(id=WIPED, text=text, differences=(by_path.pop(ENGINE),)))
    if KEY in new:
        one = by_path.pop(KEY)
        text = f"the host key is another one: {one.before} → {one.after}"
        fix = "ask who made new keys, by another way than this one, before you trust it; then renew it in known_hosts"
        nodes.append(Node(id=HOSTKEY, text=text, differences=(one,), fix=fix))
    if by_path:
        text = ", ".join(
            f"{_WORDS.get(path, path)} {one.before or 'not known'} → {one.after or 'not known'}"
            for path, one in by_path.items()
        )
        nodes.append(Node(id=RENAMED, text=text, differences=tuple(by_path.values())))
    return tuple(nodes)


def _same_machine(by_path: dict[str, Difference], after: HostRow) -> bool:
    """The machine-id is known and the same on both sides."""
    known = (after.facts.get("machine") or {}).get("machine_id") is not None
    return known and MACHINE not in by_path


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _new(names: Sequence[str]) -> str:
    return "is new" if len(names) == 1 else "are new"
