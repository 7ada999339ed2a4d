"""A thousand hosts are reported in about a second, and twice as many hosts take about twice as long."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

import pytest

from audit.model import Status, Verdict
from audit.reports import Style, all_formats
from audit.run import Run
from tests.reports.fleet import facts_of, host, run_of, tiny_rules, unreached

LIMITS = {"table": 0.5, "json": 1.0, "sarif": 2.0}
ROOM = 3
"""Times the limits: this machine may be busy, and slower than a developer's."""


@cache
def big(hosts: int, verdicts: int = 45) -> Run:
    """Hosts of ten pools with so many verdicts each, one in nine of them failed with a message of its own."""
    fleet = tuple(host(f"w{n:04}", f"pool{n % 10}", n + 1) for n in range(hosts))
    kinds = (facts_of(), facts_of(store="overlayfs"), facts_of(buildx="missing", free=20), unreached("lost"))
    run = run_of(fleet, {one.name: kinds[n % 4] for n, one in enumerate(fleet)})
    more: list[Verdict] = []
    for n, one in enumerate(fleet):
        own = run.by_subject[one.name]
        for number in range(verdicts - len(own)):
            template = own[number % len(own)]
            failed = (n + number) % 9 == 0
            more.append(
                replace(
                    template,
                    rule=f"FA{600 + number}",
                    because=None,
                    status=Status.FAIL if failed else Status.PASS,
                    message=f"state {n % 50} of {one.name} under /var/lib/docker",
                    evidence=(f"line one of {one.name}", "line two", "line three", "line four"),
                )
            )
    made = Run(run.fleet, run.evidence, run.facts, run.view, (*run.verdicts, *more), "0.0.0")
    _ = made.rules, made.by_subject, made.members, made.hosts
    return made


def seconds(name: str, run: Run, verbosity: int = 0) -> float:
    """The faster of two renderings."""
    found = []
    for _ in range(2):
        start = time.process_time()
        all_formats()[name].render(run, Style(verbosity=verbosity))
        found.append(time.process_time() - start)
    return min(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(all_formats()))
def test_thousand_hosts(name: str) -> None:
    """1,000 hosts with 45 verdicts each are rendered inside the format's limit."""
    with tiny_rules():
        assert seconds(name, big(1000)) < LIMITS.get(name, 1.0) * ROOM


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(all_formats()))
def test_time_is_linear(name: str) -> None:
    """Four times the hosts take no more than eight times as long."""
    with tiny_rules():
        assert seconds(name, big(400)) < 8 * seconds(name, big(100)) + 0.05
