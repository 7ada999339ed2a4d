"""A host written into hosts.yml: only its lines are new, and both our loader and Ansible's read it as it was meant."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import inventory
from audit.cli.app import run
from audit.errors import InventoryError, UsageError
from audit.inventory.adding import NewHost, planned, write

SAMPLE = Path(__file__).parent.parent.parent / "inventory"
ANSIBLE = Path(sys.executable).parent / "ansible-inventory"
HOST = NewHost("w08", {"ansible_host": "10.0.0.8", "ansible_port": 2222, "note": "no", "version": "1.10"}, ("arm64",))
LINES = ["w08:", '  ansible_host: "10.0.0.8"', "  ansible_port: 2222", '  note: "no"', '  version: "1.10"']


def added(folder: Path, text: str, host: NewHost = HOST) -> list[str]:
    """The new lines, without what they are indented by; the file is written, and only they are new."""
    file = folder / "hosts.yml"
    file.write_bytes(text.encode())
    made = planned([folder], host)
    write(made)
    after = file.read_bytes().decode()
    new = [line for _, line in made.lines]
    numbers = {number for number, _ in made.lines}
    rest = [line for number, line in enumerate(after.splitlines(keepends=True), 1) if number not in numbers]
    assert "".join(rest).rstrip("\r\n") == text.rstrip("\r\n"), "every other byte is as it was"
    ours = next(one for one in inventory.load([folder]).hosts if one.name == host.name)
    assert ours.address == host.variables.get("ansible_host", host.name)
    return new


def dedented(lines: list[str]) -> list[str]:
    """Without the first line's indentation."""
    pad = len(lines[0]) - len(lines[0].lstrip(" "))
    return [line[pad:] for line in lines]


CASES = {
    "after siblings": (
        "all:\n  children:\n    arm64:\n      hosts:\n        w01: # first\n\n        w02:\n          x: 1 # kept\n"
        "\n    # the next group\n    other:\n      hosts:\n        w09:\n"
    ),
    "no final newline": "all:\n  children:\n    arm64:\n      hosts:\n        w01:",
    "four columns": (
        "all:\n    children:\n        arm64:\n            hosts:\n                w01:\n                    x: 1\n"
    ),
    "crlf": "all:\r\n  children:\r\n    arm64:\r\n      hosts:\r\n        w01:\r\n",
    "nested deeper": (
        "all:\n  children:\n    builders:\n      children:\n        arm64:\n          hosts:\n"
        "            w01:\n    arm:\n      children:\n        x:\n"
    ),
    "top level": "arm64:\n  hosts:\n    w01:\n  vars:\n    a: 1\n",
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_it_stands_after_its_siblings(tmp_path: Path, text: str) -> None:
    """Comments, blank lines, indentation and line ends of the file are its own."""
    new = added(tmp_path, text)
    step = len(new[1]) - len(new[1].lstrip(" ")) - (len(new[0]) - len(new[0].lstrip(" ")))
    assert [line.strip() for line in new] == [line.strip() for line in LINES]
    assert step in (2, 4)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("all:\n  children:\n    arm64:\n", "hosts:"),
        ("all:\n  children:\n    arm64:\n      vars: {a: 1}\n", "hosts:"),
        ("all:\n  children:\n    arm64:\n      hosts:\n", "w08:"),
        ("all:\n  children:\n    x86:\n      hosts:\n        w01:\n", "arm64:"),
        ("all:\n  hosts:\n    w01:\n", "children:"),
        ("# mine\n", "all:"),
        ("", "all:"),
    ],
)
def test_what_is_missing_around_it_is_made(tmp_path: Path, text: str, first: str) -> None:
    """A group without hosts, no group, no groups at all, an empty file."""
    assert added(tmp_path, text)[0].strip() == first


def test_a_deeper_comment_stays_with_its_host(tmp_path: Path) -> None:
    """What stands below the last host's line is the last host's."""
    text = "all:\n  hosts:\n    w01:\n      a: 1\n      # b: 2, once it moved\n    # the next ones\n"
    assert added(tmp_path, text, NewHost("w08")) == ["    w08:"]
    lines = (tmp_path / "hosts.yml").read_text().splitlines()
    assert lines[4:] == ["      # b: 2, once it moved", "    w08:", "    # the next ones"]


