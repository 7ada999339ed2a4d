"""The tar of a context: what is in it, that it is the same every time, and that nothing is held."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import stat
import subprocess
import tarfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.context import Context, open_context
from audit.context.entry import FILE, FOLDER, SYMLINK, Entry
from audit.context.opened import ENOUGH, READ
from audit.context.walk import TIME
from audit.errors import StepError
from tests.context import trees


def tar(context: Context) -> bytes:
    """The whole stream, after a look at its pieces."""
    pieces = list(context.stream())
    assert all(ENOUGH <= len(piece) <= ENOUGH + READ for piece in pieces[:-1])
    assert len(pieces[-1]) <= ENOUGH + READ
    return b"".join(pieces)


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    """By name, in order; read by Python's own module."""
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        return {member.name: member for member in archive}


def content(data: bytes, name: str) -> bytes:
    """Of one file."""
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A context of everything."""
    trees.odd(tmp_path / "odd")
    return tmp_path / "odd"


def test_everything_is_there_as_it_is(folder: Path) -> None:
    """Names of any bytes and length, modes, links, empty folders and fifos arrive; owners, times and sockets do not."""
    found = members(tar(open_context(folder, "Dockerfile")))
    devices = {"null"} if os.geteuid() == 0 else set()
    plain = {"run", "suid", "group", "mine", "back\\slash", "Dockerfile", "é", "two\nlines", "space ", "\udcff\udcfe"}
    links = {"ln", "dangling", "absolute", "longlink", "empty/up"}
    long = "!" + "n" * 120 + "/" + "m" * 130
    folders = {"empty", "sticky", long, long.split("/")[0]}
    assert set(found) == {".", "second", "fifo", f"{long}/f"} | devices | plain | links | folders
    assert all(found[name].issym() for name in links)
    assert all(found[name].isdir() for name in folders)
    assert found["fifo"].isfifo()
    assert found["second"].islnk()
    assert found["second"].linkname == "run"
    assert found["longlink"].linkname == "t" * 150
    assert not devices or (found["null"].ischr() and (found["null"].devmajor, found["null"].devminor) == (1, 3))
    modes = {name: oct(found[name].mode) for name in ("run", "suid", "group", "mine", "sticky", "longlink")}
    assert modes == {
        "run": "0o755",
        "suid": "0o4755",
        "group": "0o664",
        "mine": "0o400",
        "sticky": "0o1777",
        "longlink": "0o777",
    }
    assert {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in found.values()} == {
        (0, 0, "", "", TIME)
    }


def test_gnu_tar_takes_it(folder: Path, tmp_path: Path) -> None:
    """What the machine's own tar unpacks is the folder, but for the socket."""
    out = tmp_path / "out"
    out.mkdir()
    data = tar(open_context(folder, "Dockerfile"))
    subprocess.run(["tar", "-x", "-p", "-C", out], input=data, check=True)
    wanted = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.name != "sock")
    assert sorted(path.relative_to(out) for path in out.rglob("*")) == wanted
    for path in wanted:
        here, there = (folder / path).lstat(), (out / path).lstat()
        assert here.st_mode == there.st_mode, path
        if stat.S_ISREG(here.st_mode):
            assert (folder / path).read_bytes() == (out / path).read_bytes()


def test_same_folder_same_bytes(folder: Path, tmp_path: Path) -> None:
    """Neither times, nor owners, nor the umask, nor the order of creation change a byte, and the digest is theirs."""
    copy = tmp_path / "copy"
    old = os.umask(0o077)
    try:
        subprocess.run(["cp", "-a", folder, copy], check=True)
        os.utime(copy / "run", (1, 1))
        shutil.move(copy / "run", tmp_path / "run")
        shutil.move(tmp_path / "run", copy / "run")
        first, second = open_context(folder, "Dockerfile"), open_context(copy, "Dockerfile")
        data = tar(first)
        assert data == tar(second) == tar(first)
    finally:
        os.umask(old)
    assert first.digest() == second.digest() == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_names_are_sorted_within_their_folder(tmp_path: Path) -> None:
    """A folder comes before what is in it, and `a.txt` after all of `a`."""
    for name in ("a.txt", "a/z", "a/b/c", "a-", "B"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "Dockerfile").touch()
    found = list(members(tar(open_context(tmp_path, "Dockerfile"))))
    assert found == ["B", "Dockerfile", "a", "a/b", "a/b/c", "a/z", "a-", "a.txt"]


