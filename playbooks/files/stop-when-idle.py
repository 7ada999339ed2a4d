#!/usr/bin/python3
"""Stop a systemd unit once no image is built or pushed on this machine: ``stop-when-idle.py UNIT QUIET_SECONDS``.

Run by drain.yml, again and again. Exit codes: 0 nothing builds, and it was stopped or did not run; 75 builds run, and
nothing was done; 1 systemd did not stop it. Of a build only the program and its verb are printed: the rest may hold
secrets.
"""

import subprocess
import sys
import time
from pathlib import Path

TOOLS = {
    "docker", "docker-buildx", "docker-compose", "buildctl", "buildah", "podman", "nerdctl", "skopeo", "crane",
    "regctl",
}  # fmt: skip
VERBS = ("build", "bake", "push", "imagetools", "copy")
# BuildKit runs each step of a build by runc from a folder of this name, whoever asked for the build.
STEP = "buildkit/executor"
BUSY = 75


def running():
    """What builds or pushes at this moment: one line a process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        name = Path(words[0]).name
        verb = next((word for word in words[1:] if word in VERBS), None)
        if name in TOOLS and verb:
            found.append(f"{name} {verb} (process {process.name})")
        elif name.endswith("runc") and any(STEP in word for word in words[1:]):
            found.append(f"a step of a build (process {process.name})")
    return found


def active(unit):
    """Whether systemd has the unit running, or on its way there or back."""
    said = subprocess.run(
        ["systemctl", "show", "--property", "ActiveState", "--value", unit], stdout=subprocess.PIPE, check=True
    )
    return said.stdout.decode().strip() not in ("inactive", "failed")


def main(unit, quiet):
    """Look for as long as must be quiet: between a build and its push there may be a moment without either."""
    until = time.monotonic() + quiet
    while True:
        if busy := running():
            print("; ".join(sorted(busy)[:5]))
            return BUSY
        if time.monotonic() >= until:
            break
        time.sleep(0.2)
    if not active(unit):
        print("it was not running")
        return 0
    # At once: a moment later there might be the next build.
    if subprocess.run(["systemctl", "stop", unit], check=False).returncode:
        return 1
    print("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
