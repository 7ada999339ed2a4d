"""`check --notify`: one message a run, about what turned since the history's last check; never another exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from audit import flow
from audit.cli.app import run
from audit.run import SavedRun
from audit.snapshot import Snapshot
from audit.store.failures import StoreError
from tests.farm.receivers import mail, web

RECORDED = str(Path(__file__).parent.parent / "recorded" / "lab-fleet.json")
SECRET = "s3cr3t-t0k3n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this folder count."""
    monkeypatch.chdir(tmp_path)


class Past:
    """A history of these checks, newest first."""

    def __init__(self, *checks: dict[str, Any]) -> None:
        """Each has its place as its name."""
        self._checks = checks

    def runs(self, limit: int = 20) -> list[SimpleNamespace]:
        """Their names."""
        return [SimpleNamespace(id=str(number)) for number in range(len(self._checks))][:limit]

    def snapshot(self, run: str) -> dict[str, Any]:
        """One of them."""
        return self._checks[int(run)]


def recorded(monkeypatch: pytest.MonkeyPatch, past: Past | Exception | None) -> None:
    """What the history is for the next command; an error is raised where it is opened."""

    @contextmanager
    def history_of(_settings: object, *, create: bool) -> Iterator[Past]:
        assert create is False
        if isinstance(past, Exception):
            raise past
        if past is None:
            raise StoreError("history.db", "there is none", "run a check", "missing")
        yield past

    module = ModuleType("audit.cli.recorded")
    module.history_of = history_of  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "audit.cli.recorded", module)


def now() -> dict[str, Any]:
    """The recorded check as the history has it."""
    saved = SavedRun.parse(Path(RECORDED).read_text(encoding="utf-8"), RECORDED)
    return Snapshot.of(flow.judged(saved)).model_dump(mode="json")


def test_without_a_history_what_fails_is_new(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message to each channel, with the link; the report on stdout as ever, the exit code the findings'."""
    recorded(monkeypatch, None)
    with web() as hook, mail() as server:
        told = ["--notify", hook.url(), "--notify", server.url(), "--link", "https://audit.example/r"]
        assert run(["check", "--from", RECORDED, *told]) == 1
    (posted,) = hook.got
    assert len(server.got) == 1
    assert posted.json["title"].startswith("fleet-audit: 4 errors, 7 warnings")
    assert "no earlier check to compare with" in posted.json["message"]
    assert posted.json["message"].endswith("Report: https://audit.example/r")
    assert server.got[0][1]["Subject"] == posted.json["title"]
    out, err = capsys.readouterr()
    assert "FA506" in out
    assert err == ""


def test_what_did_not_turn_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same findings as in the last check: no request at all."""
    recorded(monkeypatch, Past(now()))
    with web() as hook:
        assert run(["check", "--from", RECORDED, "--notify", hook.url(), "--notify-on", "any"]) == 1
    assert hook.got == []


def test_only_what_turned_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding that the last check did not have, and none of the forty others."""
    before = now()
    for row in before["verdicts"]:
        if (row["rule"], row["subject"]) == ("FA404", "riscv64"):
            row["status"] = "pass"
    recorded(monkeypatch, Past(before))
    with web() as hook:
        assert run(["check", "--from", RECORDED, "--notify", hook.url()]) == 1
    (posted,) = hook.got
    assert posted.json["title"] == "fleet-audit: 1 warning new"
    lines = posted.json["message"].splitlines()
    assert lines[2].startswith("WARN FA404 riscv64: ")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_dead_channel_is_one_line(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is written and the exit code stays; the address is not shown; -q leaves the line out."""
    recorded(monkeypatch, None)
    more = ["--report", f"json:{tmp_path / 'x.json'}", *(["-q"] if quiet else [])]
    dead = ["--notify", f"json://me:{SECRET}@127.0.0.1:1/{SECRET}"]
    assert run(["check", "--from", RECORDED, *more, *dead]) == 1
    out, err = capsys.readouterr()
    line = "fleet-audit: warning: channel 1 (JSON) did not take the message"
    assert err.splitlines() == ([] if quiet else [line])
    assert SECRET not in out + err + (tmp_path / "x.json").read_text()


def test_a_history_that_cannot_be_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What fails counts as new, and the line says so."""
    recorded(monkeypatch, StoreError("history.db", "it is locked", "try again", "locked"))
    with web() as hook:
        assert run(["check", "--from", RECORDED, "--notify", hook.url()]) == 1
    assert len(hook.got) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("history.db: it is locked; try again; so every finding counts as new in the message")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--notify", f"bogus://{SECRET}"], "--notify: address number 1 is none that apprise understands"),
        (["--notify", "json://h/", "--notify", SECRET], "address number 2"),
        (["--notify", "@no-such-file"], "@no-such-file: cannot be read"),
        (["--notify", "json://h/", "--link", f"https://me:{SECRET}@h/"], "--link: holds a user or a password"),
        (["--notify", "json://h/", "--link", f"javascript:{SECRET}"], "--link: is no address of a page"),
        (["--notify", "json://h/", "--link", "https://h/ x"], "--link: is no address of a page"),
        (["--notify", "json://h/", "--link", "https://[h/"], "--link: is no address of a page"),
        (["--notify", "json://h/", "--notify-on", "some"], "--notify-on"),
    ],
)
def test_wrong_usage_ends_it_before_anything_is_asked(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and one sentence without the address."""
    assert run(["check", "--from", RECORDED, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert SECRET not in err
    assert len(err.splitlines()) == 1


def test_a_traceback_shows_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    """With -vvv, too."""
    assert run(["check", "-vvv", "--from", RECORDED, "--notify", f"bogus://{SECRET}"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert SECRET not in err


def test_a_saved_run_tells_nobody_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels of the settings are for checks; whoever looks at a saved run again asks on the command line."""
    recorded(monkeypatch, None)
    saved = SavedRun.parse(Path(RECORDED).read_text(encoding="utf-8"), RECORDED)
    with web() as hook:
        monkeypatch.setenv("FLEET_AUDIT_NOTIFY", hook.url())
        assert run(["check", "--from", RECORDED]) == 1
        assert hook.got == []
        monkeypatch.setattr("audit.cli.check.ask", lambda *_, **__: saved)
        assert run(["check", "--local", "--notify-on", "new"]) == 1
        assert len(hook.got) == 1
