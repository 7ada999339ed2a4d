"""What does not count: the policy's ignore rules, until their day; and what was not seen often enough."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.drift import Damping, DriftReport, drift
from audit.errors import PolicyError
from audit.inventory import load
from audit.model import Ignore
from audit.snapshot import Snapshot
from tests.drift.fleet import changed, recorded, without
from tests.drift.test_cases import said

BUILDX: Mapping[str, Any] = {"buildx.version": "0.30.0"}
TODAY = datetime.fromtimestamp(changed(recorded(), "amd64", {}).at, UTC).date()


def rule(what: str, *, until: date = TODAY, **more: Any) -> Ignore:
    """An ignore rule that holds on its last day unless told otherwise."""
    return Ignore(what=what, reason="known", owner="ops", until=until, **more)


def ignoring(*rules: Ignore, after: Snapshot | None = None) -> DriftReport:
    """The report of one new buildx on amd64 under these rules."""
    return drift(recorded(), after or changed(recorded(), "amd64", BUILDX), ignore=rules)


@pytest.mark.parametrize(
    "ignored",
    [
        rule("buildx.version"),
        rule("buildx.*"),
        rule("*", host="amd*"),
        rule("buildx.version", scope="group:builders"),
        rule("buildx.version", scope="host:amd64"),
    ],
    ids=lambda one: f"{one.what} {one.host} {one.scope}",
)
def test_an_ignored_difference_stays_counted(ignored: Ignore) -> None:
    """It makes no drift, and the report says how many there are, which, why, until when and who answers."""
    report = ignoring(ignored)
    assert report.exit_code == 0
    assert [(one.host, one.path, one.kind, one.owner) for one in report.held] == [
        ("amd64", "buildx.version", "ignored", "ops")
    ]
    assert "drift: none, 1 ignored" in said(report)
    assert f"amd64 buildx.version ignored until {TODAY} (ops: known)" in said(report, 1)


@pytest.mark.parametrize(
    "other",
    [
        rule("buildx.path"),
        rule("buildx.version", host="arm*"),
        rule("buildx.version", scope="group:odd"),
        rule("buildx.version", scope="host:arm64"),
    ],
    ids=lambda one: f"{one.what} {one.host} {one.scope}",
)
def test_a_rule_of_something_else_ignores_nothing(other: Ignore) -> None:
    """Another field, host or group."""
    report = ignoring(other)
    assert (report.exit_code, report.held) == (1, ())


def test_a_rule_ends_after_its_last_day_and_is_told() -> None:
    """The day after, the difference counts again, and the report names the rule that is over."""
    report = ignoring(rule("buildx.*", until=TODAY - timedelta(days=1)))
    assert report.exit_code == 1
    assert [(one.what, one.hits) for one in report.expired] == [("buildx.*", 1)]
    assert "ignore rule expired buildx.* on *" in said(report)
    assert "1 difference counts again" in said(report)


def test_one_rule_leaves_the_rest_of_the_host() -> None:
    """Only what it speaks of is left out of the tree."""
    after = changed(recorded(), "amd64", {**BUILDX, "machine.kernel": "6.19.0"})
    report = ignoring(rule("machine.kernel"), after=after)
    assert [one.path for host in report.hosts for one in host.counted] == ["buildx.version"]


def test_hosts_that_go_can_be_ignored() -> None:
    """Host notes have names of their own."""
    report = ignoring(rule("host.vanished", host="podman"), after=without(recorded(), "podman"))
    assert (report.exit_code, report.notes, report.held[0].path) == (0, (), "host.vanished")


HOSTS = "all:\n  hosts:\n    w1:\n"
ITEM = 'what: "engine.*", reason: "rolling out", owner: ops, until: 2027-01-31'


def test_rules_are_declared_in_the_policy(tmp_path: Path) -> None:
    """Beside the waivers, for a group or a host, with the place that they stand at."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "hosts.yml").write_text(HOSTS)
    file = tmp_path / "group_vars" / "all.yml"
    file.write_text(f"audit_policy:\n  drift_ignore:\n    - {{{ITEM}}}\n")
    (found,) = load(tmp_path).policy.drift_ignore
    assert (found.what, found.host, found.scope) == ("engine.*", "*", "group:all")
    assert (found.until, found.owner, found.source.line) == (date(2027, 1, 31), "ops", 3)


@pytest.mark.parametrize("lacking", ["what", "reason", "owner", "until"])
def test_a_rule_says_everything(tmp_path: Path, lacking: str) -> None:
    """Without end, owner or reason it is refused with its file and line."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "hosts.yml").write_text(HOSTS)
    parts = ", ".join(part for part in ITEM.split(", ") if not part.startswith(lacking))
    (tmp_path / "group_vars" / "all.yml").write_text(f"audit_policy:\n  drift_ignore:\n    - {{{parts}}}\n")
    with pytest.raises(PolicyError, match=f"lacks {lacking}") as error:
        load(tmp_path)
    assert error.value.line == 3


# ---------------------------------------------------------------- damping

NEW = changed(recorded(), "amd64", BUILDX)
OLD = recorded()
DARK = changed(recorded(), "amd64", {"buildx": {"unknown": "timeout", "detail": "8 s"}})
AWAY = changed(recorded(), "amd64", {}, outcome="timeout")


@pytest.mark.parametrize(
    ("runs", "recent", "counts"),
    [
        (1, (), True),
        (2, (), False),
        (2, (OLD,), False),
        (2, (NEW,), True),
        (2, (NEW, OLD), False),
        (2, (OLD, NEW), True),
        (3, (NEW,), False),
        (3, (NEW, NEW), True),
        (3, (NEW, OLD, NEW), False),
        (3, (NEW, DARK, NEW), True),
        (3, (NEW, AWAY, NEW), True),
        (2, (DARK, AWAY), False),
    ],
)
def test_a_difference_counts_when_it_was_seen_in_a_row(runs: int, recent: tuple[Snapshot, ...], counts: bool) -> None:
    """So many checks in a row; one that could not look neither counts nor breaks the row."""
    report = drift(recorded(), NEW, damping=Damping(runs, recent))
    assert report.drifted is counts
    assert [(one.path, one.kind) for one in report.held] == ([] if counts else [("buildx.version", "damped")])
    if not counts:
        assert "1 not seen often enough" in said(report)


def test_a_value_that_keeps_moving_is_told_all_the_same() -> None:
    """What counts is that it is not what it was, not that it is the same each time."""
    moving = tuple(changed(recorded(), "amd64", {"buildx.version": f"0.30.{patch}"}) for patch in (1, 2))
    assert drift(recorded(), NEW, damping=Damping(3, moving)).drifted


def test_hosts_that_come_and_go_are_damped_too() -> None:
    """A host that is gone once is not gone yet; one that was not reached once is not dark yet."""
    gone = without(recorded(), "podman")
    assert drift(recorded(), gone, damping=Damping(2, (OLD,))).exit_code == 0
    assert drift(recorded(), gone, damping=Damping(2, (gone,))).exit_code == 1
    assert drift(recorded(), AWAY, damping=Damping(2, (OLD,))).exit_code == 0
    assert drift(recorded(), AWAY, damping=Damping(2, (AWAY,))).exit_code == 3
