"""A file written anew: whole or not at all, with the mode and owner that it had, by one writer at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit import inplace
from audit.inplace import alone, replace
from audit.wire.knownhosts import replace_key

COUNT = """
import sys
from pathlib import Path
from audit.inplace import alone, replace
path = Path(sys.argv[1])
for _ in range(40):
    with alone(path.parent):
        replace(path, str(int(path.read_text()) + 1).encode(), path.stat())
"""


def test_the_mode_stays_and_a_new_file_is_private(tmp_path: Path) -> None:
    """Whatever the umask; nothing is left beside it."""
    file = tmp_path / "f"
    assert replace(file, b"one", None)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o2664)
    before = file.stat()
    assert replace(file, b"two", before)
    assert (file.read_bytes(), file.stat().st_mode) == (b"two", before.st_mode)
    assert file.stat().st_ino != before.st_ino, "readers have the old one or the new one, never a part"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_stays_where_root_writes(tmp_path: Path) -> None:
    """And the mode, which a change of owner would narrow."""
    file = tmp_path / "f"
    file.write_bytes(b"")
    os.chown(file, 1234, 2345)
    file.chmod(0o4755)
    assert replace(file, b"x", file.stat())
    assert (file.stat().st_uid, file.stat().st_gid, stat.S_IMODE(file.stat().st_mode)) == (1234, 2345, 0o4755)


def test_an_owner_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is kept where it can be; the file is written all the same."""
    file = tmp_path / "f"
    file.write_bytes(b"")
    asked: list[tuple[int, int]] = []

    def fchown(_descriptor: int, owner: int, group: int) -> None:
        asked.append((owner, group))
        if owner != -1:
            raise PermissionError

    seen = os.stat_result((*file.stat()[:4], os.geteuid() + 1, os.getegid(), *file.stat()[6:]))
    monkeypatch.setattr(inplace.os, "fchown", fchown)  # type: ignore[attr-defined]  # mypy: os is not exported there
    assert not replace(file, b"x", seen)
    assert asked == [(os.geteuid() + 1, os.getegid()), (-1, os.getegid())]
    assert file.read_bytes() == b"x"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    """What cannot be put in its place goes away again."""
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "inside").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "f", b"x", None)
    assert [place.name for place in tmp_path.iterdir()] == ["f"]
    with pytest.raises(FileNotFoundError), alone(tmp_path / "nowhere"):
        pytest.fail("there is no such folder")


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A pipe or a device, as /dev/null is: as root another file could be put there."""
    pipe = tmp_path / "known_hosts"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="is no regular file"):
        replace(pipe, b"text", pipe.stat())
    with pytest.raises(OSError, match="is no regular file"):
        replace_key(pipe, "w", "ssh-ed25519", b"key")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [one.name for one in tmp_path.iterdir()] == ["known_hosts"]


def test_one_at_a_time(tmp_path: Path) -> None:
    """Two processes and two threads count up one file; no step is lost."""
    file = tmp_path / "n"
    file.write_text("0")

    def count() -> None:
        for _ in range(40):
            with alone(tmp_path):
                replace(file, str(int(file.read_text()) + 1).encode(), file.stat())

    others = [subprocess.Popen([sys.executable, "-c", COUNT, file]) for _ in range(2)]
    threads = [threading.Thread(target=count) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.wait(60) for one in others] == [0, 0]
    assert file.read_text() == "160"


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    """Somebody who was killed while writing holds nobody up."""
    code = "import os, sys, pathlib, audit.inplace as i\nwith i.alone(pathlib.Path(sys.argv[1])):\n    os._exit(7)"
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 7
    with alone(tmp_path):
        pass
