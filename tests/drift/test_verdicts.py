"""Verdicts that turned: in the tree below what turned them, else by themselves; and waivers that ended."""

from __future__ import annotations

from typing import Any

from audit.drift import DriftReport, drift
from audit.snapshot import Snapshot, VerdictRow
from tests.drift.fleet import REINSTALL, changed, recorded
from tests.drift.test_cases import said, shape


def verdict(rule: str, status: str, subject: str = "amd64", **more: Any) -> VerdictRow:
    """One verdict; its message names its status."""
    fields: dict[str, Any] = {"severity": "error", "message": f"it is {status}", "remedy": f"mend {rule}"}
    return VerdictRow(rule=rule, subject=subject, status=status, **{**fields, **more})


def judged(snapshot: Snapshot, *rows: VerdictRow) -> Snapshot:
    """The check with these verdicts."""
    return snapshot.model_copy(update={"verdicts": rows})


def turning(before: str, after: str, rule: str = "FA006", subject: str = "amd64") -> DriftReport:
    """Nothing but one verdict turned."""
    old, new = verdict(rule, before, subject), verdict(rule, after, subject)
    return drift(judged(recorded(), old), judged(recorded(), new))


def test_a_verdict_stands_below_what_turned_it() -> None:
    """FA201 looks at the store, FA404 at what is pushed: each stands below that, with its remedy among the fixes."""
    before = judged(recorded(), verdict("FA201", "pass"), verdict("FA404", "pass"))
    after = changed(recorded(), "amd64", REINSTALL, pushes="index")
    report = drift(before, judged(after, verdict("FA201", "fail"), verdict("FA404", "fail")))
    store = shape(report.hosts[0].causes)["reinstalled"]["store"]
    assert store == {"pushes": {"manifest-list": {}, "FA404": {}}, "FA201": {}}
    assert {"mend FA201", "mend FA404"} <= set(report.hosts[0].fixes)


def test_a_verdict_without_a_change_stands_by_itself() -> None:
    """A clock that went wrong changes no stable field, and fails its rule all the same."""
    report = turning("pass", "fail")
    assert report.exit_code == 1
    assert "ERROR amd64: FA006 error: it is fail" in said(report)
    assert "fix: mend FA006" in said(report)


def test_what_is_mended_is_told_as_resolved() -> None:
    """It is a difference too."""
    report = turning("fail", "pass")
    assert report.exit_code == 1
    assert "FA006 resolved: it is pass" in said(report)


def test_what_can_no_longer_be_told_is_not_resolved() -> None:
    """A failure that nobody could look at again is neither better nor worse."""
    assert turning("fail", "unknown").turned == ()
    assert turning("pass", "unknown").turned == ()


def test_a_pool_is_told_with_the_fleet() -> None:
    """Verdicts that are no host's stand apart."""
    report = turning("pass", "fail", "FA501", "pool:linux-amd64")
    assert [one.rule for one in report.fleet] == ["FA501"]
    assert "ERROR pool linux-amd64: FA501" in said(report)


def test_verdicts_on_a_host_that_is_dark_or_new_are_not_turned() -> None:
    """Its note says it all."""
    away = changed(recorded(), "amd64", {}, outcome="timeout")
    report = drift(judged(recorded(), verdict("FA006", "pass")), judged(away, verdict("FA006", "fail")))
    assert (report.turned, report.exit_code) == ((), 3)


def test_a_renamed_host_keeps_its_verdicts() -> None:
    """The same failure under the new name has not turned."""
    after = judged(changed(recorded(), "amd64", {}, name="new"), verdict("FA006", "fail", "new"))
    assert drift(judged(recorded(), verdict("FA006", "fail")), after).turned == ()


def test_a_waiver_that_ended_is_told() -> None:
    """With its last day, and what the rule says now; a finding that fails again is a verdict that turned as well."""
    before = judged(recorded(), verdict("FA006", "waived", waived_until="2026-06-12"))
    report = drift(before, judged(recorded(), verdict("FA006", "fail")))
    assert [(one.rule, one.until, one.now) for one in report.waivers] == [("FA006", "2026-06-12", "fail")]
    assert "waiver ended FA006 on amd64 (until 2026-06-12): now fail: it is fail" in said(report)
    assert drift(before, before).exit_code == 0
    dark = drift(before, judged(recorded(), verdict("FA006", "unknown")))
    assert dark.waivers == ()
