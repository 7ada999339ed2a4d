"""Contexts against real builders: what ours holds is what `docker build` takes from the same folder."""

from __future__ import annotations

import io
import random
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from audit.context import Context, open_context
from audit.context.dockerfile import ignore_of
from audit.context.walk import walk
from audit.errors import UsageError
from tests.context import trees
from tests.lab import Lab, Worker

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), pytest.mark.xdist_group("lab")]

TREES = 40
SEED = 31
"""Of trees and patterns on which docker's own walk and its own opening of files agree: a file that they disagree about
arrives empty (`a`, `!a/x`, `a` with a/x)."""

HERE = "/tmp/fleet-audit-context"
USED: set[Worker] = set()
"""Workers that a test built on."""


def members(data: bytes, below: str) -> dict[str, tuple[str, int, str, bytes]]:
    """What a tar has below a folder: kind, mode, target and content of each name."""
    found: dict[str, tuple[str, int, str, bytes]] = {}
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        for member in archive:
            if member.name.startswith(below) and member.name != below:
                file = archive.extractfile(member) if member.isreg() else None
                kind = "0" if member.isreg() else member.type.decode()
                target = member.linkname.removeprefix(below) if member.islnk() else member.linkname
                content = file.read() if file else b""
                found[member.name.removeprefix(below)] = (kind, member.mode & 0o7777, target, content)
    return found