def test_times_are_kept_on_request(tmp_path: Path) -> None:
    """With `keep_times` every entry has its file's own time, before 1970 and after 2242 too."""
    for name, moment in (("Dockerfile", 10**9), ("old", -5), ("new", 2**33 + 1)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (moment, moment))
    kept = open_context(tmp_path, "Dockerfile", keep_times=True)
    assert {name: each.mtime for name, each in members(tar(kept)).items()} == {
        "Dockerfile": 10**9,
        "old": -5,
        "new": 2**33 + 1,
    }


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 8**11 - 1, 8**11, 5 * 2**40])
def test_a_header_holds_any_size(size: int) -> None:
    """Sizes beyond 8 GiB are read back by another reader of tar."""
    header = Entry(b"big", FILE, 0o644, size, TIME).header()
    assert len(header) == 512
    assert tarfile.TarInfo.frombuf(header, "utf-8", "strict").size == size


@pytest.mark.parametrize("length", [1, 99, 100, 101, 511, 512, 513, 4000])
def test_a_header_holds_any_name(length: int) -> None:
    """Paths and targets around every border are read back whole."""
    name = b"n" * length
    for entry in (Entry(name, FILE, 0, time=TIME), Entry(name, FOLDER, 0o755), Entry(b"l", SYMLINK, 0, target=name)):
        found = members(entry.header() + bytes(1024))
        (only,) = found.values()
        assert name.decode() in {only.name, only.linkname}


def test_a_tar_begins_with_a_whole_header(tmp_path: Path) -> None:
    """Docker tells a tar from a Dockerfile by 1024 bytes, in which a long first name would not be whole."""
    (tmp_path / "Dockerfile").touch()
    (tmp_path / ("!" * 200)).touch()
    context = open_context(tmp_path, "Dockerfile")
    start = tar(context)[:1024]
    assert tarfile.TarInfo.frombuf(start[:512], "utf-8", "strict").name in {".", "./"}
    (tmp_path / ("!" * 200)).unlink()
    assert next(iter(members(tar(open_context(tmp_path, "Dockerfile"))))) == "Dockerfile"


def test_ignored_files_are_not_there(tmp_path: Path) -> None:
    """A random folder's tar holds what its ignore file keeps, with the folders above it, and each file its content."""
    chance = random.Random(4)
    trees.grow(tmp_path / "t", chance)
    root = tmp_path / "t"
    (root / "Dockerfile").write_text("FROM scratch")
    (root / ".dockerignore").write_text("*\n!**/*.txt\n")
    data = tar(open_context(root, "Dockerfile"))
    files = {name for name, each in members(data).items() if each.isfile()}
    assert "Dockerfile" in files
    wanted = {str(path.relative_to(root)) for path in root.rglob("*.txt") if path.is_file()}
    assert len(wanted) > 3
    assert wanted <= files
    assert all(".txt" in name for name in files - {"Dockerfile"})
    assert all(content(data, name) == name.encode() for name in wanted)


def test_hard_links_without_their_first_name(tmp_path: Path) -> None:
    """Where the first name of a file is left out, the next one is the file."""
    for name in ("Dockerfile", "a", "z"):
        (tmp_path / name).write_text(name)
    os.link(tmp_path / "a", tmp_path / "b")
    os.link(tmp_path / "a", tmp_path / "c")
    (tmp_path / ".dockerignore").write_text("a\n")
    context = open_context(tmp_path, "Dockerfile")
    found = members(tar(context))
    assert found["b"].isreg()
    assert (found["c"].islnk(), found["c"].linkname) == (True, "b")
    assert context.bytes == len("Dockerfile" + "a" + "z" + "a\n")


