"""The script, really run: by every POSIX shell of this machine, with stand-ins for what a worker would have."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.model import Answer, Host, HostEvidence, Probe, Unknown
from audit.wire.answers import evidence
from audit.wire.script import build_script
from audit.wire.transport import Printed

SHELLS: dict[str, list[str]] = {
    name: command
    for name, command in {
        "dash": ["dash"],
        "bash": ["bash"],
        "bash-posix": ["bash", "--posix"],
        "busybox": ["busybox", "sh"],
        "ksh": ["ksh"],
        "mksh": ["mksh"],
    }.items()
    if shutil.which(command[0])
}
"""The shells that are there, by name."""

NONCE = "feedbeef" * 4
NOBODY = 65534


def run(
    probes: Sequence[Probe],
    *,
    shell: Sequence[str] = ("/bin/sh",),
    become: bool = False,
    unit: str | None = None,
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    as_nobody: bool = False,
) -> HostEvidence:
    """Run the script and read what it printed.

    Args:
        probes: what to ask.
        shell: runs it; ``-s`` is added.
        become: as the inventory may say.
        unit: likewise, `build_unit`.
        path: a folder of stand-ins, before the system's.
        environment: the login's variables.
        as_nobody: as a user without rights, where we are root.
    """
    host = Host(name="here", address="here", become=become, build_unit=unit)
    variables = {"PATH": f"{path}:/usr/bin:/bin" if path else "/usr/bin:/bin", "HOME": "/"} | dict(environment or {})
    lowered = NOBODY if as_nobody and os.getuid() == 0 else None
    done = subprocess.run(
        [*shell, "-s"],
        input=build_script(probes, host, NONCE).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=variables,
        user=lowered,
        group=lowered,
        extra_groups=None if lowered is None else [],
        timeout=60,
        check=False,
        cwd="/",
    )
    printed = Printed(data=done.stdout, complete=True, status=done.returncode)
    return evidence(host, probes, printed, NONCE, host_key=None, seconds=0)


def answer(found: HostEvidence, name: str) -> Answer:
    """The answer of that name, which must be one."""
    value = found.answers[name]
    assert isinstance(value, Answer), f"{name}: {str(value)[:300]}"
    return value


def unknown(found: HostEvidence, name: str) -> Unknown:
    """The Unknown of that name, which must be one."""
    value = found.answers[name]
    assert isinstance(value, Unknown), f"{name}: {str(value)[:300]}"
    return value


def stand_in(folder: Path, name: str, script: str) -> None:
    """A program of that name."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    folder.chmod(0o755)
