"""Prometheus text for node_exporter's textfile collector: HELP and TYPE for each metric, no timestamps.

What is not known has no sample: a host whose push cannot be predicted is absent from ``fleet_audit_pushes_index``, not
0. Findings are counted by rule, severity and pool, not by host, to keep the number of series small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from audit import inert, summary
from audit.facts.clock import Clock
from audit.facts.disks import Disks, FileSystem
from audit.facts.engine import Engine
from audit.model import Outcome, Status, Unknown
from audit.reports._style import Style
from audit.run import Run

name = "prometheus"
about = "gauges for node_exporter's textfile collector"

Sample = tuple[dict[str, str], float]


def render(run: Run, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    return "".join(line for metric in _metrics(run) for line in metric)


def _metrics(run: Run) -> Iterator[Iterator[str]]:
    hosts = run.fleet.hosts
    total = summary.totals(run)
    yield _gauge("info", "The fleet-audit that collected; always 1.", [({"version": run.tool_version}, 1)])
    yield _gauge("last_run_timestamp_seconds", "When the collection ended.", [({}, run.when.timestamp())])
    yield _gauge("run_duration_seconds", "How long the collection took.", [({}, total.seconds)])
    yield _gauge("coverage_ratio", "Hosts on which every rule could tell, of all.", [({}, run.coverage / 100)])
    outcomes = Counter(run.evidence.hosts[host.name].outcome for host in hosts if host.name in run.evidence.hosts)
    yield _gauge(
        "hosts",
        "Hosts by what became of them.",
        [({"state": outcome.value}, outcomes[outcome]) for outcome in Outcome],
    )
    yield _gauge("up", "Whether the host answered.", list(_up(run)))
    yield _gauge(
        "verdicts", "Verdicts by status.", [({"status": status.value}, total.statuses[status]) for status in Status]
    )
    yield _gauge("findings", "Failed verdicts by rule, severity and pool.", list(_findings(run)))
    yield _gauge("pushes_index", "Whether a plain build and push leaves an index (1) or not (0).", list(_pushes(run)))
    yield _gauge("engine_info", "Engine, image store and buildx of a host; always 1.", list(_engines(run)))
    yield _gauge("disk_free_ratio", "Free bytes under a root of the engine, of its size.", list(_disks(run, "free")))
    yield _gauge("inodes_free_ratio", "Free inodes under a root of the engine, of all.", list(_disks(run, "inodes")))
    yield _gauge("clock_offset_seconds", "The worker's clock minus ours.", list(_clocks(run)))


def _gauge(metric: str, about: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP fleet_audit_{metric} {about}\n# TYPE fleet_audit_{metric} gauge\n"
    for labels, value in samples:
        pairs = ",".join(f'{key}="{inert.label(text)}"' for key, text in labels.items())
        yield f"fleet_audit_{metric}{f'{{{pairs}}}' if pairs else ''} {_number(value)}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def _up(run: Run) -> Iterator[Sample]:
    for host in run.fleet.hosts:
        evidence = run.evidence.hosts.get(host.name)
        yield {"host": host.name, "pool": host.pool_name}, bool(evidence and evidence.reached)


def _findings(run: Run) -> Iterator[Sample]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for verdict in run.verdicts:
        if verdict.status is Status.FAIL:
            host = run.hosts.get(verdict.subject)
            pool = host.pool_name if host else verdict.subject.partition(":")[2]
            counts[verdict.rule, verdict.severity.value, pool] += 1
    for (rule, severity, pool), count in sorted(counts.items()):
        yield {"rule": rule, "severity": severity, "pool": pool}, count


def _pushes(run: Run) -> Iterator[Sample]:
    for member in run.view.members:
        if member.push.kind in ("flat", "index"):
            yield {"host": member.host.name, "pool": member.host.pool_name}, member.push.kind == "index"


def _engines(run: Run) -> Iterator[Sample]:
    for member in run.view.members:
        engine = member.facts[Engine]
        if not isinstance(engine, Unknown):
            labels = {"host": member.host.name, "pool": member.host.pool_name, "version": engine.version}
            yield labels | {"store": summary.store_text(member), "buildx": summary.buildx_text(member)}, 1


def _disks(run: Run, what: str) -> Iterator[Sample]:
    for member in run.view.members:
        disks = member.facts[Disks]
        if isinstance(disks, Unknown):
            continue
        for root, system in (("data-root", disks.data_root), ("containerd", disks.containerd_root)):
            ratio = _ratio(system, what) if system else None
            if ratio is not None:
                yield {"host": member.host.name, "pool": member.host.pool_name, "root": root}, ratio


def _ratio(system: FileSystem, what: str) -> float | None:
    if what == "free":
        return system.free_percent / 100 if system.size else None
    return system.inodes_free_percent / 100 if system.inodes else None


def _clocks(run: Run) -> Iterator[Sample]:
    for member in run.view.members:
        clock = member.facts[Clock]
        if not isinstance(clock, Unknown):
            yield {"host": member.host.name}, clock.offset_seconds
