"""The contenders: one object each that says whether this machine has it, and what it would be called with."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import ROOT
from tests.bench.merge.place import Place
from tests.bench.merge.shelf import installed, shelved, version_of
from tests.lab.registry import fetch
from tests.lab.roots import ROOTS, build_roots
from tests.lab.shell import LabError

OURS = ROOT / ".venv" / "bin" / "fleet-audit"
_LAB = (("sid", "sid-docker"), ("trixie-buildx", "trixie-docker"), ("bookworm", "bookworm-docker"))
_DOCKER, _BUILDX = "usr/bin/docker", "usr/libexec/docker/cli-plugins/docker-buildx"


@dataclass(frozen=True)
class Job:
    """One merge to be done: the sources, the tag, and what must be copied where a tool makes no index."""

    place: Place
    sources: Sequence[str]
    target: str

    @property
    def words(self) -> str:
        """Tag and sources, quoted for a shell."""
        return shlex.join([self.target, *self.sources])


@dataclass(frozen=True)
class Tool:
    """A contender.

    Attributes:
        name: with its version.
        command: for a job; run with a private HOME and DOCKER_CONFIG.
        makes_index: False where it only copies the images, which is told beside its figures.
        keeps_attestations: so that they must stand in what it leaves.
        why_not: why this machine cannot have it; then it is ``not_available``.
    """

    name: str
    command: Callable[[Job], list[str]]
    makes_index: bool = True
    keeps_attestations: bool = True
    why_not: str = ""
    plugin: Path | None = None


def ours() -> Tool:
    """The whole command, as a user calls it."""
    return Tool("fleet-audit", lambda job: [str(OURS), *_OURS, "--registry-ca", str(job.place.ca),
                                            "-t", job.target, *job.sources])  # fmt: skip


_OURS = ("merge", "--engine", "registry", "-q")


def fetch_peers() -> dict[str, str]:
    """Bring here what Debian ships: the lab's roots, its docker-registry, and the peers; for who is absent, why."""
    fetch()
    with contextlib.suppress(LabError):  # then each program that is missing is told as not available
        build_roots()
    return {"crane": shelved("crane")[1], "skopeo": installed("skopeo")}  # only sid has crane


def peers(absent: Mapping[str, str], more: Sequence[Path] = ()) -> list[Tool]:
    """Docker's clients of the lab's workers, crane and skopeo.

    Args:
        absent: as `fetch_peers` said it, before the network was left behind.
        more: buildx programs given by hand.
    """
    found: list[Tool] = []
    plugins: list[Path] = list(more)
    for root, _ in _LAB:
        chain = [layer.path for layer in ROOTS[root].chain()]
        docker, buildx = (next((path / file for path in chain if (path / file).exists()), None)
                          for file in (_DOCKER, _BUILDX))  # fmt: skip
        if docker is None:
            why = "`make lab-up` builds its root, and says why it cannot"
            found.append(Tool(f"docker manifest of {root}", _nothing, why_not=why))
            continue
        found.append(_manifest(docker))
        if buildx is not None:
            plugins.append(buildx)
    found += [_imagetools(plugin) for plugin in plugins]
    return [*found, _crane(absent["crane"]), _skopeo(absent["skopeo"])]


def environment(home: Path, place: Place) -> dict[str, str]:
    """What every contender is run with: a home of its own, our CA, credentials in docker's file."""
    config = home / ".docker"
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.json").write_text(place.docker_config, encoding="utf-8")
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    return {
        "HOME": str(home),
        "DOCKER_CONFIG": str(config),
        "REGISTRY_AUTH_FILE": str(config / "config.json"),
        "SSL_CERT_FILE": str(place.ca),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_RUNTIME_DIR": str(runtime),
        "DOCKER_CLI_EXPERIMENTAL": "enabled",  # before 20.10, and harmless after
    }


def _manifest(docker: Path) -> Tool:
    version = _version([docker, "--version"])

    def command(job: Job) -> list[str]:
        # Without the removal a second run would be refused; --purge would remove it only after a success.
        run = f"{docker} manifest rm {shlex.quote(job.target)} >/dev/null 2>&1"
        return ["sh", "-c", f"{run}; {docker} manifest create {job.words} && exec {docker} manifest push {job.target}"]

    return Tool(f"docker manifest {version}", command, why_not="" if version else f"{docker} does not run here")


def _imagetools(plugin: Path) -> Tool:
    version = _version([plugin, "version"])
    # The plugin is the whole program: docker would only start it.
    return Tool(
        f"imagetools {version}",
        lambda job: [str(plugin), "imagetools", "create", "--progress", "plain", "-t", job.target, *job.sources],
        why_not="" if version else f"{plugin} does not run here",
        plugin=plugin,
    )


def _crane(why: str) -> Tool:
    folder = None if why else shelved("crane")[0]
    crane = folder / "usr/bin/crane" if folder else Path("crane")
    version = version_of(folder) if folder else ""

    def command(job: Job) -> list[str]:
        return [str(crane), "index", "append", "-t", job.target, *(f"--manifest={source}" for source in job.sources)]

    return Tool(f"crane index append {version}".strip(), command, why_not=why)


def _skopeo(why: str) -> Tool:
    skopeo = shutil.which("skopeo")
    version = _version([skopeo, "--version"]) if skopeo else ""

    def command(job: Job) -> list[str]:
        repository = job.target.rpartition(":")[0]
        tag = job.target.rpartition(":")[2]
        copies = [
            f"{skopeo} copy -q --all --insecure-policy docker://{source} docker://{repository}:{tag}-{number}"
            for number, source in enumerate(job.sources)
        ]
        return ["sh", "-c", " && ".join(copies)]

    return Tool(f"skopeo copy {version}".strip(), command, makes_index=False, why_not=why)


def _version(argv: Sequence[object]) -> str:
    """Empty where it does not run."""
    try:
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"\d+\.\d+\.\d+", done.stdout)
    return found[0] if found else ""


def _nothing(job: Job) -> list[str]:
    raise RuntimeError(f"this tool is not here: {job.target}")


def forget_blobs() -> None:
    """What skopeo remembers of earlier copies; /var/lib is ours alone here."""
    shutil.rmtree("/var/lib/containers", ignore_errors=True)
