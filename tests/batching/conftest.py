"""Registries of the farm, plans for them, and clocks on which nobody waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import audit.batching.running
import audit.batching.shared
from tests.farm.registry import Registry
from tests.merging.conftest import Command, Hasty, Told, clock, command, dial, far, pki, registry, slept
from tests.merging.stock import named

__all__ = ["Hasty", "Told", "clock", "command", "dial", "far", "pki", "registry", "slept"]

Plan = Callable[..., Path]
Night = Callable[..., Told]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch, clock: Hasty, slept: list[float]) -> Hasty:
    """No batch waits: its clocks skip every pause."""
    times = partial(audit.batching.shared.Times, now=clock.now, clock=clock.clock, wait=clock.wait)
    monkeypatch.setattr(audit.batching.running, "Times", times)
    return clock


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Write a plan: tags of live/app, each with its sources in staging/app."""

    def written(
        registry: Registry, merges: Mapping[str, Sequence[str]], *, name: str = "night.json", **more: Any
    ) -> Path:
        rows = [
            {
                "tag": str(named(registry, tag if "/" in tag else f"live/app:{tag}")),
                "sources": [
                    str(named(registry, f"staging/app{'@' if source.startswith('sha256:') else ':'}{source}"))
                    for source in sources
                ],
                **more,
            }
            for tag, sources in merges.items()
        ]
        place = tmp_path / name
        place.write_text(json.dumps({"version": 1, "merges": rows}))
        return place

    return written


@pytest.fixture
def night(command: Command, hasty: Hasty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Night:
    """Run `merge` on a plan, with folders of its own for what it keeps, at any rate."""
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        folder = tmp_path / name.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(name, str(folder))

    def run(registry: Registry, *words: object) -> Told:
        return command("merge", *words, http=[registry])

    return run
