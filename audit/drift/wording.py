"""Differences as a person writes them: `engine 28.5.2 → 29.1.3`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audit.drift.model import Difference
from audit.drift.topics import Topic

MOST = 4
"""Changes that one sentence spells out."""

LONGEST = 300
"""Characters of one value; the JSON report holds all of it."""


def sentence(topic: Topic, found: Sequence[Difference]) -> str:
    """One sentence for the differences of one topic: what it shows, and how many fields more; else all of them."""
    order = {path: place for place, path in enumerate(topic.shown)}
    shown = sorted((one for one in found if one.path in order), key=lambda one: order[one.path])
    said = list(dict.fromkeys(part for one in shown or found for part in moves(one, topic.shown.get(one.path))))
    more = max(len(said) - MOST, 0) + (len(found) - len(shown) if shown else 0)
    text = ", ".join(said[:MOST]) + (f", and {more} more" if more else "")
    return text if shown else f"{topic.label}: {text}"


def moves(one: Difference, label: str | None = None) -> Iterator[str]:
    """One difference in words; parts of a mapping, and members that came and went, each by itself."""
    name = label or (f"{one.fact}.{one.field}" if one.field else one.fact)
    before, after = _opened(one, one.before), _opened(one, one.after)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            if before.get(key) != after.get(key):
                yield f"{name} {key}: {_said(before, key)} → {_said(after, key)}"
    elif _short_list(before) and _short_list(after):
        gone = [text(item) for item in before or () if item not in (after or ())]
        came = [text(item) for item in after or () if item not in (before or ())]
        parts = [f"{word} {', '.join(items)}" for word, items in (("gone", gone), ("new", came)) if items]
        yield f"{name}: {'; '.join(parts) or 'another order'}"
    else:
        yield f"{name} {text(before)} → {text(after)}"


def _short_list(value: Any) -> bool:
    return value is None or isinstance(value, list | tuple)


def _said(side: Mapping[str, Any], key: str) -> str:
    return text(side[key]) if key in side else "unset"


def _opened(one: Difference, value: Any) -> Any:
    """Variables by name, daemon.json by key, each feature by itself."""
    if one.fact == "build_env" and one.field and (value is None or isinstance(value, list | tuple)):
        return {str(item.get("name")): item.get("value") for item in value or () if isinstance(item, Mapping)}
    if (one.fact, one.field) == ("daemon_config", "settings") and isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, said in value.items():
            loaded = _loaded(said)
            if key == "features" and isinstance(loaded, dict):
                found |= {f"features.{name}": on for name, on in loaded.items()}
            else:
                found[key] = loaded
        return found
    return value


def _loaded(said: Any) -> Any:
    try:
        return json.loads(said)
    except (TypeError, ValueError, RecursionError):
        return said


def text(value: Any) -> str:
    """A value in a few words; a long one is cut, and says so."""
    if value is None:
        return "none"
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        said = " ".join(text(item) for item in value.values() if item not in (None, "", False, [], ()))
    else:
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    said = said or "(empty)"
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}… ({len(said) - LONGEST:,} more characters)"
