"""Whether and how the host was reached."""

from __future__ import annotations

from typing import Self

from audit.fact import Answers, Fact, fact_field
from audit.model import Outcome


class Reach(Fact):
    """The outcome of the host's collection; the only fact that is never Unknown."""

    outcome: Outcome = fact_field("What became of the host", drift="volatile")
    detail: str = fact_field("One sentence about anything but ok", drift="volatile", default="")
    phase: str = fact_field("Where it ended: resolve, connect, hostkey, auth, probe, done", drift="volatile")
    seconds: float = fact_field("How long the host took, seconds", drift="volatile", default=0.0)
    host_key: str | None = fact_field("Fingerprint of the key it showed", drift="identity", default=None)
    incomplete: tuple[str, ...] = fact_field(
        "Probes without an answer, each as 'name: reason: detail'", drift="volatile", default=()
    )

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """From the evidence itself; needs no probe."""
        evidence = answers.evidence
        missing = tuple(
            f"{name}: {answer}" for name, answer in sorted(evidence.answers.items()) if answer.kind == "unknown"
        )
        return cls(
            outcome=evidence.outcome,
            detail=evidence.detail,
            phase=evidence.phase,
            seconds=evidence.seconds,
            host_key=evidence.host_key,
            incomplete=missing,
        )
