"""`fleet-audit drift` and `diff`, from the command line: on files, and on the history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.cli.app import run
from audit.snapshot import Snapshot
from audit.store import Database, History
from tests.drift.fleet import REINSTALL, SAVED, changed, recorded, reinstalled, whole, without


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without an inventory or settings, and a history of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEET_AUDIT_DB", str(tmp_path / "history.db"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def written(folder: Path, name: str, snapshot: Snapshot) -> str:
    """A check as a file."""
    file = folder / name
    file.write_text(snapshot.model_dump_json(), encoding="utf-8")
    return str(file)


def record(*snapshots: Snapshot) -> None:
    """These checks in the history, oldest first."""
    with Database.open(Path("history.db"), create=True) as database:
        for one in snapshots:
            History(database).record(one.model_dump(mode="json"), None, exit_code=0)


def test_two_saved_runs_are_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Files of `check --save`; the same one twice is no drift."""
    assert run(["drift", "--since", str(SAVED), str(SAVED)]) == 0
    assert capsys.readouterr().out.startswith("drift: none\n")
    document = json.loads(SAVED.read_text(encoding="utf-8"))
    document["evidence"]["hosts"]["arm64"]["host_key"] = "SHA256:new"
    new = tmp_path / "new.json"
    new.write_text(json.dumps(document), encoding="utf-8")
    assert run(["drift", "--since", str(SAVED), str(new)]) == 1
    assert "arm64 (pool linux-arm64): the host key is another one" in capsys.readouterr().out


