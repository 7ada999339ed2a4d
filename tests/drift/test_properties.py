"""What holds for any two checks: the same is empty, order means nothing, each change is told exactly once."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.drift import Difference, DriftReport, drift
from audit.drift.document import DRIFT_FORMATS
from audit.drift.fields import UNASKED, class_of, parts_of
from audit.drift.pair import diff
from audit.drift.peers import against_peers
from audit.reports import Style
from audit.snapshot import HostRow, Snapshot
from tests.drift.fleet import changed, recorded, whole

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PLACES = sorted(
    (row.name, fact, field)
    for row in recorded().hosts
    for fact, values in row.facts.items()
    if UNASKED not in values
    for field in parts_of(fact, values)
    if class_of(fact, field) in ("stable", "identity") and "_root." not in field
)
VALUES = st.one_of(
    st.text(max_size=12), st.integers(-5, 5), st.none(), st.booleans(), st.lists(st.text(max_size=4), max_size=3),
    st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
)  # fmt: skip


def counted(report: DriftReport) -> list[tuple[str, str]]:
    """Host and field of everything in the trees."""
    return [(host.host, one.path) for host in report.hosts for one in host.counted]


def shuffled(snapshot: Snapshot, seed: int) -> Snapshot:
    """The same check in another order of hosts, verdicts and facts."""
    order = random.Random(seed)
    hosts = [_shuffled(row, order) for row in snapshot.hosts]
    verdicts = list(snapshot.verdicts)
    order.shuffle(hosts)
    order.shuffle(verdicts)
    return snapshot.model_copy(update={"hosts": tuple(hosts), "verdicts": tuple(verdicts)})


def _shuffled(row: HostRow, order: random.Random) -> HostRow:
    names = list(row.facts)
    order.shuffle(names)
    return row.model_copy(update={"facts": {name: dict(reversed(list(row.facts[name].items()))) for name in names}})


def test_a_check_against_itself_is_empty() -> None:
    """Nothing, for the real fleet with all its verdicts."""
    report = drift(whole(), whole())
    assert (report.hosts, report.notes, report.turned, report.fleet, report.waivers) == ((), (), (), (), ())
    assert report.exit_code == 0


@given(seed=st.integers(0, 2**32))
@QUIET
def test_the_order_of_hosts_means_nothing(seed: int) -> None:
    """The same check in any order is the same check."""
    report = drift(whole(), shuffled(whole(), seed))
    assert (report.hosts, report.notes, report.turned, report.fleet) == ((), (), (), ())


@given(data=st.data())
@QUIET
def test_every_change_is_told_exactly_once(data: st.DataObject) -> None:
    """Whatever stable and identity fields change, each stands in one node of its host's tree, and nothing else does."""
    places = data.draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=8, unique=True))
    after = recorded()
    for host, fact, field in places:
        after = changed(after, host, {f"{fact}.{field}": data.draw(VALUES.map(lambda value: ["marked", value]))})
    report = drift(recorded(), after)
    assert sorted(counted(report)) == sorted((host, f"{fact}.{field}") for host, fact, field in places)
    assert report.exit_code == 1


@given(data=st.data())
@QUIET
def test_no_value_stops_a_report(data: st.DataObject) -> None:
    """Values of any form in any field: every format is written, for drift, peers and two hosts."""
    after = recorded()
    for host, fact, field in data.draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=6, unique=True)):
        after = changed(after, host, {f"{fact}.{field}": data.draw(VALUES)})
    for report in (drift(recorded(), after), against_peers(after)):
        for render in DRIFT_FORMATS.values():
            assert "".join(render(report, Style(verbosity=1)))
    assert diff(after, "amd64", "arm64").exit_code in (0, 1, 3)


@given(seed=st.integers(0, 2**32))
@QUIET
def test_the_tree_does_not_hang_on_order(seed: int) -> None:
    """A host's tree is the same however hosts and fields are ordered."""
    facts: dict[str, Any] = {"engine.version": "29.1.3", "image_store": "like riscv64", "buildx.version": "0.30.0"}
    after = changed(recorded(), "amd64", facts, pushes="index")

    def trees(report: DriftReport) -> list[list[tuple[str, list[Difference]]]]:
        return [
            [
                (node.id, sorted(node.differences, key=lambda one: one.path))
                for cause in host.causes for node in cause.walk()
            ]
            for host in report.hosts
        ]  # fmt: skip

    assert trees(drift(recorded(), shuffled(after, seed))) == trees(drift(recorded(), after))
