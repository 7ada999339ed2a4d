"""The variable ``audit_policy``: one layer for each place it stands in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import Any, Literal, cast

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from audit.inventory import readers
from audit.inventory.place import Place, Tree
from audit.inventory.spelling import hint
from audit.model import Fleet, Ignore, PolicyLayer, RuleSetting, Severity, StoreKind, Thresholds, Waiver, Wanted

_RULE = re.compile(r"FA\d{3}\Z")
_SEVERITIES = [severity.value for severity in Severity]
_THRESHOLDS: Mapping[str, tuple[float, float]] = {
    "disk_free_percent": (0, 100),
    "inodes_free_percent": (0, 100),
    "clock_skew_seconds": (0.001, 86400 * 366),
    "waiver_notice_days": (0, 3660),
}


def layer_of(tree: Tree, scope: str, known_rules: Collection[str] | None) -> PolicyLayer:
    """One ``audit_policy`` as a layer.

    Args:
        tree: its value.
        scope: ``group:NAME`` or ``host:NAME``.
        known_rules: the ids there are; None checks only their form.

    Raises:
        PolicyError: an unknown key or rule, a wrong type, or YAML's reading of something meant otherwise.
    """
    parts = _mapping(tree, ("rules", "thresholds", "wanted", "waivers", "drift_ignore"))
    rules = {
        rule: _rule_setting(value)
        for rule, value in (_mapping(parts["rules"], None) if "rules" in parts else {}).items()
        if _known_rule(rule, value.place, known_rules)
    }
    waivers = _items(parts["waivers"]) if "waivers" in parts else []
    ignored = _items(parts["drift_ignore"]) if "drift_ignore" in parts else []
    return PolicyLayer(
        scope=scope,
        rules=rules,
        thresholds=_thresholds(parts["thresholds"]) if "thresholds" in parts else Thresholds(),
        wanted=_wanted(parts["wanted"]) if "wanted" in parts else Wanted(),
        waivers=tuple(_waiver(item, known_rules) for item in waivers),
        drift_ignore=tuple(_ignore(item, scope) for item in ignored),
        source=tree.place.source,
    )


def _mapping(tree: Tree, known: Collection[str] | None) -> dict[str, Tree]:
    """The parts of a mapping; empty counts as an empty one."""
    if tree.encrypted:
        readers.text(tree)
    if tree.value is None:
        return {}
    if not isinstance(tree.value, dict):
        raise tree.place.error(f"must be a mapping (name: value), and is {tree.shown}")
    parts = cast(dict[str, Tree], tree.value)
    for name, part in parts.items():
        if known is not None and name not in known:
            raise part.place.error(f"is an unknown key: {hint(name, known)}")
    return parts


def _items(tree: Tree) -> list[Tree]:
    if tree.value is None:
        return []
    if not isinstance(tree.value, list):
        raise tree.place.error("must be a list: begin each item with a dash")
    return cast(list[Tree], tree.value)


def _known_rule(rule: str, place: Place, known_rules: Collection[str] | None) -> bool:
    if not _RULE.match(rule):
        raise place.error(f"{rule!r} is no rule id: write FA and three digits, as `fleet-audit rules` lists them")
    if known_rules is not None and rule not in known_rules:
        raise place.error(f"there is no rule {rule}: {hint(rule, known_rules)}")
    return True


def _rule_setting(tree: Tree) -> RuleSetting:
    if isinstance(tree.value, dict):
        parts = _mapping(tree, ("enabled", "severity"))
        enabled = readers.boolean(parts["enabled"]) if "enabled" in parts else None
        severity = _word(parts["severity"], _SEVERITIES) if "severity" in parts else None
        return RuleSetting(enabled=enabled, severity=Severity(severity) if severity else None)
    if isinstance(tree.value, bool):
        return RuleSetting(enabled=tree.value)
    word = str(tree.value).lower() if isinstance(tree.value, str) else ""
    if word in ("on", "off"):
        return RuleSetting(enabled=word == "on")
    if word in _SEVERITIES:
        return RuleSetting(severity=Severity(word))
    raise tree.place.error(f"is {tree.shown}: write on, off, note, warning, error, or {{enabled: …, severity: …}}")


def _word(tree: Tree, allowed: Iterable[str]) -> str:
    value = readers.text(tree)
    if value not in allowed:
        raise tree.place.error(f"is {value!r}: write one of {', '.join(allowed)}")
    return value


def _thresholds(tree: Tree) -> Thresholds:
    values: dict[str, Any] = {}
    for name, part in _mapping(tree, _THRESHOLDS).items():
        low, high = _THRESHOLDS[name]
        value = readers.number(part)
        if not low <= value <= high:
            raise part.place.error(f"must lie between {low:g} and {high:g}, and is {part.shown}")
        if name == "waiver_notice_days" and not isinstance(value, int):
            raise part.place.error(f"must be a whole number of days, and is {part.shown}")
        values[name] = value
    return Thresholds(**values)


def _versions(tree: Tree) -> str:
    if isinstance(tree.value, int | float) and not isinstance(tree.value, bool):
        raise tree.place.error(
            f'is read by YAML as the number {tree.value}: write a range of versions in quotes, ">={tree.shown}"'
        )
    value = readers.text(tree)
    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        raise tree.place.error(f'is no range of versions ({value!r}): write like ">=28" or ">=0.13,<0.29"') from None
    return value


def _wanted(tree: Tree) -> Wanted:
    checks: Mapping[str, Callable[[Tree], Any]] = {
        "engine": _versions,
        "buildx": _versions,
        "store": lambda part: StoreKind(_word(part, [kind.value for kind in StoreKind])),
        "push": lambda part: cast(Literal["flat", "index"], _word(part, ("flat", "index"))),
        "registries": lambda part: tuple(readers.word(item) for item in _items(part)),
    }
    return Wanted(**{name: checks[name](part) for name, part in _mapping(tree, checks).items()})


def _waiver(tree: Tree, known_rules: Collection[str] | None) -> Waiver:
    parts = _mapping(tree, ("rule", "host", "reason", "owner", "until"))
    for name in ("rule", "reason", "owner", "until"):
        if name not in parts:
            raise tree.place.error(f"lacks {name}: a waiver says rule, reason, owner and until")
    rule = readers.text(parts["rule"])
    _known_rule(rule, parts["rule"].place, known_rules)
    until: date = readers.day(parts["until"])
    return Waiver(
        rule=rule,
        host=readers.text(parts["host"]) if "host" in parts else "*",
        reason=readers.text(parts["reason"]),
        owner=readers.text(parts["owner"]),
        until=until,
        source=tree.place.source,
    )


def _ignore(tree: Tree, scope: str) -> Ignore:
    parts = _mapping(tree, ("what", "host", "reason", "owner", "until"))
    for name in ("what", "reason", "owner", "until"):
        if name not in parts:
            raise tree.place.error(f"lacks {name}: an item of drift_ignore says what, reason, owner and until")
    return Ignore(
        what=readers.text(parts["what"]),
        host=readers.text(parts["host"]) if "host" in parts else "*",
        reason=readers.text(parts["reason"]),
        owner=readers.text(parts["owner"]),
        until=readers.day(parts["until"]),
        scope=scope,
        source=tree.place.source,
    )


def check_waivers(fleet: Fleet, groups: Collection[str]) -> None:
    """Refuse a waiver whose host pattern speaks of nothing in the inventory.

    Raises:
        PolicyError: with the waiver's file and line.
    """
    subjects = [*fleet.names, *(f"pool:{name}" for name in sorted({host.pool_name for host in fleet.hosts})), "fleet"]
    matched: dict[str, bool] = {}
    for waiver in fleet.policy.waivers:
        if waiver.host not in matched:
            matched[waiver.host] = any(waiver.covers(waiver.rule, subject) for subject in subjects)
        if matched[waiver.host]:
            continue
        place = Place(waiver.source.file, waiver.source.line, "audit_policy.waivers.host").as_policy()
        if waiver.host in groups:
            raise place.error(f"{waiver.host} is a group: move the waiver to group_vars/{waiver.host}/policy.yml")
        raise place.error(f"{waiver.host!r} matches no host and no pool: {hint(waiver.host, subjects)}")
