"""`schedule print`: what it takes, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.cli.app import run


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this folder count."""
    monkeypatch.chdir(tmp_path)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What it prints."""
    assert run(["schedule", "print", *arguments]) == 0
    return capsys.readouterr().out


def test_both_units_or_one(capsys: pytest.CaptureFixture[str]) -> None:
    """With --part it is the file itself; else both under the names of their files."""
    both = printed(capsys, "--systemd", "--command", "/bin/true")
    service, timer = (
        printed(capsys, "--systemd", "--command", "/bin/true", "--part", one) for one in ("service", "timer")
    )
    assert both == (
        f"# /etc/systemd/system/fleet-audit.service\n{service}\n# /etc/systemd/system/fleet-audit.timer\n{timer}"
    )


def test_the_inventory_becomes_absolute(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A unit has no folder to be relative to."""
    out = printed(capsys, "--systemd", "-i", "fleet", "--", "--limit", "arm64")
    assert f" --inventory={tmp_path}/fleet --deadline 900 --limit arm64\n" in out


def test_the_deadline_of_the_arguments_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not said twice, and the unit's limit follows it; the settings' limit of a day has no say."""
    out = printed(capsys, "--systemd", "--", "--deadline=20m")
    assert "--deadline=20m\n" in out
    assert "--deadline 900" not in out
    assert "\nTimeoutStartSec=1320\n" in out


def test_hosts_after_two_dashes_stay_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    """Our own options stand before the user's words."""
    out = printed(capsys, "--systemd", "--notify", "/etc/fleet-audit/notify", "--", "--", "-odd-host")
    assert '--notify "@${CREDENTIALS_DIRECTORY}/notify" --deadline 900 -- -odd-host\n' in out


def test_a_local_check_sees_its_processes(capsys: pytest.CaptureFixture[str]) -> None:
    """A check of the machine itself reads /proc."""
    assert "ProcSubset" in printed(capsys, "--systemd")
    assert "ProcSubset" not in printed(capsys, "--systemd", "--", "--local")


def test_what_is_in_a_home_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """ProtectHome hides it."""
    assert run(["schedule", "print", "--systemd", "--command", "/home/me/bin/fleet-audit"]) == 0
    assert "sees no home folders, and so not /home/me/bin/fleet-audit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say one of --systemd and --cron"),
        (["--systemd", "--cron"], "say one of --systemd and --cron"),
        (["--systemd", "--part", "socket"], "--part: "),
        (["--cron", "--part", "timer"], "--part: "),
        (["--cron", "--on-calendar", "daily"], "--on-calendar: cron wants its five fields"),
        (["--systemd", "--user", "a b"], "--user: "),
        (["--systemd", "--", "--deadline", "soon"], "--deadline: 'soon' is no duration"),
        (["--systemd", "--", "--notify", "json://me:s3cr3t@h/"], "everybody may read a unit"),
        (["--systemd", "--", "--from", "x.json"], "a schedule asks the hosts"),
        (["--systemd", "--", "--show-script"], "a schedule asks the hosts"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, nothing on stdout, no secret."""
    assert run(["schedule", "print", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "s3cr3t" not in err
    assert len(err.splitlines()) == 1


def test_a_slip_in_the_arguments_is_seen_now(capsys: pytest.CaptureFixture[str]) -> None:
    """Not at night."""
    assert run(["schedule", "print", "--cron", "--", "--no-such-option"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--no-such-option" in err
