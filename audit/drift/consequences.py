"""What a host's changed facts do to its builds and pushes: asked of the predictor and of `whatif`, which know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from audit import versions
from audit.drift.fields import UNASKED, class_of
from audit.fact import Fact, Facts, all_facts
from audit.model import Reason, Unknown
from audit.shape import How, Prediction, predict
from audit.snapshot import HostRow
from audit.whatif.breaks import OLD_MERGER, Break, Side, breaks
from audit.whatif.changes import Changes, Wipe
from audit.whatif.compare import shape_text

_HOW = How()
_READ = ("docker_client", "engine", "image_store", "buildx", "builders", "build_env", "daemon_config")
"""Facts that an answer rests on."""

_PLAIN = Changes()


def facts_of(row: HostRow) -> Facts:
    """A row's facts as the predictor reads them; what another version wrote and this one cannot read is Unknown."""
    return Facts({name: _fact(name, values) for name, values in row.facts.items() if name in all_facts()})


def _fact(name: str, values: Mapping[str, Any]) -> Fact | Unknown:
    if UNASKED in values:
        try:
            return Unknown(reason=Reason(str(values[UNASKED])), detail=str(values.get("detail", "")))
        except ValueError:
            return Unknown(reason=Reason.GARBLED, detail=f"{name} is unknown for a reason that this version lacks")
    kind = all_facts()[name]
    known = {field: value for field, value in values.items() if field in kind.model_fields}
    try:
        return kind.model_validate(known, strict=False)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        return Unknown(reason=Reason.GARBLED, detail=f"{name}.{where} is not as this version reads it")


class Oracle:
    """Predictions for the rows of one comparison; alike workers are predicted once."""

    def __init__(self, before: Iterable[HostRow], after: Iterable[HostRow]) -> None:
        """Note who pushes flat and who merges with an old client, on either side."""
        self._seen: dict[str, Prediction] = {}
        self._known: dict[tuple[str, str, Wipe | None], Effects] = {}
        self._flat = [_flat(rows) for rows in (tuple(before), tuple(after))]
        self._old = [_old(rows) for rows in (tuple(before), tuple(after))]

    def _prediction(self, key: str, facts: Facts) -> Prediction:
        """What a plain build and push there leaves."""
        found = self._seen.get(key)
        if found is None:
            found = self._seen[key] = predict(facts, _HOW)
        return found

    def effects(self, before: HostRow, after: HostRow, wipe: Wipe | None) -> Effects:
        """What the difference of two rows does.

        Args:
            wipe: ``reinstall`` or ``data-root`` where the rows say that old images are gone for good.
        """
        # Many hosts of a fleet change alike in one night, and each asks the predictor several questions.
        key = (_key(before), _key(after), wipe)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._effects(before, after, key)
        return found

    def _effects(self, before: HostRow, after: HostRow, key: tuple[str, str, Wipe | None]) -> Effects:
        wipe = key[2]
        then, now = facts_of(before), facts_of(after)
        was, is_ = self._prediction(key[0], then), self._prediction(key[1], now)
        old = Side(then, was, self._peers(0, before.name), self._old[0])
        new = Side(now, is_, self._peers(1, after.name), self._old[1])
        changes = Changes(wipe=wipe) if wipe else _PLAIN
        found = tuple(one for one in breaks(old, new, changes, _HOW, ()) if not one.already)
        return Effects(shape_text(was), shape_text(is_), self._decisive(then, now, was, is_), found)

    def _peers(self, side: int, name: str) -> tuple[str, ...]:
        return tuple(other for other in self._flat[side] if other != name)

    @staticmethod
    def _decisive(then: Facts, now: Facts, was: Prediction, is_: Prediction) -> str | None:
        """The fact that by itself turns the old push into the new one: tried out, not guessed."""
        if was.possible == is_.possible:
            return None
        for name in ("image_store", "buildx", "build_env", "builders", "engine", "docker_client"):
            if then[name] == now[name]:
                continue
            tried = Facts({**dict(then.items()), name: now[name]})
            if predict(tried, _HOW).possible == is_.possible:
                return name
        return None


class Effects:
    """What follows for builds and pushes.

    Attributes:
        was, now: the shape that a plain push leaves, in words.
        decisive: the fact whose change alone turns one into the other; None: none does by itself, or they are alike.
        breaks: what breaks now and did not before, cause first.
    """

    def __init__(self, was: str, now: str, decisive: str | None, found: Sequence[Break]) -> None:
        """Keep them."""
        self.was, self.now, self.decisive, self.breaks = was, now, decisive, tuple(found)


def _key(row: HostRow) -> str:
    """All of a row that an answer may name: what is stable, and how many images there are."""
    kept = []
    for name in (*_READ, "disks"):
        values = row.facts.get(name) or {}
        stable = {field: value for field, value in values.items() if class_of(name, field) in ("stable", None)}
        kept.append(stable if name != "engine" else {**stable, "images": values.get("images")})
    return json.dumps([kept, row.pushes.startswith("flat")], sort_keys=True, default=str)


def _flat(rows: Sequence[HostRow]) -> tuple[str, ...]:
    return tuple(row.name for row in rows if row.pushes.startswith("flat"))


def _old(rows: Sequence[HostRow]) -> tuple[str, ...]:
    return tuple(row.name for row in rows if _merges_old(row.facts.get("docker_client") or {}))


def _merges_old(client: Mapping[str, Any]) -> bool:
    version = client.get("version")
    return (
        client.get("kind") == "docker"
        and isinstance(version, str)
        and versions.at_least(version, OLD_MERGER) is False
    )  # fmt: skip
