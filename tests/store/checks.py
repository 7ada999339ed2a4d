"""Checks made by hand for the history: who was reached, and what each rule said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.snapshot import HostRow, Snapshot, VerdictRow

DAY = 86400.0
START = 1_795_000_000.0
Said = Mapping[str, str | Mapping[str, str]]
"""By host: its outcome, or what rules said (rule -> status)."""


def check(day: float, said: Said, **more: Any) -> dict[str, Any]:
    """A snapshot as JSON, so many days after the first one; a subject with a colon, or ``fleet``, is no host."""
    hosts, verdicts = [], []
    for subject, rules in said.items():
        outcome = rules if isinstance(rules, str) else "ok"
        if ":" not in subject and subject != "fleet":
            facts = {"engine": {"version": "28.5.2"}, "image_store": {"kind": "graphdriver"}} if outcome == "ok" else {}
            hosts.append(HostRow(name=subject, outcome=outcome, pool="linux-amd64", facts=facts, pushes="flat"))
        for rule, status in ({} if isinstance(rules, str) else rules).items():
            message = f"{rule} is {status} on {subject}"
            verdicts.append(VerdictRow(
                rule=rule, subject=subject, status=status, severity="error", message=message,
                evidence=(f"seen: {status}",), remedy="mend it",
            ))  # fmt: skip
    complete = all(host.outcome == "ok" for host in hosts)
    at = START + day * DAY
    made = Snapshot(at=at, tool_version="0.1.0", complete=complete, hosts=tuple(hosts), verdicts=tuple(verdicts))
    return {**made.model_dump(mode="json"), **more}
