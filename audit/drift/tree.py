"""Differences of one host as a tree: the cause, what changed with it, what that does to builds, which rules turned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from audit.drift.consequences import Effects, Oracle
from audit.drift.identity import roots
from audit.drift.model import Difference, Node
from audit.drift.topics import BREAKS, BY_ID, REINSTALLED, TOPICS, WIPED, topic_of, topic_of_fact
from audit.drift.transitions import Transition
from audit.drift.wording import sentence
from audit.fact import Fact
from audit.rule import all_rules
from audit.shape import Prediction
from audit.snapshot import HostRow
from audit.whatif.changes import Wipe

PUSHES = "pushes"
_PUSHES_FROM = ("store", "env", "buildx", "builders", "engine", "config")
_RELEVANT = frozenset({*_PUSHES_FROM, "disks", "settings"})
"""Topics whose change may change what builds and pushes do."""

Mode = Literal["time", "pair", "peers"]
_BESIDE: Mapping[Mode, str] = {"time": "and left", "pair": "on the other", "peers": "and on most of its pool"}
_FAILS = "the build fails"
_EVENTS = frozenset({"images-vanish", "disk-guard"})
"""What breaks by the step itself: between two hosts there was none."""

_STORE_KEYS = ("storage-driver", "features", "data-root", "userns-remap")
"""Keys of daemon.json, and flags, that dockerd's choice of a store rests on."""


@dataclass
class _Growing:
    """A node while its children are found."""

    node: Node
    parent: str | None = None
    then: list[str] = field(default_factory=list)


def tree(
    before: HostRow,
    after: HostRow,
    found: Sequence[Difference],
    turned: Sequence[Transition],
    oracle: Oracle,
    mode: Mode = "time",
) -> tuple[Node, ...]:
    """The causes, each with what follows.

    Args:
        before, after: the rows that were compared.
        found: identity and stable differences that count; each stands in exactly one node of the answer.
        turned: this host's verdicts that turned; those that rest on a changed fact are put below it.
        oracle: knows the fleet's predictions.
        mode: ``time``: one host at two times; ``pair``: two hosts, ``peers``: a host and what most of its pool are,
            so that nothing was wiped or upgraded.
    """
    moved = mode == "time"
    grown: dict[str, _Growing] = {}
    identity = [one for one in found if one.kind == "identity"]
    for node in roots(identity, after) if moved else _plain(identity):
        grown[node.id] = _Growing(node)
    topics: dict[str, list[Difference]] = {}
    for one in found:
        if one.kind != "identity":
            topics.setdefault(topic_of(one.fact, one.field), []).append(one)
    for topic in TOPICS:
        if topic.id in topics:
            grown[topic.id] = _Growing(
                Node(id=topic.id, text=sentence(topic, topics[topic.id]), differences=tuple(topics[topic.id])),
                _parent(topic.id, grown, topics) if moved or topic.id in _WITHIN else None,
            )
    if _RELEVANT & set(topics):
        wipe: Wipe | None = "reinstall" if REINSTALLED in grown else "data-root" if WIPED in grown else None
        _grow_effects(grown, oracle.effects(before, after, wipe), mode, after.name)
        if mode == "pair":
            _grow_breaks(grown, oracle.effects(after, before, None), mode, before.name)
    for verdict in turned:
        _grow_verdict(grown, verdict, mode)
    return _grown(grown)


_WITHIN = frozenset({"settings", "store", "builders", "env", "disks"})
"""Topics that follow from another one on two hosts as well: a rule decides, not an event."""


def _plain(identity: Sequence[Difference]) -> tuple[Node, ...]:
    if not identity:
        return ()
    return (Node(id="identity", text="another machine", differences=tuple(identity)),)


def _parent(topic: str, grown: Mapping[str, _Growing], topics: Mapping[str, Sequence[Difference]]) -> str | None:
    return next((one for one in BY_ID[topic].parents if one in grown and _may(one, topic, topics)), None)


