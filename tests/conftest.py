"""What every test may ask for: the lab, where it can run; and a home folder that is not yours."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import settings

from tests.lab import Lab

# The same examples in every run, so that a change is what fails; `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("steady", derandomize=True)
settings.register_profile("explore", max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_configure() -> None:
    """The programs of the test environment (Ansible's among them) are found as in a shell with it active."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def pytest_report_header() -> str:
    """Say at the top of the run whether the lab's tests will run."""
    return f"lab: {_why_skipped() or 'up'}"


def _why_skipped() -> str | None:
    if Lab.current() is not None:
        return None
    return f"not used: {Lab.why_not() or 'not started (make lab-up)'}"


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The running lab; the test is skipped with the reason where there is none."""
    running = Lab.current()
    if running is None:
        pytest.skip(_why_skipped() or "")
    return running


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test of the lab has it for itself, against every other test run on this machine: workers get into states."""
    running = Lab.current() if request.node.get_closest_marker("lab") else None
    with running.alone() if running else nullcontext():
        yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's own settings, known_hosts or state."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    for name in ("FLEET_AUDIT_INVENTORY", "FLEET_AUDIT_LIMIT", "NO_COLOR", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return home
