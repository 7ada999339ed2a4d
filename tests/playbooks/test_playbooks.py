"""The playbooks, run by the real ansible-playbook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import Lab

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def play(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook of ours."""
    return subprocess.run(
        [BIN / "ansible-playbook", ROOT / "playbooks" / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "playbooks").glob("*.yml")))
def test_syntax(name: str) -> None:
    """Ansible parses it against the sample inventory."""
    done = play(name, "-i", "inventory/", "--syntax-check")
    assert done.returncode == 0, done.stderr


@pytest.mark.lab
@pytest.mark.xdist_group("lab")
@pytest.mark.timeout(180)
def test_preflight_stops_a_rollout_with_findings_and_lets_a_clean_one_pass(lab: Lab) -> None:
    """The reinstalled worker stops it; the upgraded ones do not. The --limit reaches the audit."""
    command = f"preflight_command={BIN / 'fleet-audit'}"
    stopped = play("preflight.yml", "-i", str(lab.inventory), "--limit", "builders", "-e", command)
    assert stopped.returncode != 0
    assert "FA506" in stopped.stdout
    passed = play("preflight.yml", "-i", str(lab.inventory), "--limit", "amd64:arm64", "-e", command)
    assert passed.returncode == 0, passed.stdout
