"""Enters a worker as a station: its own mount namespace, /root and plugin, gone when the session ends."""

from __future__ import annotations

import io
import json
import secrets
import shlex
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import Lab
from tests.lab.matrix.stations import Station
from tests.lab.roots import ROOTS
from tests.lab.shell import LabError
from tests.lab.worker import Worker

HERE = Path(__file__).parent
DOCKER, PLUGINS = "/usr/bin/docker", "/usr/libexec/docker/cli-plugins"
PLUGIN = f"{PLUGINS}/docker-buildx"
REPOSITORY = "matrix/cells"
SECONDS = 420

CLIENTS = {"20.10": "bookworm", "26.1": "trixie-docker", "28.5": "sid"}
BUILDX = {"0.13": "trixie-buildx", "0.29": "sid"}
"""Which root of the cache has it."""

_ENTER = """
set -eu
mount -t tmpfs -o mode=700 matrix /root
tar -x -C /root
cd /root
[ ! -e docker ] || mount --bind docker {docker}
if [ -e no-plugin ]; then
    [ ! -d {plugins} ] || {{ mkdir none; mount --bind none {plugins}; }}
elif [ -e docker-buildx ]; then
    if [ -e {plugin} ]; then
        mount --bind docker-buildx {plugin}
    else
        mkdir -p .docker/cli-plugins
        mv docker-buildx .docker/cli-plugins/
    fi
fi
exec python3 inside.py
"""
_BUILDCTL = """#!/bin/busybox sh
case "$*" in
*dial-stdio*) exec /bin/busybox nc {address} {port} ;;
esac
"""
_BUILDKITD = "#!/bin/busybox sh\nexec /bin/busybox sleep 3600\n"
_IMAGE = """FROM scratch
COPY busybox buildctl buildkitd /bin/
ENV PATH=/bin
ENTRYPOINT ["/bin/buildkitd"]
"""
_SCANNER = """#!/bin/busybox sh
/bin/busybox cat >"$BUILDKIT_SCAN_DESTINATION/lab.spdx.json" <<'END'
{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document",
 "predicate": {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "lab", "dataLicense": "CC0-1.0"}}
END
"""
_SCANNER_IMAGE = 'FROM scratch\nCOPY busybox scan /bin/\nENTRYPOINT ["/bin/scan"]\n'


@dataclass(frozen=True)
class Bridge:
    """Where an engine's BuildKit can be dialled."""

    address: str
    port: int


@contextmanager
def bridge(worker: Worker) -> Iterator[Bridge]:
    """An engine's BuildKit as an endpoint on the lab's network, as long as the block lasts."""
    code = (HERE / "bridge.py").read_text(encoding="utf-8")
    argv = worker.enter(["python3", "-c", code])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            if not port.isdigit():
                raise LabError(f"the bridge on {worker.name} did not start")
            yield Bridge(worker.address, int(port))
        finally:
            process.stdin.close()  # that ends it, inside too


def tag(station: Station, number: int, run: str) -> str:
    """The tag of one cell of one run."""
    return f"{station.name}.{number}.{run}"


def scanner(lab: Lab) -> str:
    """The reference of the SBOM generator that stands in for Docker's."""
    return f"{lab.registry}/matrix/scanner:1"


def words(line: str, station: Station, lab: Lab) -> list[list[str]]:
    """A line's commands as words, with its placeholders filled."""
    name = station.other.name if station.other else "default"
    filled = line.replace("@SCANNER@", scanner(lab)).replace("@OTHER@", name)
    return [shlex.split(command) for command in filled.split("&&")]


