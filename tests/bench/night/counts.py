"""What was asked of the proxy and how it was answered, phase by phase."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Count:
    """One phase.

    Attributes:
        by_kind: requests by kind, in the words of `tests.bench.merge.counting.kind_of`, and ``token``.
        by_repository: those that name one.
        by_status: answers; ``hung`` and ``reset`` for those that had none.
        connections: TCP connections that sent at least one request.
        injuries: what went wrong on purpose, by its name; ``over the limit`` where the bucket was empty.
        puts: manifests that the registry took.
        dangling: indexes put by tag of which a child was missing.
        faults: what the proxy itself could not do; a run with any is worth nothing.
        issued: tokens.
        first, last: simulated seconds of the first and of the last request.
        each_minute: requests by simulated minute since the first.
    """

    by_kind: Counter[str] = field(default_factory=Counter)
    by_repository: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    injuries: Counter[str] = field(default_factory=Counter)
    puts: int = 0
    dangling: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    issued: int = 0
    first: float | None = None
    last: float = 0.0
    each_minute: Counter[int] = field(default_factory=Counter)

    def came(self, now: float) -> None:
        """A request came at that moment, in simulated seconds."""
        if self.first is None:
            self.first = now
        self.last = now
        self.each_minute[int((now - self.first) / 60)] += 1

    @property
    def requests(self) -> int:
        """All of them, tokens too."""
        return self.by_kind.total()

    @property
    def minutes(self) -> float:
        """Simulated minutes from the first request to the last."""
        return 0.0 if self.first is None else (self.last - self.first) / 60

    def figures(self) -> dict[str, Any]:
        """For a file."""
        return {
            "requests": self.requests,
            "by_kind": dict(sorted(self.by_kind.items())),
            "by_repository": dict(sorted(self.by_repository.items())),
            "by_status": dict(sorted(self.by_status.items())),
            "connections": self.connections,
            "injuries": dict(sorted(self.injuries.items())),
            "puts": self.puts,
            "tokens_issued": self.issued,
            "minutes": round(self.minutes, 2),
            "each_minute": [self.each_minute[minute] for minute in range(max(self.each_minute, default=-1) + 1)],
            "dangling": self.dangling,
            "faults": self.faults,
        }
