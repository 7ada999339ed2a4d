"""Who may be added, into which file, and what becomes of it when others write, too."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import inventory
from audit.cli.app import run
from audit.errors import InventoryError
from audit.inplace import alone
from audit.inventory.adding import Added, Changed, NewHost, planned, write

HOSTS = (
    "all:\n  children:\n    arm64:\n      hosts:\n        w01: # first\n        w02:\n"
    "    other:\n      hosts:\n        w09:\n"
)


def folder_of(tmp_path: Path, text: str = HOSTS, name: str = "hosts.yml") -> Path:
    """An inventory."""
    folder = tmp_path / "inventory"
    folder.mkdir()
    (folder / name).write_text(text)
    return folder


def test_variables_that_are_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Typed, quoted, and over what a peer lends; a key twice, or no key, is refused."""
    folder = folder_of(tmp_path, "arm64:\n  hosts:\n    w01:\n      pool: a\n")
    words = ["inventory", "add", "w08", "--like", "w01", "-i", str(folder)]
    more = ["--set", "pool=b", "--set", "rack=017", "--set", "emulated=false", "--set", "note=a=b # c"]
    assert run([*words, *more]) == 0
    lines = [line.strip() for line in (folder / "hosts.yml").read_text().splitlines()]
    assert lines[-5:] == ["w08:", "pool: b", 'rack: "017"', "emulated: false", 'note: "a=b # c"']
    before = (folder / "hosts.yml").read_bytes()
    capsys.readouterr()
    for bad, told in (
        (["--set", "x"], "--set 'x': write KEY=VALUE"),
        (["--set", "a-b=1"], "write KEY=VALUE"),
        (["--set", "a=1", "--set", "a=2"], "--set a=…: stands twice"),
        (["--pool", "c", "--set", "pool=b"], "--set pool=…: another option says pool already"),
        (["--set", "emulated=yes"], "nothing was written"),
        (["--set", "x=\udcff"], "is no UTF-8 text"),
    ):
        assert run([*words[:2], "w09", *words[3:], *bad]) == 2
        assert told in capsys.readouterr().err
    assert (folder / "hosts.yml").read_bytes() == before


def test_a_host_and_a_group_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused either way round, also where the other stands in another file."""
    folder = folder_of(tmp_path)
    (folder / "more.yml").write_text("gpu:\n  hosts:\n    w77:\n")
    for words, told in (
        (["arm64"], "hosts.yml:3: has a group arm64"),
        (["w08", "--group", "w08"], "has a group w08, so a host cannot be called so"),
        (["w08", "--group", "w01"], "has a host w01, so a group cannot be called so"),
        (["gpu"], "inventory add gpu: a group is called so"),
        (["w08", "--group", "w77"], "--group w77: a host is called so"),
    ):
        assert run(["inventory", "add", *words, "-i", str(folder)]) == 2, words
        assert told in capsys.readouterr().err, words


def test_a_file_that_nobody_may_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0444 was set on purpose: refused, also as root and as a diff; 0640 stays 0640."""
    folder = folder_of(tmp_path)
    file = folder / "hosts.yml"
    file.chmod(0o444)
    for more in ([], ["--dry-run"]):
        assert run(["inventory", "add", "w08", "-i", str(folder), *more]) == 2
        assert f"is write-protected (mode 0444), so nothing was written: `chmod u+w {file}` first" in (
            capsys.readouterr().err
        )
    assert run(["inventory", "add", "w01", "-i", str(folder)]) == 0, "it is there already: nothing to write"


@pytest.mark.parametrize("name", ["hosts", "hosts.ini"])
def test_an_ini_inventory(tmp_path: Path, name: str) -> None:
    """Refused with the line to write by hand, and with the command that makes YAML of it."""
    folder = folder_of(tmp_path, "; mine\n[arm64]\nw01 ansible_host=10.0.0.1\n", name)
    for source in (folder, folder / name):
        with pytest.raises(InventoryError) as caught:
            planned([source], NewHost("w08", {"ansible_host": "10.0.0.8", "note": "a b"}, ("arm64",)))
        said = str(caught.value)
        assert "is an INI inventory, and lines are put into YAML only" in said
        assert "write `w08 ansible_host=10.0.0.8 note='a b'` below [arm64] by hand" in said
        assert f"`ansible-inventory -i {folder / name} --list --yaml --export --output {folder / 'hosts.yml'}`" in said


def waiting(processes: list[subprocess.Popen[bytes]]) -> int:
    """How many of them wait for a lock, as the kernel lists it."""
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    blocked = {int(words[5]) for words in lines if "->" in words}
    return len(blocked & {one.pid for one in processes})


def test_two_writers_at_once(tmp_path: Path) -> None:
    """Both have read the file and wait to write it: one writes, the other reads again, and both hosts are there."""
    folder = folder_of(tmp_path)
    words = [sys.executable, "-m", "audit", "inventory", "add", "-g", "arm64", "-i", str(folder)]
    with alone(folder):
        both = [subprocess.Popen([*words, name]) for name in ("w08", "w11")]
        until = time.monotonic() + 60
        while waiting(both) < 2 and time.monotonic() < until and all(one.poll() is None for one in both):
            time.sleep(0.05)
        assert waiting(both) == 2
    assert [one.wait(60) for one in both] == [0, 0]
    names = set(inventory.load([folder]).names)
    assert {"w08", "w11", "w01", "w02", "w09"} == names


def test_a_change_in_between_is_seen(tmp_path: Path) -> None:
    """What was planned before it is not written, so nothing of the other's is lost."""
    folder = folder_of(tmp_path)
    mine, theirs = (planned([folder], NewHost(name, {}, ("arm64",))) for name in ("w08", "w11"))
    write(theirs)
    with pytest.raises(Changed, match="do it again"):
        write(mine)
    assert "w08" not in (folder / "hosts.yml").read_text()


def test_ten_thousand_hosts(tmp_path: Path) -> None:
    """Planned in so many times what the file takes to be loaded, whatever the machine; a second reading would show."""
    lines = "".join(f"        w{n:05}:\n          ansible_host: 10.0.{n >> 8}.{n & 255}\n" for n in range(10_000))
    folder = folder_of(tmp_path, f"all:\n  children:\n    arm64:\n      hosts:\n{lines}")

    def spent(what: Callable[[], object]) -> float:
        began = time.process_time()
        what()
        return time.process_time() - began

    plain = min(spent(lambda: inventory.load([folder])) for _ in range(2))
    found: list[Added] = []
    added_in = spent(lambda: found.append(planned([folder], NewHost("x1", {"a": 1}, ("arm64",)))))
    assert [line.strip() for _, line in found[0].lines] == ["x1:", "a: 1"]
    assert added_in / plain < 11, f"{added_in:.1f} s against {plain:.1f} s"