def enter(
    lab: Lab, station: Station, lines: tuple[str, ...], script: bytes, run: str, at: Bridge | None
) -> Iterator[dict[str, Any]]:
    """Run a station's cells; what `inside.py` prints, one object after the other.

    Raises:
        LabError: the session ended badly; what it said is in the message.
    """
    worker = lab.workers[station.worker]
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _mounting()]
    sent = _archive(lab, station, lines, script, run, at)
    try:
        done = subprocess.run(worker.enter(argv), input=sent, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as late:
        raise LabError(f"station {station.name} did not end within {SECONDS} s") from late
    rows = [json.loads(row) for row in done.stdout.decode().splitlines() if row.startswith("{")]
    if done.returncode != 0 or not rows:
        why = next((one for row in rows for one in row.get("before", ()) if one["exit"] != 0), None)
        said = why["stderr"] if why else done.stderr.decode(errors="replace")[-2000:]
        raise LabError(f"station {station.name} could not be made: {said.strip()}")
    yield from rows


def _mounting() -> str:
    return _ENTER.format(docker=DOCKER, plugins=PLUGINS, plugin=PLUGIN)


def _archive(lab: Lab, station: Station, lines: tuple[str, ...], script: bytes, run: str, at: Bridge | None) -> bytes:
    """What /root will hold."""
    before, after, files = _builders(lab, station, at)
    cells = [
        (words(line, station, lab), f"{lab.registry}/{REPOSITORY}:{tag(station, number, run)}")
        for number, line in enumerate(lines)
    ]
    job = {"before": before, "after": after, "cells": cells}
    config = json.loads(lab.docker_registry.docker_config("live")) | dict(station.config)
    files |= {
        "inside.py": (HERE / "inside.py").read_bytes(),
        "facts.sh": script,
        "job.json": json.dumps(job).encode(),
        ".docker/config.json": json.dumps(config).encode(),
    }
    if station.client != "own":
        files["docker"] = _from(CLIENTS[station.client], DOCKER)
    if station.buildx in BUILDX:
        files["docker-buildx"] = _from(BUILDX[station.buildx], PLUGIN)
    elif station.buildx == "hidden":
        files["no-plugin"] = b""
    elif station.buildx == "broken":
        files["docker-buildx"] = b"\x7fELF cut short"
    return _tar(files)


def _from(root: str, path: str) -> bytes:
    found: bytes = ROOTS[root].find(path.lstrip("/")).read_bytes()
    return found


def _tar(files: Mapping[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


Made = tuple[list[list[str]], list[list[str]], dict[str, bytes]]


def _builders(lab: Lab, station: Station, at: Bridge | None) -> Made:
    """Commands that make the station's own builder and take it away again, and the files they need."""
    if station.other is None or at is None:
        return [], [], {}
    other = station.other
    create = ["docker", "buildx", "create", "--name", other.name, "--driver", other.driver]
    for option in other.options:
        create += ["--driver-opt", option]
    if other.selected:
        create.append("--use")
    remove = ["docker", "buildx", "rm", "--force", other.name]
    listed = ["docker", "buildx", "ls"]  # makes buildx's store, so that the facts see its builders
    if other.driver == "remote":
        return [[*create, f"tcp://{at.address}:{at.port}"], listed], [remove], {}
    image = f"matrix-bridge:{station.name}"
    create += ["--driver-opt", f"image={image}", "--driver-opt", "network=host", "--bootstrap"]
    files = {
        "bridge/Dockerfile": _IMAGE.encode(),
        "bridge/busybox": _from("trixie", "/usr/bin/busybox"),
        "bridge/buildctl": _BUILDCTL.format(address=at.address, port=at.port).encode(),
        "bridge/buildkitd": _BUILDKITD.encode(),
    }
    build = ["docker", "build", "--provenance=false", "--tag", image, "bridge"]
    return [build, create, listed], [remove, ["docker", "image", "rm", "--force", image]], files


def make_scanner(lab: Lab) -> None:
    """Prediction the SBOM generator from a worker, where the registry does not have it yet."""
    files = {
        "scan/Dockerfile": _SCANNER_IMAGE.encode(),
        "scan/busybox": _from("trixie", "/usr/bin/busybox"),
        "scan/scan": _SCANNER.encode(),
        ".docker/config.json": lab.docker_registry.docker_config("live").encode(),
    }
    name = scanner(lab)
    commands = (
        f"docker build --quiet --tag {name} scan && docker push --quiet {name}; code=$?;"
        f" docker image rm --force {name} >/dev/null; exit $code"
    )
    script = f"set -eu; mount -t tmpfs -o mode=700 matrix /root; tar -x -C /root; cd /root; {commands}"
    worker = lab.workers["amd64"]
    argv = worker.enter(["unshare", "--mount", "--propagation", "private", "sh", "-c", script])
    done = subprocess.run(argv, input=_tar(files), capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise LabError(f"the SBOM generator could not be pushed: {done.stderr.decode(errors='replace')[-500:]}")


def forget(lab: Lab, worker: Worker) -> None:
    """Remove the images of cells that are left on a worker: a builder of another worker pushes from its own store."""
    name = f"{lab.registry}/{REPOSITORY}"
    listed = f"docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' {name}"
    worker.sh(f"{listed} | xargs --no-run-if-empty docker image rm --force", check=False)


def nonce() -> str:
    """A fresh mark: of a facts script, or of a run's tags."""
    return secrets.token_hex(16)
