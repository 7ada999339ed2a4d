"""Settings: flag > environment > file of the folder > the user's own file; every wrong value is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.cli.settings import settings_of
from audit.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and an empty home for the user's own file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def own(folder: Path, text: str) -> Path:
    """Write the user's own file."""
    file = folder / "config" / "fleet-audit" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_the_nearer_source_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting given in all four places is the flag's; take one away and the next one counts."""
    own(folder, "jobs = 1\nfail-on = 'note'")
    assert settings_of().jobs == 1
    (folder / "pyproject.toml").write_text("[tool.fleet-audit]\njobs = 2", encoding="utf-8")
    assert settings_of().jobs == 2
    (folder / "fleet-audit.toml").write_text("jobs = 3", encoding="utf-8")
    assert settings_of().jobs == 3
    monkeypatch.setenv("FLEET_AUDIT_JOBS", "4")
    assert settings_of().jobs == 4
    assert settings_of(jobs=5).jobs == 5
    assert settings_of().fail_on == "note"


def test_lists_and_durations(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's lists are cut at commas; durations take s, m and h."""
    monkeypatch.setenv("FLEET_AUDIT_REPORT", "json:a.json,table")
    monkeypatch.setenv("FLEET_AUDIT_DEADLINE", "5m")
    settings = settings_of(inventory=[Path("a"), Path("b")], host_timeout="1.5s")
    assert settings.report == ["json:a.json", "table"]
    assert settings.inventory == [Path("a"), Path("b")]
    assert (settings.deadline, settings.host_timeout) == (300.0, 1.5)


def test_addresses_are_cut_at_spaces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of a channel may hold commas; several stand in the environment with spaces between them."""
    monkeypatch.setenv("FLEET_AUDIT_NOTIFY", "mailto://h?to=a@x,b@x  json://h/")
    own(folder, "notify-on = 'any'\nlink = 'https://h/'")
    settings = settings_of()
    assert settings.notify == ["mailto://h?to=a@x,b@x", "json://h/"]
    assert (settings.notify_on, settings.link) == ("any", "https://h/")
    assert settings_of(notify=["a", "b"], notify_on="new").notify == ["a", "b"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"notify_on": "never"}, "--notify-on: "),
        ({"jobs": 0}, "--jobs: "),
        ({"deadline": "soon"}, "--deadline: 'soon' is no duration"),
        ({"deadline": "-5"}, "--deadline: a duration must be above zero"),
        ({"fail_on": "fatal"}, "--fail-on: "),
        ({"min_coverage": 101.0}, "--min-coverage: "),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_flag_is_named(flags: dict[str, object], words: str) -> None:
    """The message begins with the flag."""
    with pytest.raises(UsageError) as caught:
        settings_of(**flags)
    assert str(caught.value).startswith(words)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jobs = 'many'", ": jobs: "),
        ("jbos = 3", "unknown setting 'jbos'; known are "),
        ("jobs = ", "cannot be read as TOML"),
    ],
)
def test_a_wrong_file_is_named(folder: Path, text: str, words: str) -> None:
    """The message begins with the file."""
    file = own(folder, text)
    with pytest.raises(UsageError) as caught:
        settings_of()
    assert str(caught.value).startswith(str(file))
    assert words in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_a_wrong_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message begins with the variable."""
    monkeypatch.setenv("FLEET_AUDIT_COLOR", "blue")
    with pytest.raises(UsageError, match=r"^FLEET_AUDIT_COLOR: "):
        settings_of()
