"""The second half of `make demo`: five real builds, the merge that breaks, the merges that do not, and the proof.

Each command is shown as a user would type it. What must fail is as much a part of it as what must work: the story ends
with exit code 0 only where every step came out as told.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.merge.shelf import installed
from tests.lab import Lab

ROOT = Path(__file__).parent.parent
COMMAND = ROOT / ".venv" / "bin" / "fleet-audit"
CONTEXT = Path("tests/lab/files/story")
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le", "linux/riscv64")
MERGE_HOST = "amd64"


_PLATFORM = "{{.Os}}/{{.Architecture}}"
_LOG_LINE = re.compile(r"\w+ +\| ")
"""A line of a build's own log, which everybody knows."""


class Untrue(Exception):  # noqa: N818 - what became of the story
    """A step did not come out as told."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Story:
    """One telling, in repositories of its own.

    Attributes:
        lab: runs.
        name: of the staging repository's tags.
        built: platform -> reference by digest, once they are.
        merged: engine -> REPO:TAG@DIGEST.
    """

    lab: Lab
    name: str = "demo"
    built: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)

    def tell(self) -> None:
        """All of it, in order.

        Raises:
            Untrue: a step did not come out as told.
        """
        with tempfile.TemporaryDirectory(prefix="fleet-audit-story-") as folder:
            self._inventory(Path(folder))
            self.build(Path(folder) / "digests.json")
            self.old_merge()
            for engine in ("registry", "imagetools"):
                self.merge(engine, Path(folder))
            self.refused(Path(folder))
            self.verify()
            self.pull(Path(folder))

    # ------------------------------------------------------------------- the steps

    def build(self, digests: Path) -> None:
        """Four flat images and an attested index, each on the worker of its platform."""
        self._say("\nEvery platform is built on its own worker, with the flags that this worker can take:")
        self._ours(
            0, "build", str(CONTEXT), "--platforms", ",".join(PLATFORMS), "--staging", self._staging, "--attest",
            "keep", "--force", "--limit", "builders", "-i", ".lab/inventory", "--digests", str(digests),
        )  # fmt: skip
        report = json.loads(digests.read_text(encoding="utf-8"))
        self.built = {one["platform"]: one["reference"] for one in report["platforms"]}
        kinds = {one["platform"]: one["arrived"]["kind"] for one in report["platforms"]}
        self._is(kinds, dict.fromkeys(PLATFORMS, "flat") | {"linux/riscv64": "index"}, "the kinds of the pushes")

    def old_merge(self) -> None:
        """`docker manifest create` of them fails, as it does on the fleets of this story."""
        self._say(f"\nThe merge as it was always done, on {MERGE_HOST}:")
        tag = f"{self._repository}:{self.name}-old"
        done = self._on_worker("docker", "manifest", "create", tag, *self._sources)
        self._on_worker("docker", "manifest", "rm", tag, quiet=True)  # it keeps the members that it had come to
        if done.code == 0 or "is a manifest list" not in done.err:
            raise Untrue(f"`docker manifest create` ended with {done.code}: {done.err.strip()}")

    def merge(self, engine: str, folder: Path) -> None:
        """One engine makes one tag of them."""
        self._say(f"\nMerged by the engine {engine}:")
        tag = f"{self._repository}:{self.name}-{engine}"
        done = self._ours(0, "merge", "--engine", engine, *self._where(engine, folder), "-t", tag, *self._sources)
        self.merged[engine] = done.out.strip()
        if len({_digest(one) for one in self.merged.values()}) != 1:
            raise Untrue(f"the engines do not agree: {self.merged}")

    def refused(self, folder: Path) -> None:
        """The engine that is `docker manifest` says beforehand that it cannot."""
        self._say("\nThe engine that is `docker manifest` says so before it begins:")
        tag = f"{self._repository}:{self.name}-manifest"
        done = self._ours(5, "merge", "--engine", "manifest", *self._where("manifest", folder), "-t", tag,
                          *self._sources)  # fmt: skip
        if "manifest list" not in done.err:
            raise Untrue(f"it gave another reason: {done.err.strip()}")
        self._say("\nThe four flat images it can merge:")
        flat = [name for name in self._sources if not name.endswith("riscv64")]
        self._ours(0, "merge", "--engine", "manifest", *self._where("manifest", folder), "-t", tag, *flat)

    def verify(self) -> None:
        """What stands under the tag is what was built, to the last blob."""
        self._say("\nIs it right?")
        tag = self.merged["registry"].partition("@")[0]
        self._ours(0, "verify", tag, "--expect", ",".join(PLATFORMS), "--sources", ",".join(self._sources), "--deep")

    def pull(self, folder: Path) -> None:
        """Docker and skopeo get the right image for every platform."""
        tag = self.merged["registry"].partition("@")[0]
        self._say(f"\nPulled for every platform by docker, on {MERGE_HOST}:")
        for platform in PLATFORMS:
            self._on_worker("docker", "pull", "--quiet", "--platform", platform, tag, must=True)
            seen = self._on_worker(
                "docker", "image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", tag, must=True
            )
            self._is(seen.out.strip(), platform, "what docker pulled")
        self._on_worker("docker", "image", "rm", "--force", tag, quiet=True)
        missing = installed("skopeo")
        if missing:
            self._say(f"\nNot by skopeo: {missing}")
            return
        self._say("\nAnd by skopeo, here:")
        login = folder / "auth.json"
        login.write_text(self.lab.docker_registry.docker_config(), encoding="utf-8")
        certificates = folder / "certificates"
        certificates.mkdir()
        (certificates / "ca.crt").write_bytes(self.lab.ca.read_bytes())
        for platform in PLATFORMS:
            system, architecture = platform.split("/")
            image = folder / f"image-{architecture}"
            self._run(
                ["skopeo", "--override-os", system, "--override-arch", architecture, "copy", "--quiet",
                 f"--src-cert-dir={certificates}", f"--src-authfile={login}", f"docker://{tag}", f"dir:{image}"],
                shown=["skopeo", "--override-arch", architecture, "copy", f"docker://{tag}", f"dir:{image.name}"],
                must=True,
            )  # fmt: skip
            config = json.loads((image / "manifest.json").read_bytes())["config"]["digest"].partition(":")[2]
            said = json.loads((image / config).read_bytes())
            self._is(f"{said['os']}/{said['architecture']}", platform, "what skopeo pulled")

    # ------------------------------------------------------------------- inside

    @property
    def _repository(self) -> str:
        return f"{self.lab.registry}/staging/story"

    @property
    def _staging(self) -> str:
        return f"{self._repository}:{self.name}"

    @property
    def _sources(self) -> list[str]:
        return [f"{self._staging}-{platform.partition('/')[2]}" for platform in PLATFORMS]

    @staticmethod
    def _inventory(folder: Path) -> None:
        """The lab's, in which nobody merges, and that one host does."""
        (folder / "hosts.yml").write_text(
            f"builders:\n  hosts:\n    {MERGE_HOST}:\n      merge_host: true\n", encoding="utf-8"
        )

    @staticmethod
    def _where(engine: str, folder: Path) -> list[str]:
        if engine == "registry":
            return []
        return ["--merge-host", MERGE_HOST, "-i", ".lab/inventory", "-i", str(folder / "hosts.yml")]

    def _ours(self, expected: int, *arguments: str) -> Ran:
        more = ["--registry-ca", ".lab/keys/ca.crt", "--registry-user", "staging"]
        password = self.lab.credentials["staging"]
        done = self._run(
            [str(COMMAND), *arguments, *more],
            shown=["fleet-audit", *arguments],
            environment={"FLEET_AUDIT_REGISTRY_PASSWORD": password},
        )
        if done.code != expected:
            raise Untrue(f"`fleet-audit {arguments[0]}` ended with {done.code}, where {expected} was expected")
        return done

    def _on_worker(self, *argv: str, must: bool = False, quiet: bool = False) -> Ran:
        worker = self.lab.workers[MERGE_HOST]
        words = [str(word) for word in worker.enter(["env", "HOME=/root", *argv])]
        return self._run(words, shown=None if quiet else list(argv), must=must)

    def _run(
        self,
        argv: Sequence[str],
        *,
        shown: Sequence[str] | None,
        environment: Mapping[str, str] | None = None,
        must: bool = False,
    ) -> Ran:
        """Run a command, with what it says on the screen, and kept."""
        if shown is not None:
            self._say(f"$ {shlex.join(shown)}")
        done = subprocess.run(
            argv, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=600,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if shown is not None:
            said = [line for line in (done.stderr + done.stdout).splitlines() if not _LOG_LINE.match(line)]
            if said:
                self._say("\n".join(said))
        if must and done.returncode:
            raise Untrue(f"`{shlex.join(shown or argv)}` ended with {done.returncode}: {done.stderr.strip()}")
        return Ran(done.returncode, done.stdout, done.stderr)

    @staticmethod
    def _is(seen: object, wanted: object, what: str) -> None:
        if seen != wanted:
            raise Untrue(f"{what}: {seen}, where {wanted} was wanted")

    @staticmethod
    def _say(line: str) -> None:
        print(line, flush=True)


def _digest(reference: str) -> str:
    found = re.fullmatch(r"\S+@(sha256:[0-9a-f]{64})", reference)
    if found is None:
        raise Untrue(f"{reference!r} is no reference by digest")
    return found[1]