def _may(parent: str, topic: str, topics: Mapping[str, Sequence[Difference]]) -> bool:
    """Whether this change of the parent can be what changed the topic; a kernel upgrades no engine."""
    changes = {one.path for one in topics.get(parent, ())}
    if parent == "system":
        return any(path.startswith("machine.os_") for path in changes)
    if parent == "engine":
        return topic == "settings" or bool(changes & {"engine.version", "engine"})
    if (parent, topic) == ("settings", "store"):
        return "engine.data_root" in changes
    if (parent, topic) == ("config", "store"):
        said = repr([(one.before, one.after) for one in topics[parent]])
        return any(key in said for key in _STORE_KEYS)
    return True


# ---------------------------------------------------------------- effects


def _leaves(shape: str) -> str:
    return "fails" if shape.startswith(_FAILS) else f"leaves {shape}"


def _beside(mode: Mode, shape: str) -> str:
    if not shape.startswith(_FAILS):
        return f"{_BESIDE[mode]} {shape}"
    return "and failed" if mode == "time" else f"{_BESIDE[mode]} it fails"


def _grow_effects(grown: dict[str, _Growing], effects: Effects, mode: Mode, host: str) -> None:
    dark = effects.now.startswith("not known") or effects.was.startswith("not known")
    if effects.was != effects.now and not dark:
        text = f"a plain build and push {_leaves(effects.now)}, {_beside(mode, effects.was)}"
        parent = topic_of_fact(effects.decisive)
        if parent not in grown:
            parent = next((one for one in _PUSHES_FROM if one in grown), None)
        grown[PUSHES] = _Growing(Node(id=PUSHES, text=text, role="effect"), parent)
    _grow_breaks(grown, effects, mode, host)


def _grow_breaks(grown: dict[str, _Growing], effects: Effects, mode: Mode, host: str) -> None:
    for one in effects.breaks:
        if mode != "time" and one.id in _EVENTS:
            continue
        parent = next((topic for topic in BREAKS.get(one.id, ()) if topic in grown), None)
        if parent is None:
            parent = next((topic for topic in (PUSHES, *_PUSHES_FROM) if topic in grown), None)
        where = f"on {host}: " if mode == "pair" else ""
        text = f"{where}{one.what}{f' ({one.only})' if one.only else ''}"
        node = Node(id=one.id, text=text, role="effect", symptom=one.symptom, fix=f"{where}{one.fix}")
        grown[f"{one.id} {host}"] = _Growing(node, parent)


# ---------------------------------------------------------------- verdicts


def _grow_verdict(grown: dict[str, _Growing], one: Transition, mode: Mode) -> None:
    """Below the last of the changed topics that its rule looks at: the nearest cause."""
    wants = _wants(one.rule)
    parent = next((topic for topic in reversed(list(grown)) if topic in wants), None)
    name = f"{one.rule} {one.subject}"
    if parent is None or name in grown:
        return
    where = f" on {one.subject}" if mode == "pair" else ""
    text = f"{one.rule} {one.severity if one.worse else 'resolved'}{where}: {one.message}"
    node = Node(id=one.rule, text=text, role="verdict", fix=one.remedy if one.worse else "")
    grown[name] = _Growing(node, parent)


def _wants(rule: str) -> frozenset[str]:
    check = all_rules().get(rule)
    if check is None:
        return frozenset()
    kinds = [kind for kind, _ in check.wants.values()]
    topics = {topic_of_fact(kind.fact_name()) for kind in kinds if issubclass(kind, Fact)}
    if any(issubclass(kind, Prediction) for kind in kinds):
        topics.add(PUSHES)
    return frozenset(topic for topic in topics if topic is not None)


# ---------------------------------------------------------------- put together


def _grown(grown: Mapping[str, _Growing]) -> tuple[Node, ...]:
    """Children below their parents; effects before verdicts, else in the order found."""
    for name, one in grown.items():
        if one.parent is not None:
            grown[one.parent].then.append(name)

    def whole(name: str) -> Node:
        one = grown[name]
        return one.node.model_copy(update={"then": tuple(map(whole, _ordered(one.then, grown)))})

    return tuple(whole(name) for name in _ordered([n for n, one in grown.items() if one.parent is None], grown))


def _ordered(names: Iterable[str], grown: Mapping[str, _Growing]) -> list[str]:
    """What follows in turn before what ends there; a verdict last."""
    return sorted(names, key=lambda name: grown[name].node.role == "verdict")
