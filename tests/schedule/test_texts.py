"""The texts of units and crontabs: what systemd itself says of them, and what odd words become in them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from audit.schedule import BUSY, GRACE, Schedule, crontab, fault_of, service, timer

ANALYZE = shutil.which("systemd-analyze")
HOSTILE = (
    "--limit",
    "arm64:!w07",
    "a b",
    "100%",
    "%h",
    "$HOME",
    "${HOME}",
    'say "hi"',
    "it's",
    "back\\slash",
    ";",
    "`id`",
)


def units(folder: Path, one: Schedule) -> list[str]:
    """The units as files."""
    for name, text in (("service", service(one)), ("timer", timer(one))):
        (folder / f"fleet-audit.{name}").write_text(text, encoding="utf-8")
    return [str(folder / "fleet-audit.service"), str(folder / "fleet-audit.timer")]


def value(text: str, key: str) -> str:
    """What a unit says of a key, once."""
    (found,) = re.findall(rf"^{key}=(.*)$", text, re.M)
    return str(found)


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed here")
@pytest.mark.parametrize(
    "one",
    [
        Schedule(command="/bin/true"),
        Schedule(command="/bin/true", arguments=HOSTILE, notify="/etc/fleet-audit/notify", calendar="Mon..Fri 03:10"),
        Schedule(command="/bin/true", key=None, metrics="/var/lib/node-exporter/f.prom", local=True),
    ],
    ids=["plain", "hostile", "local"],
)
def test_systemd_takes_the_units(one: Schedule, tmp_path: Path) -> None:
    """`verify` has nothing to say, and `security` calls the exposure low."""
    files = units(tmp_path, one)
    done = subprocess.run([str(ANALYZE), "verify", *files], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "fleet-audit" in line]
    assert said == []
    argv = [str(ANALYZE), "security", "--offline=true", files[0]]
    rated = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    found = re.search(r"exposure level for \S+: ([\d.]+)", rated)
    assert found is not None, rated
    assert float(found[1]) < 2.0


def test_the_service_is_a_run_with_a_lock_and_a_limit() -> None:
    """Findings are no failure, another run is; the limit lies above the deadline; key and addresses are credentials."""
    text = service(Schedule(arguments=("--deadline", "300"), deadline=300.0, notify="/etc/fleet-audit/notify"))
    start = value(text, "ExecStart")
    assert start.startswith(
        f"/usr/bin/flock --no-fork --nonblock --conflict-exit-code {BUSY} /var/lib/fleet-audit/check.lock "
    )
    assert start.endswith('--notify "@${CREDENTIALS_DIRECTORY}/notify" --deadline 300')
    assert value(text, "SuccessExitStatus") == "1 3"
    assert value(text, "TimeoutStartSec") == str(300 + GRACE)
    assert value(text, "User") == "fleet-audit"
    assert "LoadCredential=ssh-key:/etc/fleet-audit/ssh-key\nLoadCredential=notify:/etc/fleet-audit/notify\n" in text
    assert "ReadWritePaths" not in text
    assert "LoadCredential" not in service(Schedule(key=None))


def test_metrics_elsewhere_may_be_written_there() -> None:
    """That folder, and no other."""
    text = service(Schedule(metrics="/var/lib/prometheus/node-exporter/fleet-audit.prom"))
    assert value(text, "ReadWritePaths") == "/var/lib/prometheus/node-exporter"
    assert "--report prometheus:/var/lib/prometheus/node-exporter/fleet-audit.prom" in value(text, "ExecStart")


def test_the_timer_spreads_and_makes_up() -> None:
    """Every night where nothing else is said; a random part of the delay; what was missed is made up for."""
    text = timer(Schedule())
    assert (value(text, "OnCalendar"), value(text, "RandomizedDelaySec")) == ("*-*-* 03:10:00", "900")
    assert value(text, "Persistent") == "true"
    assert value(timer(Schedule(calendar="hourly")), "OnCalendar") == "hourly"


def test_odd_words_come_out_of_a_unit_as_they_went_in() -> None:
    """No specifier, variable or quote acts: undoing systemd's rules of quoting gives the words again."""
    start = value(service(Schedule(arguments=HOSTILE)), "ExecStart")
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', start)
    plain = [re.sub(r"\\(.)", r"\1", quoted or bare).replace("%%", "%").replace("$$", "$") for quoted, bare in words]
    assert tuple(plain[-len(HOSTILE) :]) == HOSTILE


def test_odd_words_come_out_of_a_crontab_as_they_went_in(tmp_path: Path) -> None:
    """A shell gets the words as they were; cron's own % is escaped; the report goes to a file, so a mail is trouble."""
    text = crontab(Schedule(arguments=HOSTILE, notify="/etc/fleet-audit/notify"))
    line = text.splitlines()[-1]
    assert re.search(r"(?<!\\)%", line) is None
    fields, user, command = line[:10], line[11:].split()[0], line[11:].partition(" ")[2].replace("\\%", "%")
    assert (fields, user) == ("10 3 * * *", "fleet-audit")
    run, _, target = command.partition(" && umask 022 && ")[2].rpartition(" >")
    assert target == "/var/lib/fleet-audit/last.txt"
    words = shlex.split(run)
    assert tuple(words[-len(HOSTILE) :]) == HOSTILE
    assert words[:5] == ["flock", "--no-fork", "--nonblock", "--conflict-exit-code", str(BUSY)]
    assert words[6:9] == ["timeout", "--kill-after=60", "1020"]
    assert "@/etc/fleet-audit/notify" in words
    assert "PATH=" in text
    assert "MAILTO=fleet-audit" in text


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"user": "root\nExecStart=/bin/sh"}, "--user"),
        ({"user": ""}, "--user"),
        ({"command": "fleet-audit"}, "--command"),
        ({"key": "/etc/a b"}, "--key"),
        ({"key": "/etc/%h"}, "--key"),
        ({"notify": "/x\n"}, "--notify"),
        ({"metrics": "/var/"}, "--metrics"),
        ({"arguments": ("a\nb",)}, "-- ARGS"),
        ({"calendar": "daily\nUnit=x"}, "--on-calendar"),
        ({"calendar": ""}, "--on-calendar"),
        ({"calendar": "daily", "cron": True}, "--on-calendar: cron wants"),
        ({"calendar": "* * * * * root id", "cron": True}, "--on-calendar: cron wants"),
        ({"arguments": ("x" * 900,), "cron": True}, "-- ARGS"),
    ],
)
def test_what_cannot_stand_in_a_unit_is_refused(fields: dict[str, object], flag: str) -> None:
    """The sentence begins with the flag."""
    cron = bool(fields.pop("cron", False))
    fault = fault_of(replace(Schedule(), **fields), cron=cron)  # type: ignore[arg-type]  # a table of fields
    assert fault is not None
    assert fault.startswith(flag)


def test_a_plain_schedule_has_no_fault() -> None:
    """Nor one with all that may be said."""
    assert fault_of(Schedule()) is None
    assert fault_of(Schedule(arguments=HOSTILE, calendar="*-*-* *:0/15"), cron=False) is None
    assert fault_of(Schedule(calendar="*/15 0-6 * * mon-fri"), cron=True) is None