def test_without_a_group_it_stands_below_all(tmp_path: Path) -> None:
    """After the hosts that are there."""
    assert added(tmp_path, "all:\n  hosts:\n    w01:\n", NewHost("w08")) == ["    w08:"]


def test_twice_changes_nothing_and_another_one_is_refused(tmp_path: Path) -> None:
    """The same again is fine; a host of that name that is another one is named with its line."""
    added(tmp_path, CASES["after siblings"])
    assert planned([tmp_path], HOST).lines == ()
    with pytest.raises(InventoryError, match=r"hosts\.yml:.*has a host w08 already"):
        planned([tmp_path], NewHost("w08", {"ansible_host": "10.9.9.9"}, ("arm64",)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("all: {children: {arm64: {hosts: {w01: }}}}\n", "one line"),
        ("all:\n  children:\n    arm64: {hosts: {w01: {}}}\n", "one line"),
        ("all:\n  children:\n    arm64:\n      hosts: {}\n", "no hosts"),
        ("all:\n  children:\n    x: &h\n      hosts: {w01: }\n    arm64:\n      <<: *h\n", "by a merge key"),
        ("x: &h\n  w01:\nall:\n  children:\n    arm64:\n      hosts:\n        <<: *h\n", "by a merge key"),
        ("- a\n", "not a mapping"),
        ("all: [\n", "no YAML"),
        ("a:\n\tb: 1\n", "no YAML"),
        ("a: 1\na: 2\n", "no YAML"),
    ],
)
def test_what_cannot_take_a_line_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """One sentence with the file; the file stays as it is."""
    file = tmp_path / "hosts.yml"
    file.write_text(text)
    with pytest.raises(InventoryError, match=words):
        planned([tmp_path], HOST)
    assert file.read_text() == text


@pytest.mark.parametrize("name", ["", "-x", "a b", "all", "localhost", "w*", "a:b", "é", "x" * 300, "a\n"])
def test_a_name_that_ansible_would_read_otherwise(tmp_path: Path, name: str) -> None:
    """Patterns, words of Ansible's own, anything with a space."""
    (tmp_path / "hosts.yml").write_text("")
    with pytest.raises(UsageError, match="is no name of a host"):
        planned([tmp_path], NewHost(name))


def test_mode_link_and_a_change_in_between(tmp_path: Path) -> None:
    """The mode stays, a link stays one; a file that changed meanwhile is not overwritten."""
    real = tmp_path / "real.yml"
    real.write_text(CASES["top level"])
    real.chmod(0o640)
    folder = tmp_path / "inventory"
    folder.mkdir()
    (folder / "hosts.yml").symlink_to(real)
    made = planned([folder], HOST)
    write(made)
    assert (folder / "hosts.yml").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    with pytest.raises(InventoryError, match="has changed while"):
        write(made)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_ansible_reads_it_as_we_do(tmp_path: Path) -> None:
    """The sample inventory with a host more, by the real ansible-inventory: the group, and each variable's type."""
    folder = tmp_path / "inventory"
    folder.mkdir()
    (folder / "hosts.yml").write_bytes((SAMPLE / "hosts.yml").read_bytes())
    write(planned([folder], HOST))
    done = subprocess.run([ANSIBLE, "-i", folder, "--list"], capture_output=True, text=True, check=True,
                          env={**os.environ, "HOME": str(tmp_path)})  # fmt: skip
    listed = json.loads(done.stdout)
    assert "w08" in listed["arm64"]["hosts"]
    assert listed["_meta"]["hostvars"]["w08"].items() >= dict(HOST.variables).items()


names = st.from_regex(r"[a-z][a-z0-9-]{0,6}[a-z0-9]", fullmatch=True).filter(lambda one: one not in ("all", "w08"))
comments = st.sampled_from(["", " # c", "  #: x"])
hosts = st.tuples(names, comments, st.booleans())