def test_gigabytes_are_streamed_and_not_held(tmp_path: Path) -> None:
    """A sparse file of 2 GB passes with a few pieces in memory, nothing on the disk, and a word about it."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with (tmp_path / "big").open("wb") as file:
        file.truncate(2_000_000_000)
    context = open_context(tmp_path, "Dockerfile")
    assert context.bytes == 2_000_000_013
    assert context.notes == (
        "the build context holds 2.0 GB, and every worker gets all of it; the largest: big (2.0 GB), Dockerfile (13 B);"
        " name in .dockerignore what the build does not need",
        "sparse files are sent in full, with their holes as zeros: big (2.0 GB)",
    )
    before = {path: path.stat().st_blocks for path in tmp_path.iterdir()}
    tracemalloc.start()
    try:
        total = sum(map(len, context.stream()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 512 * (1 + 1 + 1 + -(-2_000_000_000 // 512) + 2)
    assert peak < 4 * 1024 * 1024
    assert {path: path.stat().st_blocks for path in tmp_path.iterdir()} == before


def test_a_stream_can_be_left_and_run_twice_at_once(folder: Path) -> None:
    """Threads stream the same context side by side, and a stream that nobody reads to its end leaves no file open."""
    (folder / "large").write_bytes(bytes(3 * READ))
    context = open_context(folder, "Dockerfile")
    opened = set(Path("/proc/self/fd").iterdir())
    left = context.stream()
    next(left)
    left.close()  # type: ignore[attr-defined]  # a generator, which Iterator does not say
    assert set(Path("/proc/self/fd").iterdir()) == opened
    digests: list[str] = []
    threads = [
        threading.Thread(target=lambda: digests.append(hashlib.sha256(tar(context)).hexdigest())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {f"sha256:{digest}" for digest in digests} == {context.digest()}


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def _cut(path: Path) -> None:
    os.truncate(path, 5)


def _rewrite(path: Path) -> None:
    path.write_bytes(b"y" * path.stat().st_size)
    os.utime(path, (time.time() + 5, time.time() + 5))


def _replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _replace_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_grow, "z/last changed while"),
        (_cut, "z/last changed while"),
        (_rewrite, "z/last changed while"),
        (Path.unlink, "z/last vanished while"),
        (lambda path: shutil.rmtree(path.parent), "z/last vanished while"),
        (_replace_by_fifo, "z/last changed while"),
        (_replace_by_link, "z/last vanished while"),
    ],
)
@pytest.mark.parametrize("size", [10, 3 * READ])
def test_a_file_that_changes_ends_the_stream(
    tmp_path: Path, change: Callable[[Path], None], says: str, size: int
) -> None:
    """Whether it grew, shrank, was written anew, or is gone: one sentence, and the tar never becomes whole."""
    (tmp_path / "Dockerfile").write_bytes(bytes(ENOUGH))
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "last").write_bytes(b"x" * size)
    stream = open_context(tmp_path, "Dockerfile").stream()
    sent = [next(stream)]
    change(tmp_path / "z" / "last")
    with pytest.raises(StepError, match=says):
        sent.extend(stream)
    assert len(b"".join(sent)) < ENOUGH + size + 512


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """A change in the middle of a large file is noticed before its last bytes leave."""
    (tmp_path / "Dockerfile").write_bytes(bytes(5 * READ))
    stream = open_context(tmp_path, "Dockerfile").stream()
    next(stream)
    with (tmp_path / "Dockerfile").open("r+b") as file:
        file.seek(4 * READ)
        file.write(b"x")
    os.utime(tmp_path / "Dockerfile", (1, 1))
    with pytest.raises(StepError, match="Dockerfile changed while the build context was sent"):
        list(stream)
