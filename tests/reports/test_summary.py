"""How a run is put in order: folding, grouping, counting, the exit's reasons, and the list of formats."""

from __future__ import annotations

import importlib
import pkgutil
from types import SimpleNamespace

import pytest

from audit import summary
from audit.model import Severity, Status
from audit.reports import Style, all_formats
from audit.reports._text import fold, hosts_text, subjects_text, wrap
from tests.reports.fleet import clean, facts_of, host, run_of, story, tiny_rules, unreached


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), ""),
        (("w1",), "w1"),
        (("w1", "w2"), "w1, w2"),
        (("w1", "w2", "w3"), "w[1-3]"),
        (("w1", "w3", "w2", "w7"), "w[1-3,7]"),
        (("w08", "w09", "w10"), "w[08-10]"),
        (("w8", "w9", "w10"), "w[8-10]"),
        (("w08", "w09", "w10", "w100"), "w[08-10], w100"),
        (("w1.example.org", "w2.example.org", "w3.example.org"), "w[1-3].example.org"),
        (("rack1-w7", "rack2-w7", "rack3-w7"), "rack[1-3]-w7"),
        (("riscv64-1", "riscv64-2", "riscv64-3", "amd64-1"), "riscv64-[1-3], amd64-1"),
        (("orithia", "doris", "kydoime"), "orithia, doris, kydoime"),
        (("10.0.0.1", "10.0.0.2", "10.0.0.3"), "10.0.0.[1-3]"),
    ],
)
def test_fold(names: tuple[str, ...], text: str) -> None:
    """Numbered names fold to ranges and nothing else does."""
    assert fold(names) == text


def test_fold_unfolds_to_the_same_names() -> None:
    """A thousand names fold to one text that names each of them, quickly."""
    assert hosts_text([f"w{n:04}" for n in range(1, 1001)]) == "w[0001-1000] (1000 hosts)"


def test_subjects() -> None:
    """Pools and the fleet are named as such."""
    assert subjects_text(["pool:a", "pool:b"]) == "pools a, b"
    assert subjects_text(["fleet"]) == "fleet"


def test_wrap_keeps_commands_whole() -> None:
    """No line ends inside a quoted command, so that a copy of it runs as one."""
    lines = wrap("run `ansible-playbook -i inventory/ playbooks/x.yml --limit w1` then look", 40, "fix: ")
    assert any("`ansible-playbook -i inventory/ playbooks/x.yml --limit w1`" in line for line in lines)
    assert "".join(lines).replace(" ", "").startswith("fix:run`ansible-playbook")


def test_groups_fold_what_differs_only_in_the_host() -> None:
    """Findings that differ in the host's own name are one group, whose remedy limits itself to its hosts."""
    with tiny_rules():
        groups = {group.verdict.rule: group for group in summary.findings(story())}
    group = groups["FA404"]
    assert group.subjects == tuple(f"riscv-0{n}" for n in range(1, 6))
    assert "--limit riscv-01,riscv-02,riscv-03,riscv-04,riscv-05`" in group.verdict.remedy
    assert groups["FA001"].folded == 3


def test_evidence_that_differs_is_told_apart() -> None:
    """One group whose hosts show different evidence shows one host's, names it, and all of them with -v."""
    hosts = tuple(host(f"w{n}", "p", n) for n in range(1, 5))
    with tiny_rules():
        run = run_of(hosts, {one.name: facts_of(buildx="missing", text="x" * (n // 2)) for n, one in enumerate(hosts)})
        table = all_formats()["table"]
        brief, whole = (table.render(run, Style(verbosity=verbosity)) for verbosity in (0, 1))
    assert "NOTE  FA301 w[1-4] (4 hosts): buildx is missing" in brief
    assert "why: (w1, w2)" in whole
    assert "why: (w3, w4)" in whole


def test_worst_and_causes_come_first() -> None:
    """Findings are in order of severity, and a cause stands before what follows."""
    with tiny_rules():
        order = [(group.verdict.severity, group.verdict.rule) for group in summary.findings(story())]
    assert order == [
        (Severity.ERROR, "FA001"),
        (Severity.ERROR, "FA404"),
        (Severity.ERROR, "FA501"),
        (Severity.WARNING, "FA204"),
        (Severity.NOTE, "FA301"),
    ]


def test_pool_rows_count_hosts_and_the_pool_itself() -> None:
    """A pool's row counts its members' findings and its own, and how many members are unknown."""
    with tiny_rules():
        rows = {row.pool: row for row in summary.pool_rows(story())}
    assert rows["linux-riscv64"].issues == "6 errors, 1 warning"
    assert rows["linux-riscv64"].pushes == "SPLIT index (5) · flat (1)"
    assert (rows["linux-s390x"].reached, rows["linux-s390x"].total, rows["linux-s390x"].unknown) == (0, 1, 1)


def test_unknown_is_never_clean() -> None:
    """A fleet of which nothing is known is not called clean, and its exit has a reason."""
    with tiny_rules():
        run = run_of((host("w1", "p", 1),), {"w1": unreached("lost")})
    assert "clean" not in summary.headline(run)
    assert summary.exit_reasons(run, Severity.ERROR) == ("1 of 1 host could not be told completely",)
    assert run.exit_code() == 3


def test_exit_reasons_agree_with_the_exit_code() -> None:
    """There is a reason exactly where the exit code is not 0."""
    with tiny_rules():
        for run in (story(), clean(), run_of((), {})):
            for fail_on in (None, *Severity):
                assert bool(summary.exit_reasons(run, fail_on)) == bool(run.exit_code(fail_on))


def test_table_tells_an_interruption() -> None:
    """A run that was cut short says so in its last line."""
    with tiny_rules():
        run = run_of((host("w1", "p", 1),), {"w1": facts_of()}, interrupted="SIGINT")
        assert all_formats()["table"].render(run, Style()).splitlines()[-1].startswith("interrupted by SIGINT · ")


def test_formats_are_the_folder() -> None:
    """Every promised format is there, in name order, each with one line about it."""
    assert list(all_formats()) == [
        "csv", "github", "html", "json", "jsonl", "junit", "markdown", "prometheus", "sarif", "table",
    ]  # fmt: skip
    for one in all_formats().values():
        assert one.about
        assert "\n" not in one.about


def test_a_module_without_render_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the folder that is no format is an error, not a format that is missing."""
    modules = [SimpleNamespace(name="_text"), SimpleNamespace(name="table")]
    monkeypatch.setattr(pkgutil, "iter_modules", lambda _: modules)
    assert list(all_formats.__wrapped__()) == ["table"]
    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(name="table", about="x"))
    with pytest.raises(TypeError, match="render"):
        all_formats.__wrapped__()
    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace())
    with pytest.raises(TypeError, match="about"):
        all_formats.__wrapped__()


def test_prometheus_leaves_out_what_is_not_known() -> None:
    """A host that was not reached is down and has no sample of what it would push."""
    with tiny_rules():
        text = all_formats()["prometheus"].render(story(), Style())
    assert 'fleet_audit_up{host="w7",pool="linux-s390x"} 0\n' in text
    assert 'fleet_audit_pushes_index{host="riscv-01",pool="linux-riscv64"} 1\n' in text
    assert 'fleet_audit_pushes_index{host="riscv-06",pool="linux-riscv64"} 0\n' in text
    assert 'fleet_audit_pushes_index{host="w7"' not in text


def test_statuses_are_all_counted() -> None:
    """The totals hold every verdict once."""
    with tiny_rules():
        run = story()
    assert sum(summary.totals(run).statuses[status] for status in Status) == len(run.verdicts)