@settings(max_examples=40, deadline=None)
@given(
    groups=st.dictionaries(names, st.lists(hosts, max_size=3, unique_by=lambda one: one[0]), min_size=1, max_size=3),
    blank=st.booleans(), pad=st.sampled_from([2, 3, 4]),
)  # fmt: skip
def test_any_inventory(
    tmp_path_factory: pytest.TempPathFactory, groups: dict[str, list[tuple[str, str, bool]]], blank: bool, pad: int
) -> None:
    """Whatever it looks like: only our lines are new, and what it said before it still says."""
    lines = ["all:", f"{' ' * pad}children:"]
    for group, members in groups.items():
        lines += [f"{' ' * pad * 2}{group}:", *([f"{' ' * pad * 3}hosts:"] if members else [])]
        for name, comment, extra in members:
            lines += [f"{' ' * pad * 4}{name}:{comment}", *([f"{' ' * pad * 5}x: 1{comment}"] if extra else [])]
        lines += [""] if blank else []
    added(tmp_path_factory.mktemp("any"), "\n".join(lines) + "\n", NewHost("w08", {"a": "b"}, (next(iter(groups)),)))


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A diff first; like a peer; then file and line; then there already."""
    folder = tmp_path / "inventory"
    folder.mkdir()
    (folder / "hosts.yml").write_bytes((SAMPLE / "hosts.yml").read_bytes())
    peer = "arm64-02.builders.example.org"
    words = ["inventory", "add", "arm64-03.builders.example.org", "--like", peer, "--user", "root", "-i", str(folder)]
    assert run([*words, "--dry-run"]) == 0
    assert "+            arm64-03.builders.example.org:" in capsys.readouterr().out
    assert run(words) == 0
    assert capsys.readouterr().out.startswith(f"{folder / 'hosts.yml'}:")
    assert run(words) == 0
    assert "it is there already" in capsys.readouterr().out
    assert run([*words[:4], "nobody", "-i", str(folder)]) == 2
    capsys.readouterr()
    monkeypatch.chdir(folder)
    assert run(["inventory", "add", "w9", "--like", peer, "-i", ".", "--dry-run"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("all:\n  children:\n    arm64:\n      hosts:\n        w01:\n", ["--platform", "arm64"], "nothing was written"),
        ("all:\n  children:\n    arm64:\n      hosts:\n        w[01:09]:\n", [], "declares it already"),
    ],
    ids=["a value that we refuse", "it stands in a range"],
)
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, text: str, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy is read first: one sentence that names the real file, and the file as it was."""
    file = tmp_path / "hosts.yml"
    file.write_text(text)
    assert run(["inventory", "add", "w08", "--group", "arm64", *more, "-i", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert str(file) in told.err
    assert file.read_text() == text


def test_a_host_of_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named with its place, whichever source declares it."""
    (tmp_path / "hosts.yml").write_text("all:\n  hosts:\n    w01:\n")
    (tmp_path / "more.yml").write_text("all:\n  hosts:\n    w08:\n      ansible_host: 10.9.9.9\n")
    assert run(["inventory", "add", "w08", "--address", "10.0.0.8", "-i", str(tmp_path)]) == 2
    assert "more.yml" in capsys.readouterr().err
    assert "w08" not in (tmp_path / "hosts.yml").read_text()


def test_vaulted_values_and_aliases(tmp_path: Path) -> None:
    """A vaulted value is no obstacle; a mapping that two groups share is refused."""
    added(
        tmp_path,
        "all:\n  vars:\n    secret: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162\n" + CASES["top level"],
    )
    (tmp_path / "hosts.yml").write_text("arm64:\n  hosts: &h\n    w01:\nx86:\n  hosts: *h\n")
    with pytest.raises(InventoryError, match="no host can be put into"):
        planned([tmp_path], HOST)


def test_like_a_peer_of_two_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The new host is in both; its variables stand once."""
    (tmp_path / "hosts.yml").write_text("arm64:\n  hosts:\n    w01:\n      pool: a\ngpu:\n  hosts:\n    w01:\n")
    assert run(["inventory", "add", "w08", "--like", "w01", "-i", str(tmp_path)]) == 0
    capsys.readouterr()
    (found,) = (one for one in inventory.load([tmp_path]).hosts if one.name == "w08")
    assert {"arm64", "gpu"} <= set(found.groups)
    assert found.pool == "a"
