"""What a person is told of a folder that is to be a context: what is wrong, and what is worth knowing."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.context import open_context
from audit.errors import UsageError
from tests.context import trees

NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small context that anybody may read."""
    root = tmp_path / "app"
    (root / "src").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "src" / "main.c").write_text("int main;\n")
    return root


@contextlib.contextmanager
def as_nobody(root: Path) -> Iterator[None]:
    """Without root's right to read everything."""
    if os.geteuid() != 0:
        yield
        return
    for above in (root, *root.parents):
        if above.stat().st_uid == 0 and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o011)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def told(folder: Path, dockerfile: str = "Dockerfile") -> str:
    """The one sentence that opening fails with."""
    with pytest.raises(UsageError) as caught:
        open_context(folder, dockerfile)
    message = str(caught.value)
    assert "\n" not in message
    return message


def names(folder: Path, dockerfile: str = "Dockerfile") -> list[str]:
    """What is sent."""
    return [os.fsdecode(entry.path) for entry in open_context(folder, dockerfile)._entries]


def test_a_plain_context(folder: Path) -> None:
    """Entries and bytes are counted; there is nothing to say."""
    context = open_context(folder, "Dockerfile")
    assert (context.files, context.bytes, context.notes) == (3, 23, ())
    assert (context.folder, context.dockerfile) == (folder.resolve(), "Dockerfile")


def test_a_link_to_the_folder_is_the_folder(folder: Path) -> None:
    """A context may be named by a symbolic link."""
    (folder.parent / "link").symlink_to("app")
    assert open_context(folder.parent / "link", "Dockerfile").digest() == open_context(folder, "Dockerfile").digest()


def test_no_such_folder(folder: Path) -> None:
    """A folder that is not there, a file and a dangling link each have their sentence."""
    assert told(folder / "no") == f"the build context {folder}/no does not exist: give a folder, or a git URL"
    assert "is no folder: give the folder that the Dockerfile copies from" in told(folder / "Dockerfile")
    assert "does not exist" in told(folder / "Dockerfile" / "x")
    (folder / "dangling").symlink_to("no")
    assert "does not exist" in told(folder / "dangling")


def test_no_such_dockerfile(folder: Path) -> None:
    """A Dockerfile that is not there is told with the folder it was looked for in."""
    assert told(folder, "docker/Dockerfile") == (
        f"the Dockerfile docker/Dockerfile does not exist in the build context {folder} (docker is missing): "
        "name it from the context's root with -f"
    )
    assert told(folder, "Dockerfile.arm").endswith("name it from the context's root with -f")
    assert "does not exist" in told(folder, "Dockerfile/x")


def test_a_dockerfile_that_is_none(folder: Path) -> None:
    """A folder, a fifo and a path out of the context are refused."""
    os.mkfifo(folder / "fifo")
    assert "the Dockerfile src in" in told(folder, "src")
    assert "is no file" in told(folder, "fifo")
    for outside in ("../Dockerfile", "/etc/passwd", "src/../../x", "", "."):
        assert "is no path below the build context" in told(folder, outside)


def test_a_dockerfile_in_lower_case(folder: Path) -> None:
    """`dockerfile` does where `Dockerfile` is asked for, as with docker."""
    (folder / "Dockerfile").rename(folder / "dockerfile")
    assert open_context(folder, "Dockerfile").dockerfile == "dockerfile"


def test_a_dockerfile_behind_links(folder: Path) -> None:
    """Links inside of the context are followed, and all that is needed to follow them is sent."""
    (folder / "real").mkdir()
    (folder / "real" / "D").write_text("FROM scratch\n")
    (folder / "real" / "hop").symlink_to("./D")
    (folder / "build").symlink_to("real")
    (folder / "Dockerfile.x").symlink_to("src/../build/hop")
    (folder / ".dockerignore").write_text("*\n")
    assert names(folder, "Dockerfile.x") == ["Dockerfile.x", "build", "real", "real/D", "real/hop"]
    (note,) = open_context(folder, "Dockerfile.x").notes
    assert note == (
        ".dockerignore leaves out Dockerfile.x, build, real/D and 1 more, which no build can do without: it is sent,"
        " and COPY may take it along"
    )


@pytest.mark.parametrize(
    "target", ["../Dockerfile", "/etc/passwd", "{folder}/src/main.c", "src/../../app/src/main.c", "me"]
)
def test_a_dockerfile_that_leaves_the_context(folder: Path, target: str) -> None:
    """A link that a worker cannot follow is refused, though this machine can."""
    (folder.parent / "Dockerfile").write_text("FROM scratch\n")
    (folder / "me").symlink_to(target.format(folder=folder))
    assert "is a link that a worker cannot follow" in told(folder, "me")


