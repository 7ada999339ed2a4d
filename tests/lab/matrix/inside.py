"""Runs on a worker, inside a station's own mount namespace: the facts' script, then cell after cell.

Only the standard library, since nothing else is there. Reads `job.json` beside itself; prints one JSON object a line:
first what the station is, then each cell as it ends.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HOME = Path("/root")
TEXT = 100_000
SOCKET = "/var/run/docker.sock"
SECONDS, HUNG = 60, -1
FIRST, LINES, CHARACTERS = 5, 20, 1000
_DIGEST = re.compile(r"^\S+: digest: (sha256:[0-9a-f]{64}) size: \d+$", re.MULTILINE)


def run(argv: list[str], cwd: Path, stdin: bytes = b"") -> dict[str, Any]:
    """How a command ended, with the ends of what it said."""
    try:
        done = subprocess.run(argv, cwd=cwd, input=stdin, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"argv": argv, "exit": HUNG, "stdout": "", "stderr": f"no end within {SECONDS} s"}
    except OSError as error:
        return {"argv": argv, "exit": 127, "stdout": "", "stderr": str(error)}
    said = {"stdout": done.stdout, "stderr": done.stderr}
    return {"argv": argv, "exit": done.returncode} | {name: ends(raw) for name, raw in said.items()}


def ends(raw: bytes) -> str:
    """The first lines and the last, in bounds: a wrong flag is told before a long help."""
    lines = raw.decode(errors="replace").splitlines()
    kept = lines if len(lines) <= FIRST + LINES else [*lines[:FIRST], "...", *lines[-LINES:]]
    return "\n".join(line[:CHARACTERS] for line in kept)


def text(path: Path) -> str | None:
    """A file's text; None where there is none."""
    try:
        return path.read_text(errors="replace")[:TEXT]
    except OSError:
        return None


class Engine(http.client.HTTPConnection):
    """The engine's own API: what `docker image inspect` and `rm` ask, without the cost of a process each."""

    def connect(self) -> None:
        """By its socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(SOCKET)


def ask(method: str, path: str) -> Any:
    """The engine's answer, read; None for anything but success."""
    engine = Engine("docker")
    try:
        engine.request(method, path)
        response = engine.getresponse()
        raw = response.read()
        return json.loads(raw) if response.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        engine.close()


def digests(reference: str) -> list[str]:
    """RepoDigests of a local image; empty where there is none."""
    return [str(one) for one in (ask("GET", f"/images/{reference}/json") or {}).get("RepoDigests") or []]


def cell(number: int, words: list[list[str]], reference: str) -> dict[str, Any]:
    """Build and push by these commands, each `NAME=VALUE... docker ...`, in a folder of its own."""
    folder = HOME / f"cell{number}"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY content /content\nLABEL note=matrix\n")
    (folder / "content").write_text(f"{reference} {time.time_ns()}\n")
    iid, metadata = folder / "iid", folder / "metadata.json"
    build, *pushes = words
    if "bake" in build:
        target = {"context": ".", "dockerfile": "Dockerfile", "tags": [reference]}
        (folder / "docker-bake.json").write_text(json.dumps({"target": {"default": target}}))
        build = [*build, "--metadata-file", str(metadata)]
    else:
        extra = ["--metadata-file", str(metadata)] if "buildx" in build else []
        if not any(word.startswith(("type=local", "type=tar")) for word in build):  # refused together
            extra += ["--iidfile", str(iid)]
        build = [*build, "--tag", reference, *extra, "."]
    found: dict[str, Any] = {"number": number, "build": run(["env", *build], folder), "push": None}
    if found["build"]["exit"] == HUNG:  # a client of 20.10 may, now and then, after the engine has refused its build
        found |= {"hung": found["build"], "build": run(["env", *build], folder)}
    written = text(iid)
    found["iid"] = written
    found["metadata"] = _metadata(text(metadata))
    if found["build"]["exit"] == 0:
        if written:
            found["iid_usable"] = ask("GET", f"/images/{written.strip()}/json") is not None
        found["digests_before"] = digests(reference)
        for push in pushes:
            found["push"] = run(["env", *push, reference], folder)
            line = _DIGEST.search(found["push"]["stdout"])
            found["push_digest"] = line[1] if line else None
            if found["push"]["exit"] != 0:
                break
        found["digests_after"] = digests(reference)
    for name in (reference, *([written.strip()] if written else [])):
        ask("DELETE", f"/images/{name}?force=1")
    return found


def _metadata(written: str | None) -> dict[str, Any] | None:
    if written is None:
        return None
    try:
        whole = json.loads(written)
    except ValueError:  # cut short by its provenance, which is of no interest
        return dict(re.findall(r'"(containerimage\.[a-z.]*digest)": "([^"]*)"', written))
    parts = [whole, *(value for value in whole.values() if isinstance(value, dict))]  # bake: one object a target
    return {key: value for part in parts for key, value in part.items() if key.startswith("containerimage.")}


def main() -> int:
    """Everything in `job.json`; 1 where the station could not be made."""
    job = json.loads((HOME / "job.json").read_text())
    before = [run(argv, HOME) for argv in job["before"]]
    made = all(one["exit"] == 0 for one in before)
    script = (HOME / "facts.sh").read_bytes()
    try:
        facts = subprocess.run(
            ["/bin/sh", "-s"], input=script, capture_output=True, timeout=SECONDS, check=False, cwd="/"
        )
        printed = facts.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        printed = ""
    print(json.dumps({"before": before, "made": made, "facts": printed}), flush=True)
    try:
        if made:
            for number, (words, reference) in enumerate(job["cells"]):
                start = time.monotonic()
                found = cell(number, words, reference)
                print(json.dumps({**found, "seconds": round(time.monotonic() - start, 2)}), flush=True)
    finally:
        after = [run(argv, HOME) for argv in job["after"]]
        print(json.dumps({"after": after}), flush=True)
    return 0 if made else 1


if __name__ == "__main__":
    os.environ["HOME"] = str(HOME)
    sys.exit(main())
