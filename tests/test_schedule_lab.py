"""A check on a schedule on a real machine: the playbook puts it there, systemd takes it, and the timer fires."""

from __future__ import annotations

import io
import json
import re
import site
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, Worker
from tests.lab.shell import wait_for
from tests.lab.states import state

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300), pytest.mark.xdist_group("lab")]

ROOT = Path(__file__).parent.parent
CONTROLLER, AUDITED = "bookworm", "amd64"
LIBRARIES = (
    "paramiko-*.dist-info",
    "_cffi_backend*.so", "_ruamel_yaml*.so", "alembic", "annotated_doc", "annotated_types", "bcrypt", "click",
    "cryptography", "greenlet", "invoke", "jinja2", "mako", "markdown_it", "markupsafe", "mdurl", "nacl", "packaging",
    "paramiko", "platformdirs", "pydantic", "pydantic_core", "pygments", "rich", "ruamel", "shellingham", "sqlalchemy",
    "tabulate", "typer", "typing_extensions.py", "typing_inspection", "urllib3",
)  # fmt: skip
"""What a check loads; the worker has Python and no way to a package registry."""
COMMAND = "/opt/fleet-audit/fleet-audit"
UNDO = """
systemctl disable --now fleet-audit.timer; systemctl stop fleet-audit.service
rm -rf /etc/systemd/system/fleet-audit.* /opt/fleet-audit /etc/fleet-audit /var/lib/fleet-audit /var/cache/fleet-audit
rm -f /var/lib/systemd/timers/stamp-fleet-audit.timer
systemctl daemon-reload; systemctl reset-failed; userdel fleet-audit; true
"""


def package() -> bytes:
    """fleet-audit and its libraries, for the same version of Python."""
    held = io.BytesIO()
    folder = Path(next(path for path in site.getsitepackages() if path.endswith("site-packages")))

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if "__pycache__" in member.name or "/tests/" in member.name else member

    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.add(ROOT / "audit", "lib/audit", filter=plain)
        for pattern in LIBRARIES:
            for path in folder.glob(pattern):
                archive.add(path, f"lib/{path.name}", filter=plain)
    return held.getvalue()


@pytest.fixture
def controller(lab: Lab) -> Iterator[Worker]:
    """A machine with fleet-audit, a key and an inventory of one worker; afterwards it is as before."""
    worker = lab.workers[CONTROLLER]
    version = worker.sh("python3 -c 'import sys; print(*sys.version_info[:2])'").stdout.split()
    if version != [str(part) for part in sys.version_info[:2]]:
        pytest.skip(f"{CONTROLLER} has Python {'.'.join(version)}: its libraries would have to be built anew")
    with state(worker, "mkdir -p /opt/fleet-audit /etc/fleet-audit", UNDO):
        worker.sh("tar -x -C /opt/fleet-audit --no-same-owner", stdin=package())
        script = '#!/bin/sh\nPYTHONPATH=/opt/fleet-audit/lib exec python3 -B -m audit "$@"\n'
        worker.write(COMMAND, script, "755")
        worker.write("/etc/fleet-audit/ssh-key", (lab.place.keys / "id_ed25519").read_text(), "600")
        host = {"ansible_host": lab.workers[AUDITED].address, "ansible_user": "root"}
        worker.write("/etc/fleet-audit/inventory", json.dumps({"all": {"hosts": {AUDITED: host}}}))
        yield worker


def play(lab: Lab, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the playbook on the controller."""
    told = {
        "schedule_command": COMMAND,
        "schedule_arguments": ["--deadline", "60"],
        "schedule_known_hosts": (lab.place.keys / "known_hosts").read_text(),
    }
    argv = ["ansible-playbook", "-i", str(lab.inventory), "--limit", CONTROLLER, "-e", json.dumps(told), *more]
    argv.append(str(ROOT / "playbooks" / "schedule.yml"))
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)


def changed(done: subprocess.CompletedProcess[str]) -> int:
    """How many tasks changed something."""
    found = re.search(r"changed=(\d+) .*unreachable=0 .*failed=0", done.stdout)
    assert found is not None, done.stdout + done.stderr
    return int(found[1])


def test_the_playbook_schedules_a_check_and_the_timer_fires(lab: Lab, controller: Worker) -> None:
    """A rehearsal changes nothing and says what would; a second run changes nothing; the service runs and succeeds."""
    rehearsed = play(lab, "--check", "--diff")
    assert changed(rehearsed) >= 4
    assert "+OnCalendar=*-*-* 03:10:00" in rehearsed.stdout
    assert controller.run(["id", "fleet-audit"]).returncode != 0
    assert changed(play(lab)) >= 4
    assert changed(play(lab, "--check", "--diff")) == 0
    assert changed(play(lab)) == 0

    names = "/etc/systemd/system/fleet-audit.service /etc/systemd/system/fleet-audit.timer"
    assert "fleet-audit" not in controller.sh(f"systemd-analyze verify {names} 2>&1").stdout
    rated = controller.sh("systemd-analyze security fleet-audit.service --no-pager", check=False).stdout
    level = re.search(r"exposure level for \S+: ([\d.]+)", rated)
    assert level is not None, rated
    assert float(level[1]) < 2.0
    assert controller.sh("systemctl is-enabled fleet-audit.timer").stdout.strip() == "enabled"

    # The same timer, in a second instead of at night.
    soon = "[Timer]\nOnCalendar=\nOnActiveSec=1\nAccuracySec=100ms\nRandomizedDelaySec=0\n"
    controller.write("/etc/systemd/system/fleet-audit.timer.d/soon.conf", soon)
    controller.sh("systemctl daemon-reload && systemctl restart fleet-audit.timer")
    ended = "systemctl show fleet-audit.service -p ExecMainExitTimestampMonotonic,ActiveState --value"
    wait_for("the service to have run", lambda: _ran(controller.sh(ended).stdout), 90)
    shown = controller.sh("systemctl show fleet-audit.service -p Result,ExecMainStatus,ExecMainCode").stdout
    told = controller.sh("journalctl -u fleet-audit.service --no-pager", check=False).stdout
    assert "Result=success" in shown, told
    assert re.search(r"ExecMainStatus=[013]\n", shown), told

    metrics = controller.read("/var/lib/fleet-audit/fleet-audit.prom")
    assert re.search(rf'^fleet_audit_up{{host="{AUDITED}".*}} 1$', metrics, re.M)
    assert 'fleet_audit_hosts{state="ok"} 1' in metrics
    last = re.search(r"^fleet_audit_last_run_timestamp_seconds ([\d.]+)$", metrics, re.M)
    assert last is not None
    assert abs(float(controller.sh("date +%s").stdout) - float(last[1])) < 120
    assert controller.sh("stat -c '%a %U' /var/lib/fleet-audit/fleet-audit.prom").stdout.split() == [
        "644",
        "fleet-audit",
    ]


def test_a_second_run_meets_the_lock(lab: Lab, controller: Worker) -> None:
    """While another one holds it, the unit ends at once and says so."""
    changed(play(lab))
    hold = "flock --nonblock /var/lib/fleet-audit/check.lock systemctl start fleet-audit.service"
    assert controller.sh(hold, check=False).returncode != 0
    assert "ExecMainStatus=75" in controller.sh("systemctl show fleet-audit.service -p ExecMainStatus").stdout


def _ran(shown: str) -> bool:
    values = shown.split()
    return "0" not in values and bool({"inactive", "failed"} & set(values))
