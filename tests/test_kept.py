"""Manifests kept between runs: believed by their digest alone, bounded, and never an error."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from audit.kept import MOST_OF_ONE, Kept

RAW = b'{"schemaVersion": 2}'


def digest(raw: bytes) -> str:
    """SHA-256."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def files(folder: Path) -> list[Path]:
    """Every file in it."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_is_put_is_there_in_the_next_run(tmp_path: Path) -> None:
    """By its digest; a name's last digest, and a note, by the name."""
    one = Kept(tmp_path / "kept")
    assert one.get(digest(RAW)) is None
    one.put(digest(RAW), RAW)
    one.remember("registry.example/app:1", digest(RAW))
    one.note("challenge of x", "text")
    other = Kept(tmp_path / "kept")
    assert other.get(digest(RAW)) == RAW
    assert other.last("registry.example/app:1") == digest(RAW)
    assert other.last("registry.example/app:2") is None
    assert other.noted("challenge of x") == "text"
    assert other.last("challenge of x") is None, "a note is no digest"
    other.forget("challenge of x")
    other.forget("challenge of x")
    assert one.noted("challenge of x") is None


def test_a_note_has_an_age(tmp_path: Path) -> None:
    """An old one is none."""
    kept = Kept(tmp_path / "kept")
    kept.note("x", "text")
    written = files(tmp_path)[0].stat().st_mtime
    assert kept.noted("x", youngest=written - 1) == "text"
    assert kept.noted("x", youngest=written + 1) is None


@pytest.mark.parametrize("wrong", [b"", b"other", RAW[:-1], RAW + b" ", b"x" * (MOST_OF_ONE + 1)])
def test_other_bytes_are_not_believed(tmp_path: Path, wrong: bytes) -> None:
    """Whoever changed the file, or whatever was cut off: it is as if nothing were there."""
    kept = Kept(tmp_path / "kept")
    kept.put(digest(RAW), RAW)
    files(tmp_path)[0].write_bytes(wrong)
    assert kept.get(digest(RAW)) is None
    kept.put(digest(RAW), RAW)
    assert kept.get(digest(RAW)) == RAW


@pytest.mark.parametrize("name", ["sha256:../../etc/passwd", "sha256:" + "A" * 64, "sha512:" + "a" * 128, "", "x"])
def test_only_a_digest_is_a_place(tmp_path: Path, name: str) -> None:
    """Nothing else becomes a path."""
    kept = Kept(tmp_path / "kept")
    kept.put(name, RAW)
    assert kept.get(name) is None
    kept.remember("x", name)
    assert kept.last("x") is None
    assert files(tmp_path) == []


def test_nothing_is_kept_where_others_may_write(tmp_path: Path) -> None:
    """Neither read nor written: they could have put a note there."""
    folder = tmp_path / "kept"
    Kept(folder).note("x", "text")
    folder.chmod(0o777)
    kept = Kept(folder)
    assert kept.noted("x") is None
    kept.put(digest(RAW), RAW)
    assert len(files(folder)) == 1
    assert Kept(None).get(digest(RAW)) is None


def test_others_cannot_look(tmp_path: Path) -> None:
    """The folder is the user's alone."""
    kept = Kept(tmp_path / "a" / "kept")
    kept.put(digest(RAW), RAW)
    assert (tmp_path / "a" / "kept").stat().st_mode & 0o077 == 0
    assert files(tmp_path)[0].stat().st_mode & 0o077 == 0


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    """A file where the folder should be: nothing is kept, and nothing fails."""
    (tmp_path / "kept").write_text("a file")
    kept = Kept(tmp_path / "kept" / "deeper")
    kept.put(digest(RAW), RAW)
    kept.note("x", "text")
    kept.forget("x")
    assert kept.get(digest(RAW)) is None
    assert kept.noted("x") is None


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    """All files together stay below the limit; what was used lately stays."""
    raws = [bytes([number]) * 1000 for number in range(90)]
    kept = Kept(tmp_path / "kept", most=30_000)
    for number, raw in enumerate(raws):
        kept.put(digest(raw), raw)
        if number < 50:
            for path in files(tmp_path):
                if path.name == digest(raw)[7:]:
                    os.utime(path, (number, number))
        if number == 30:
            assert kept.get(digest(raws[3])) == raws[3], "used now"
    assert kept.get(digest(raws[3])) == raws[3]
    assert kept.get(digest(raws[4])) is None
    total = sum(path.stat().st_size for path in files(tmp_path))
    assert total <= 30_000 + 50 * 1000, "looked at every fifty writes"


def test_many_threads_and_runs_at_once(tmp_path: Path) -> None:
    """Files appear whole or not at all."""
    raws = [bytes([number]) * 50_000 for number in range(20)]
    wrong: list[bytes] = []

    def work() -> None:
        kept = Kept(tmp_path / "kept")
        for raw in raws:
            kept.put(digest(raw), raw)
            found = kept.get(digest(raw))
            if found not in (None, raw):
                wrong.append(raw)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert {path.name for path in files(tmp_path)} == {digest(raw)[7:] for raw in raws}, (
        "and no file half-written is left"
    )
