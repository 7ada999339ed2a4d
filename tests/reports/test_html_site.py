"""`fleet-audit report` and `report site`: files, recorded runs, a folder that is written whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import flow
from audit.cli.app import run
from audit.cli.report import Gathered
from audit.cli.site import Listed, write_site
from audit.errors import UsageError
from audit.reports import html
from audit.run import SavedRun
from audit.snapshot import Snapshot
from audit.store import Database, History

RECORDED = Path(__file__).parent.parent / "recorded" / "lab-fleet.json"


@pytest.fixture
def recorded(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A history of three checks, a day between them, the middle one without its evidence; their ids, oldest first."""
    text = RECORDED.read_text(encoding="utf-8")
    snapshot = Snapshot.of(flow.judged(SavedRun.parse(text, str(RECORDED))))
    file = tmp_path_factory.mktemp("history") / "history.db"
    monkeypatch.setenv("FLEET_AUDIT_DB", str(file))
    with Database.open(file, create=True) as database:
        history = History(database)
        return [
            history.record(
                snapshot.model_copy(update={"at": snapshot.at - 86400 * days}).model_dump(mode="json"),
                None if days == 1 else text,
                exit_code=1,
            ).id
            for days in (2, 1, 0)
        ]


def pages(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(file.name for file in folder.iterdir())


def listed(one: Gathered) -> Listed:
    """A run that is drawn whatever there is."""
    return Listed(one.name, "", lambda: one)


def inodes(folder: Path) -> dict[str, int]:
    """Which file each name is: one that is written anew is another one."""
    return {file.name: file.stat().st_ino for file in folder.iterdir() if file.name != "index.html"}


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


def test_report_of_a_recorded_run(recorded: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A recorded run's page has the history up to it, and no later check."""
    assert run(["report", "-r", "html"]) == 0
    assert "3 checks from 2026-11-22" in capsys.readouterr().out
    assert run(["report", "--from", recorded[0], "-r", "html"]) == 0
    assert "One check, 2026-11-22" in capsys.readouterr().out
    assert run(["report", "--from", recorded[1], "-r", "html"]) == 2
    assert "was recorded without its evidence" in capsys.readouterr().err


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


def test_site(recorded: list[str], tmp_path: Path) -> None:
    """A page a run that has its evidence, an index that lists them with charts, nothing executable."""
    folder = tmp_path / "site"
    assert run(["report", "site", str(folder)]) == 0
    names = ["index.html", f"run-{recorded[0]}.html", f"run-{recorded[2]}.html"]
    assert pages(folder) == names
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert [f'href="{name}"' in index for name in names[1:]] == [True, True]
    assert index.count('role="img"') == 4
    assert 'href="index.html"' in (folder / names[1]).read_text(encoding="utf-8")
    assert not any(file.stat().st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH) for file in folder.iterdir())


def test_site_prunes_its_own_pages_only(recorded: list[str], tmp_path: Path) -> None:
    """Pages of runs that are no longer listed go; files of others, though named alike, and folders stay."""
    folder = tmp_path / "site"
    assert run(["report", "site", str(folder)]) == 0
    (folder / "notes.html").write_text("mine")
    (folder / "run-2020-01-01T00-00-00-abcd.html").write_text("mine too")
    assert run(["report", "site", str(folder), "--last", "1"]) == 0
    left = ["index.html", "notes.html", "run-2020-01-01T00-00-00-abcd.html", f"run-{recorded[2]}.html"]
    assert pages(folder) == left


def test_site_draws_no_page_twice(recorded: list[str], tmp_path: Path) -> None:
    """The next run leaves the pages as they are, and the index lists the same; a new baseline draws them anew."""
    folder = tmp_path / "site"
    assert run(["report", "site", str(folder)]) == 0
    before, index = inodes(folder), (folder / "index.html").read_text(encoding="utf-8")
    assert run(["report", "site", str(folder)]) == 0
    assert inodes(folder) == before
    assert (folder / "index.html").read_text(encoding="utf-8") == index
    assert run(["baseline", "set", "default", "--run", recorded[0]]) == 0
    assert run(["report", "site", str(folder)]) == 0
    changed = {name for name, inode in inodes(folder).items() if before[name] != inode}
    assert changed == {f"run-{recorded[2]}.html"}, "only what is held against the baseline"
    assert "Drift since baseline default" in (folder / f"run-{recorded[2]}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("harm", ["foreign", "cut", "mark"])
def test_site_draws_anew_what_is_not_as_it_left_it(recorded: list[str], tmp_path: Path, harm: str) -> None:
    """A page that is somebody else's, cut short in its head, or has a mark that does not read."""
    folder = tmp_path / "site"
    assert run(["report", "site", str(folder)]) == 0
    page = folder / f"run-{recorded[2]}.html"
    text = page.read_text(encoding="utf-8")
    head, mark, rest = text.partition('<meta name="fleet-audit-page" content="')
    assert mark
    page.write_text({"foreign": "<html>", "cut": text[:300], "mark": f"{head}{mark}{'0' * 16} {rest}"}[harm])
    assert run(["report", "site", str(folder)]) == 0
    assert page.read_text(encoding="utf-8") == text


def test_two_sites_at_once(recorded: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one says so and changes nothing."""
    del recorded
    folder = tmp_path / "site"
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert run(["report", "site", str(folder)]) == 2
    finally:
        os.close(descriptor)
    assert "another `report site` is writing it" in capsys.readouterr().err
    assert pages(folder) == []
    assert run(["report", "site", str(folder)]) == 0


def test_site_does_not_touch_another_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder whose index is somebody else's is left as it is."""
    (tmp_path / "index.html").write_text("<html>mine</html>")
    assert run(["report", "site", str(tmp_path), "--from", str(RECORDED)]) == 2
    assert "is no page of fleet-audit" in capsys.readouterr().err
    assert pages(tmp_path) == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "<html>mine</html>"
    (tmp_path / "index.html").rename(tmp_path / "notes.html")
    assert run(["report", "site", str(tmp_path), "--from", str(RECORDED)]) == 2
    assert "holds other files, and no index of fleet-audit" in capsys.readouterr().err
    assert pages(tmp_path) == ["notes.html"]


def test_site_is_whole_or_unchanged(tmp_path: Path) -> None:
    """A run that cannot be read in the midst leaves the old pages, the old index and nothing else."""
    folder = tmp_path / "site"
    saved = SavedRun.parse(RECORDED.read_text(encoding="utf-8"), "x")
    write_site(folder, [listed(Gathered(saved))])
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def broken() -> Iterator[Listed]:
        yield listed(Gathered(saved, "2026-11-25T00-00-00-ffff"))
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
    write_site(tmp_path / "site", [listed(Gathered(saved, "../../evil"))])
    assert pages(tmp_path) == ["site"]
    (page,) = (name for name in pages(tmp_path / "site") if name != "index.html")
    assert page.startswith("run-2026-11-24T02-13-")
    assert html.GENERATOR in (tmp_path / "site" / page).read_text(encoding="utf-8")