def piped(worker: Worker, command: str, pieces: Iterable[bytes]) -> subprocess.CompletedProcess[bytes]:
    """Run a command on a worker that reads a stream piece by piece."""
    USED.add(worker)
    argv = worker.enter(["sh", "-c", command])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            for piece in pieces:
                process.stdin.write(piece)
        finally:
            out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def exported(worker: Worker, build: str, pieces: Iterable[bytes] = ()) -> bytes:
    """The file system of the image that a `docker build` makes, as a tar."""
    name = "fleet-audit-context"
    done = piped(
        worker,
        f"{build} -q -t {name} >{HERE}.log 2>&1 || {{ cat {HERE}.log >&2; exit 1; }}; id=$(docker create {name} x) &&"
        f" docker export $id; docker rm $id >{HERE}.log; docker rmi -f {name} >{HERE}.log; rm -f {HERE}.log",
        pieces,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No context stays in the cache of a builder."""
    yield
    while USED:
        USED.pop().sh("docker builder prune -af >/dev/null 2>&1; true")


@pytest.fixture
def placed(lab: Lab) -> Iterator[Callable[[str, Path], Worker]]:
    """Put a folder of this machine on a worker, at HERE; it is taken away again."""
    used: set[Worker] = set()

    def place(name: str, folder: Path) -> Worker:
        worker = lab.workers[name]
        used.add(worker)
        archive = io.BytesIO()
        # Not by our own tar, which is what is compared.
        with tarfile.open(fileobj=archive, mode="w") as file:
            file.add(folder, ".")
        worker.sh(f"rm -rf {HERE} && mkdir {HERE}")
        done = piped(worker, f"tar -x -p -C {HERE}", [archive.getvalue()])
        assert done.returncode == 0, done.stderr.decode()
        return worker

    yield place
    for worker in used:
        worker.sh(f"rm -rf {HERE}")


def grown(root: Path) -> dict[str, Path]:
    """Random folders, each with an ignore file, by their names as build contexts."""
    root.mkdir()
    chance = random.Random(SEED)
    found: dict[str, Path] = {}
    for number in range(TREES):
        folder = root / f"t{number}"
        trees.grow(folder, chance)
        (folder / ".dockerignore").write_text(trees.ignore(chance))
        found[folder.name] = folder
    return found


def test_same_files_as_buildkit_takes_from_the_folder(placed: Callable[[str, Path], Worker], tmp_path: Path) -> None:
    """Forty random folders with random ignore files, each a context of one real build, against our walk."""
    folders = grown(tmp_path / "all")
    copies = "".join(f"COPY --from={name} . /{name}/\n" for name in folders)
    (tmp_path / "all" / "Dockerfile").write_text(f"FROM scratch\n{copies}")
    worker = placed("amd64", tmp_path / "all")
    contexts = " ".join(f"--build-context {name}={HERE}/{name}" for name in folders)
    done = piped(worker, f"docker buildx build --progress plain {contexts} --output type=tar,dest=- {HERE}", ())
    assert done.returncode == 0, done.stderr.decode()
    ignored = 0
    for name, folder in folders.items():
        ignore = ignore_of(bytes(folder), b"Dockerfile")[1]
        ours = walk(bytes(folder), ignore, frozenset())
        theirs = members(done.stdout, f"{name}/")
        said = (folder / ".dockerignore").read_text()
        assert {entry.path.decode() for entry in ours.entries} == set(theirs), said
        assert all(
            theirs[entry.path.decode()][3] == (folder / entry.path.decode()).read_bytes()
            for entry in ours.entries
            if entry.size
        ), said
        ignored += len(list(folder.rglob("*"))) - len(theirs)
    assert ignored > 500


@pytest.mark.parametrize("name", ["amd64", "trixie-containerd"])
def test_same_image_from_the_folder_and_from_our_tar(
    placed: Callable[[str, Path], Worker], tmp_path: Path, name: str
) -> None:
    """BuildKit makes the same files of `docker build FOLDER` and of our tar on `docker build -`, times apart."""
    chance = random.Random(7)
    folder = tmp_path / "t"
    trees.grow(folder, chance)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /c/\n")
    (folder / ".dockerignore").write_text("*.txt\nb\n!**/b.go\n.dockerignore\n")
    (folder / "link").symlink_to("Dockerfile")
    (folder / "hard").hardlink_to(folder / "Dockerfile")
    (folder / "run").touch(mode=0o750)
    worker = placed(name, folder)
    theirs = members(exported(worker, f"DOCKER_BUILDKIT=1 docker build {HERE}"), "c/")
    ours = members(
        exported(worker, "DOCKER_BUILDKIT=1 docker build -", open_context(folder, "Dockerfile").stream()), "c/"
    )
    assert ours == theirs
    assert len(ours) > 20


def test_same_image_from_the_folder_and_from_our_tar_by_the_legacy_builder(
    placed: Callable[[str, Path], Worker], tmp_path: Path
) -> None:
    """The same of the legacy builder, which takes a tar from its client too."""
    folder = tmp_path / "t"
    trees.grow(folder, random.Random(13))
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /c/\n")
    (folder / ".dockerignore").write_text("*.txt\nb\n!b/b.go\n.dockerignore\n")
    worker = placed("ppc64le", folder)
    theirs = members(exported(worker, f"docker build {HERE}"), "c/")
    ours = members(exported(worker, "docker build -", open_context(folder, "Dockerfile").stream()), "c/")
    assert ours == theirs
    assert len(ours) > 20


def test_its_own_ignore_file_counts_as_with_buildkit(placed: Callable[[str, Path], Worker], tmp_path: Path) -> None:
    """`Dockerfile.dockerignore` before `.dockerignore`, also where it is empty."""
    folder = tmp_path / "t"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).touch()
    for dockerfile in ("Dockerfile", "other", "empty"):
        (folder / dockerfile).write_text("FROM scratch\nCOPY . /c/\n")
    (folder / ".dockerignore").write_text("a\n")
    (folder / "other.dockerignore").write_text("b\n")
    (folder / "empty.dockerignore").write_text("")
    worker = placed("amd64", folder)
    for dockerfile in ("Dockerfile", "other", "empty"):
        theirs = members(exported(worker, f"docker build -f {HERE}/{dockerfile} {HERE}"), "c/")
        context = open_context(folder, dockerfile)
        ours = members(exported(worker, f"docker build -f {dockerfile} -", context.stream()), "c/")
        assert ours == theirs, dockerfile


@pytest.mark.parametrize(
    ("name", "environment", "lost"),
    [
        ("amd64", "DOCKER_BUILDKIT=1", set()),
        ("amd64", "DOCKER_BUILDKIT=0", set()),
        ("trixie-containerd", "DOCKER_BUILDKIT=1", set()),
        ("ppc64le", "", set()),
        # BuildKit of 20.10 copies no fifo and makes an empty file of a device.
        ("bookworm", "DOCKER_BUILDKIT=1", {"fifo", "null"}),
        ("bookworm", "DOCKER_BUILDKIT=0", set()),
    ],
)
def test_every_engine_takes_everything(lab: Lab, tmp_path: Path, name: str, environment: str, lost: set[str]) -> None:
    """Names of any bytes and length, links that lead out, fifos and devices arrive in an image as they were sent."""
    folder = tmp_path / "odd"
    trees.odd(folder)
    context = open_context(folder, "Dockerfile")
    sent = members(b"".join(context.stream()), "")
    found = members(exported(lab.workers[name], f"{environment} docker build -", context.stream()), "c/")
    sent.pop(".", None)
    if environment != "DOCKER_BUILDKIT=1":
        # The legacy builder's COPY drops setuid bits, as it does from a folder.
        sent["suid"] = ("0", 0o755, *sent["suid"][2:])
    assert {path: each for path, each in found.items() if path not in lost} == {
        path: each for path, each in sent.items() if path not in lost
    }


@pytest.mark.parametrize("text", ["[b\n", "!\n", "a\\\n"])
def test_what_is_refused_here_is_refused_there(
    placed: Callable[[str, Path], Worker], tmp_path: Path, text: str
) -> None:
    """A malformed line ends a real build too."""
    folder = tmp_path / "t"
    folder.mkdir()
    for name in ("Dockerfile", "[b", "a"):
        (folder / name).write_text("FROM scratch\nCOPY . /c/\n")
    (folder / ".dockerignore").write_text(text)
    with pytest.raises(UsageError, match=r"^\.dockerignore:1: "):
        open_context(folder, "Dockerfile")
    assert placed("amd64", folder).sh(f"docker build {HERE}", check=False).returncode != 0


def test_a_large_file_is_streamed(lab: Lab, tmp_path: Path) -> None:
    """A large file arrives whole in a real build, though nothing is held here."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY small /\n")
    (tmp_path / "small").write_text("small")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(200_000_000)
    context: Context = open_context(tmp_path, "Dockerfile")
    found = members(exported(lab.workers["amd64"], "docker build -", context.stream()), "")
    assert found["small"][3] == b"small"
