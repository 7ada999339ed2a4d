"""The worker's clock against ours."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from audit.fact import Answers, Fact, fact_field
from audit.facts import _probes_machine
from audit.facts._read import garbled
from audit.model import Probe, Unknown


class Clock(Fact):
    """Offset and synchronisation."""

    offset_seconds: float = fact_field("The worker's clock minus ours", drift="volatile")
    error_seconds: float = fact_field(
        "How wrong that offset may be: half of the first line's round trip", drift="volatile"
    )
    synchronized: bool | None = fact_field(
        "Whether the kernel is kept in time (timedatectl); None: not said", default=None
    )

    probes: ClassVar[tuple[Probe, ...]] = (_probes_machine.CLOCK_SYNC,)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """The script prints its clock before anything else: it read it within the round trip of that line."""
        said = answers.text("wire-clock").strip()
        if not re.fullmatch(r"\d{1,12}(\.\d{1,9})?", said):
            raise garbled("the worker's clock is not a number of seconds")
        evidence = answers.evidence
        trip = max(0.0, evidence.clock_round_trip)
        whole = "." not in said  # a `date` without %N cuts the fraction: on average half a second is missing
        offset = float(said) + (0.5 if whole else 0.0) - (evidence.started + trip / 2)
        return cls(
            offset_seconds=round(offset, 3),
            error_seconds=round(trip / 2 + (0.5 if whole else 0.0), 3),
            synchronized=_synchronized(answers),
        )


def _synchronized(answers: Answers) -> bool | None:
    answer = answers.get("clock-sync")
    return None if isinstance(answer, Unknown) else {"yes": True, "no": False}.get(answer.stdout.strip())