def test_its_own_ignore_file_comes_first(folder: Path) -> None:
    """`Dockerfile.dockerignore` beside the Dockerfile counts, and then the other one does not, even if it is empty."""
    (folder / ".dockerignore").write_text("src\n")
    assert names(folder) == [".dockerignore", "Dockerfile"]
    (folder / "Dockerfile.dockerignore").write_text("*ignore\n")
    assert names(folder) == ["Dockerfile", "src", "src/main.c"]
    (folder / "Dockerfile.dockerignore").write_text("")
    assert names(folder) == [".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "src", "src/main.c"]
    (folder / "src" / "D").write_text("FROM scratch\n")
    (folder / "src" / "D.dockerignore").write_text("**/*ignore\n")
    assert names(folder, "src/D") == ["Dockerfile", "src", "src/D", "src/main.c"]


def test_an_ignored_dockerfile_is_sent_and_an_ignored_ignore_file_is_not(folder: Path) -> None:
    """A builder needs the one; the other has done its work here, and BuildKit would copy it."""
    (folder / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    context = open_context(folder, "Dockerfile")
    assert names(folder) == ["Dockerfile", "src", "src/main.c"]
    assert context.notes == (
        ".dockerignore leaves out Dockerfile, which no build can do without: it is sent, and COPY may take it along",
    )


def test_a_dockerfile_in_an_ignored_folder(folder: Path) -> None:
    """Only it is sent of a folder that is left out, whether or not exceptions might take in more."""
    (folder / "src" / "deep").mkdir()
    (folder / "src" / "deep" / "D").write_text("FROM scratch\n")
    for rest in ("", "!*.none\n", "!Dockerfile\n"):
        (folder / ".dockerignore").write_text(f"*\n{rest}")
        wanted = ["src", "src/deep", "src/deep/D"]
        assert names(folder, "src/deep/D") == (["Dockerfile", *wanted] if "Dockerfile" in rest else wanted)


@pytest.mark.parametrize(
    ("text", "says"),
    [("a\n[b\n", ".dockerignore:2: its brackets"), ("!\n", ".dockerignore:1: a `!` excepts nothing")],
)
def test_a_bad_ignore_file(folder: Path, text: str, says: str) -> None:
    """The file and the line are told."""
    (folder / ".dockerignore").write_text(text)
    assert told(folder).startswith(says)


def test_an_ignore_file_that_cannot_be_read(folder: Path) -> None:
    """A folder, a dangling link, a fifo or too large a file in its place stops everything: it may hide secrets."""
    path = folder / ".dockerignore"
    path.mkdir()
    assert told(folder).startswith(".dockerignore is no file, so that nobody knows what it leaves out")
    path.rmdir()
    path.symlink_to("no")
    assert told(folder).startswith(".dockerignore cannot be read (No such file or directory)")
    path.unlink()
    os.mkfifo(path)
    assert "is no file" in told(folder)
    path.unlink()
    path.write_bytes(b"a\n" * (3 * 1024 * 1024))
    assert "larger than 4 MiB" in told(folder)
    path.unlink()
    path.touch(mode=0)
    with as_nobody(folder):
        assert told(folder).startswith(".dockerignore cannot be read (Permission denied)")


def test_what_cannot_be_read_is_named(folder: Path) -> None:
    """Files and folders that cannot be read stop everything, all in one sentence, unless they are left out."""
    (folder / "key").touch(mode=0)
    (folder / "locked").mkdir(mode=0)
    for number in range(3):
        (folder / "src" / f"f{number}").touch(mode=0)
    with as_nobody(folder):
        assert told(folder) == (
            f"the build context {folder} cannot be read: key (Permission denied), locked (Permission denied), "
            "src/f0 (Permission denied) and 2 more; make it readable, or add it to .dockerignore"
        )
    (folder / ".dockerignore").write_text("key\nlocked\nsrc/f?\n!nothing/*\n")
    with as_nobody(folder):
        assert names(folder) == [".dockerignore", "Dockerfile", "src", "src/main.c"]


def test_what_a_person_should_know(tmp_path: Path) -> None:
    """Sockets, fifos, devices and links that lead out are told by name, on one line whatever their names are."""
    trees.odd(tmp_path / "odd")
    (tmp_path / "odd" / "a\x1b[31m\u202e\n").symlink_to("..")
    context = open_context(tmp_path / "odd", "Dockerfile")
    special = "fifo, null" if os.geteuid() == 0 else "fifo"
    assert context.notes == (
        "sockets are left out, since no tar can hold one: sock",
        f"fifos and devices are sent as such, not what comes out of them: {special}",
        "symbolic links that lead out of the build context are sent as links, not what they lead to: "
        "a\\x1b[31m\\u202e\\n, absolute, empty/up",
    )


def test_holes_are_told_only_of_large_files(folder: Path) -> None:
    """A file system that packs a small file does not make it a sparse one."""
    for name, size in (("small", 500_000), ("large", 3_000_000)):
        with (folder / name).open("wb") as file:
            file.truncate(size)
    assert open_context(folder, "Dockerfile").notes == (
        "sparse files are sent in full, with their holes as zeros: large (3.0 MB)",
    )


def test_a_deep_folder(tmp_path: Path) -> None:
    """A path of more folders than Python may recurse is walked."""
    (tmp_path / "Dockerfile").touch()
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert open_context(tmp_path, "Dockerfile").files == 1501
    finally:
        # pytest itself recurses to remove it.
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)
