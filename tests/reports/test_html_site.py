"""`fleet-audit report` and `report site`: files, recorded runs, a folder that is written whole or not at all."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from audit.cli.app import run
from audit.cli.report import Gathered
from audit.cli.site import write_site
from audit.errors import UsageError
from audit.reports import html
from audit.run import SavedRun

RECORDED = Path(__file__).parent.parent / "recorded" / "lab-fleet.json"


class History:
    """What the history gives for three recorded checks, one of which has lost its evidence."""

    def __init__(self) -> None:
        """Newest first, as the history lists them."""
        at = SavedRun.parse(RECORDED.read_text(encoding="utf-8"), "x").evidence.finished.timestamp()
        self.found = [
            SimpleNamespace(id="2026-11-24T02-13-45-0003", at=at, saved=True),
            SimpleNamespace(id="2026-11-23T02-13-45-0002", at=at - 86400, saved=False),
            SimpleNamespace(id="2026-11-22T02-13-45-0001", at=at - 2 * 86400, saved=True),
        ]

    def find(self, text: str) -> Any:
        """By the end of an id, or ``latest``."""
        return next(one for one in self.found if text in ("latest", one.id[-4:]))

    def runs(self, limit: int) -> list[Any]:
        """The newest."""
        return self.found[:limit]

    def saved(self, run: str) -> str:
        """Each holds the recorded fleet."""
        return RECORDED.read_text(encoding="utf-8")

    def counts(self, limit: int) -> list[Any]:
        """Oldest first."""
        return [
            SimpleNamespace(
                at=one.at, hosts=12, reached=11, findings={"error": 2}, engines={"unknown": 3, "28": 9}, stores={}
            )
            for one in reversed(self.found)
        ]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The history is that of `History`."""

    @contextmanager
    def history_of(settings: Any, *, create: bool) -> Iterator[History]:
        assert create is False
        yield History()

    module = ModuleType("audit.cli.recorded")
    module.history_of = history_of  # type: ignore[attr-defined]  # a stand-in
    monkeypatch.setitem(sys.modules, "audit.cli.recorded", module)


def pages(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(file.name for file in folder.iterdir())


def test_report_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every format can be written from a saved file, and the exit code is 0 whatever is found."""
    page = tmp_path / "page.html"
    assert run(["report", "--from", str(RECORDED), "-r", f"html:{page}", "-r", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["hosts"]
    text = page.read_text(encoding="utf-8")
    assert 'id="host-riscv64"' in text
    assert 'id="history"' not in text
    assert run(["check", "--from", str(RECORDED), "-r", "html", "--exit-zero"]) == 0
    assert capsys.readouterr().out == text


def test_report_of_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    """--limit narrows a run that is over."""
    assert run(["report", "--from", str(RECORDED), "--limit", "riscv64", "-r", "json"]) == 0
    assert [host["name"] for host in json.loads(capsys.readouterr().out)["hosts"]] == ["riscv64"]


@pytest.mark.usefixtures("recorded")
def test_report_of_a_recorded_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A recorded run's page has the history up to it, and no later check."""
    assert run(["report", "-r", "html"]) == 0
    assert "3 checks from 2026-11-22" in capsys.readouterr().out
    assert run(["report", "--from", "0001", "-r", "html"]) == 0
    assert "One check, 2026-11-22" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "--from", "no-such.json"], "no-such.json: cannot be read"),
        (["report", "--from", str(RECORDED), "-r", "pdf"], "unknown format 'pdf'"),
        (["report", "--db", "x", "site", "out", "--from", str(RECORDED)], "--db: write it after site"),
        (["report", "site", "no/such/folder", "--from", str(RECORDED)], "no/such/folder: cannot be written"),
        (["report", "site", "out", "--from", "no-such.json"], "no-such.json: cannot be read"),
    ],
)
def test_wrong_usage(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence, exit code 2, and nothing was made."""
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert pages(tmp_path) == []


@pytest.mark.usefixtures("recorded")
def test_site(tmp_path: Path) -> None:
    """A page a run that has its evidence, an index that lists them with charts, nothing executable."""
    folder = tmp_path / "site"
    assert run(["report", "site", str(folder)]) == 0
    names = ["index.html", "run-2026-11-22T02-13-45-0001.html", "run-2026-11-24T02-13-45-0003.html"]
    assert pages(folder) == names
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert [f'href="{name}"' in index for name in names[1:]] == [True, True]
    assert index.count('role="img"') == 4
    assert 'href="index.html"' in (folder / names[1]).read_text(encoding="utf-8")
    assert not any(file.stat().st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH) for file in folder.iterdir())


@pytest.mark.usefixtures("recorded")
def test_site_prunes_its_own_pages_only(tmp_path: Path) -> None:
    """Pages of runs that are no longer listed go; files of others, though named alike, and folders stay."""
    folder = tmp_path / "site"
    assert run(["report", "site", str(folder)]) == 0
    (folder / "notes.html").write_text("mine")
    (folder / "run-2020-01-01T00-00-00-abcd.html").write_text("mine too")
    assert run(["report", "site", str(folder), "--last", "1"]) == 0
    assert pages(folder) == [
        "index.html", "notes.html", "run-2020-01-01T00-00-00-abcd.html", "run-2026-11-24T02-13-45-0003.html",
    ]  # fmt: skip


def test_site_does_not_touch_another_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder whose index is somebody else's is left as it is."""
    (tmp_path / "index.html").write_text("<html>mine</html>")
    assert run(["report", "site", str(tmp_path), "--from", str(RECORDED)]) == 2
    assert "is no page of fleet-audit" in capsys.readouterr().err
    assert pages(tmp_path) == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "<html>mine</html>"


def test_site_is_whole_or_unchanged(tmp_path: Path) -> None:
    """A run that cannot be read in the midst leaves the old pages, the old index and nothing else."""
    folder = tmp_path / "site"
    saved = SavedRun.parse(RECORDED.read_text(encoding="utf-8"), "x")
    write_site(folder, [Gathered(saved)])
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def broken() -> Iterator[Gathered]:
        yield Gathered(saved, "2026-11-25T00-00-00-ffff")
        raise UsageError("the second run is damaged")

    with pytest.raises(UsageError, match="damaged"):
        write_site(folder, broken())
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    with pytest.raises(UsageError, match="damaged"):
        write_site(tmp_path / "new", broken())
    assert pages(tmp_path) == ["site"]


def test_site_takes_no_path_from_a_name(tmp_path: Path) -> None:
    """A run's id that is no id of ours never becomes a path."""
    saved = SavedRun.parse(RECORDED.read_text(encoding="utf-8"), "x")
    write_site(tmp_path / "site", [Gathered(saved, "../../evil")])
    assert pages(tmp_path) == ["site"]
    (page,) = (name for name in pages(tmp_path / "site") if name != "index.html")
    assert page.startswith("run-2026-11-24T02-13-")
    assert html.GENERATOR in (tmp_path / "site" / page).read_text(encoding="utf-8")