def test_quiet_if_clean_is_silent_only_where_it_is_clean(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """No line where nothing drifted; a host that was not reached is not clean."""
    old = written(tmp_path, "old.json", recorded())
    assert run(["drift", "--quiet-if-clean", "--since", old, old]) == 0
    assert capsys.readouterr().out == ""
    dark = written(tmp_path, "dark.json", changed(recorded(), "amd64", {}, outcome="timeout"))
    assert run(["drift", "--quiet-if-clean", "--since", old, dark]) == 3
    assert "not reached amd64" in capsys.readouterr().out


def test_the_latest_is_compared_with_the_check_before(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a word; the reinstall is the cause, the index what follows, and the next run is silent."""
    record(recorded(), reinstalled(), reinstalled())
    assert run(["drift", "--quiet-if-clean"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["drift", "previous"]) == 1
    out = capsys.readouterr().out
    assert out.index("reinstalled") < out.index("OCI index") < out.index("is a manifest list")


def test_the_baseline_called_default_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Once there is one, it is what the latest is held against."""
    record(recorded(), reinstalled(), reinstalled())
    with Database.open(Path("history.db"), create=False) as database:
        History(database).set_baseline("default", History(database).runs(3)[2].id)
    assert run(["drift"]) == 1
    assert "reinstalled" in capsys.readouterr().out
    assert run(["drift", "--since", "previous"]) == 0


def test_after_looks_at_the_checks_before(capsys: pytest.CaptureFixture[str]) -> None:
    """A reinstall seen once does not count with --after 2, and does when it was seen twice."""
    record(recorded(), reinstalled())
    with Database.open(Path("history.db"), create=False) as database:
        History(database).set_baseline("default", "latest")
        History(database).set_baseline("default", History(database).runs(2)[1].id)
    assert run(["drift", "--after", "2"]) == 0
    assert "not seen often enough" in capsys.readouterr().out
    record(reinstalled())
    assert run(["drift", "--after", "2"]) == 1


def test_after_takes_files_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The checks before the newer one, oldest first; that they are too few is said."""
    old = written(tmp_path, "old.json", recorded())
    new = written(tmp_path, "new.json", reinstalled())
    assert run(["drift", "--since", old, "--after", "2", new, new]) == 1
    assert capsys.readouterr().err == ""
    assert run(["drift", "--since", old, "--after", "2", new]) == 0
    assert "--after 2 wants 1 checks before" in capsys.readouterr().err


def test_a_host_that_stays_dark_is_stale_by_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    """The checks before are looked at where a host was not reached."""
    dark = changed(recorded(), "amd64", {}, outcome="timeout")
    record(recorded(), dark, dark, dark)
    assert run(["drift"]) == 3
    assert "stale amd64" in capsys.readouterr().out


def test_limit_narrows_both_checks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An Ansible pattern over the checks' own hosts and groups."""
    old, new = written(tmp_path, "old.json", recorded()), written(tmp_path, "new.json", reinstalled())
    assert run(["drift", "--since", old, new, "--limit", "builders:!amd64"]) == 0
    assert run(["drift", "--since", old, new, "--limit", "amd*"]) == 1
    assert run(["drift", "--since", old, new, "--limit", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


def test_the_inventory_brings_ignore_rules_and_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its policy's drift_ignore holds; who is not in it any more is told so."""
    folder = tmp_path / "fleet"
    (folder / "group_vars").mkdir(parents=True)
    (folder / "hosts.yml").write_text("all:\n  hosts:\n    amd64:\n")
    (folder / "group_vars" / "all.yml").write_text(
        'audit_policy:\n  drift_ignore:\n    - {what: "buildx.*", reason: rolling out, owner: ops, until: 2999-01-01}\n'
    )
    old = written(tmp_path, "old.json", recorded())
    new = written(tmp_path, "new.json", changed(without(recorded(), "podman"), "amd64", {"buildx.version": "0.30.0"}))
    assert run(["drift", "-i", str(folder), "--since", old, new]) == 1
    out = capsys.readouterr().out
    assert "1 ignored" in out
    assert "known before, not in the inventory podman" in out
    assert "buildx 0." not in out


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_every_form_ends_with_a_line_end(form: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of drift, of peers and of two hosts."""
    file = written(tmp_path, "one.json", whole())
    assert run(["drift", "--since", file, file, "--format", form]) == 0
    assert run(["drift", "--against-peers", file, "--format", form]) == 0
    assert run(["diff", "amd64", "riscv64", "--run", file, "--format", form]) == 1
    assert capsys.readouterr().out.endswith("\n")


def test_diff_takes_a_check_of_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    """The latest, or the one that is named."""
    record(recorded(), changed(recorded(), "amd64", REINSTALL, pushes="index"))
    assert run(["diff", "amd64", "arm64", "--run", "previous"]) == 1
    assert "manifest create" not in capsys.readouterr().out
    assert run(["diff", "amd64", "arm64"]) == 1
    assert "manifest create" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["drift", "--format", "xml"], "--format xml: write text, json, markdown"),
        (["drift", "--against-peers", "--since", "latest"], "give no --since"),
        (["drift", "--since", "gone.json", str(SAVED)], "gone.json"),
        (["diff", "amd64", "amd64", "--run", str(SAVED)], "name two different hosts"),
        (["diff", "amd64", "w9", "--run", str(SAVED)], "w9: not in this check; it has amd64"),
        (["drift"], "history.db"),
        (["drift", "--since", "notes.txt", str(SAVED)], "notes.txt"),
        (["drift", "--since", "half.json", str(SAVED)], "half.json: hosts: is no snapshot that this version reads"),
    ],
    ids=["format", "peers", "no-file", "one-host", "no-host", "no-history", "no-run", "half"],
)
def test_wrong_usage_is_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit code 2, nothing on stdout, and what was wrong and where."""
    (tmp_path / "notes.txt").write_text("nothing of ours")
    (tmp_path / "half.json").write_text('{"kind": "fleet-audit snapshot", "at": 0.0, "hosts": 1}')
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


def test_one_check_alone_has_nothing_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what to name instead."""
    record(recorded())
    assert run(["drift"]) == 2
    assert "there is no check before" in capsys.readouterr().err
