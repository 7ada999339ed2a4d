"""The verb `whatif` without a lab: formats, exit codes, files, and what hostile text becomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.cli.app import run
from tests.whatif.test_whatif import RECORDED

FROM = ["whatif", "--from", str(RECORDED)]
LINK = "FROM debian:12\nRUN useradd -u 1000 opam\nCOPY --link --chown=opam:1000 . /home/opam\n"


def test_the_usual_futures_without_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    """A row a host; the founding story can be read from it: a reinstall turns flat into an index."""
    assert run([*FROM, "--limit", "builders"]) == 0
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    table = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert table["host"] == ["now", "upgrade in place", "data-root wiped", "reinstalled"]
    assert table["amd64"] == ["overlay2, flat", "overlay2, flat", "overlay2, flat", "overlayfs, INDEX"]
    assert table["arm64"] == ["overlay2, flat", "overlay2, flat", "overlay2, flat", "overlayfs, flat"]
    assert table["riscv64"] == ["overlayfs, INDEX"] * 4


def test_what_is_dark_is_exit_3(capsys: pytest.CaptureFixture[str]) -> None:
    """A host whose engine may not be asked has no future that could be told."""
    assert run([*FROM, "bookworm-nosocket"]) == 3
    assert capsys.readouterr().out.splitlines()[1].split("  ", 1)[1].split() == ["not", "known"] * 4


def test_hosts_with_one_answer_are_one_block(capsys: pytest.CaptureFixture[str]) -> None:
    """Two logins of one machine are told once, the cause before its effects."""
    assert run([*FROM, "bookworm", "bookworm-sudo", "--set", "docker=29.7"]) == 0
    out = capsys.readouterr().out
    assert "2 hosts: bookworm, bookworm-sudo\n" in out
    places = [out.index(f"\n  {label} ") for label in ("change", "store", "images", "pushes")]
    assert places == sorted(places)
    assert "engine 20.10.24+dfsg1 → 29.7" in out


@pytest.mark.parametrize("format_", ["text", "markdown", "json"])
@pytest.mark.parametrize("changes", [[], ["--set", "docker=29.7", "--set", "wipe=true"]], ids=["futures", "changes"])
def test_every_format_has_every_host(capsys: pytest.CaptureFixture[str], format_: str, changes: list[str]) -> None:
    """The exit code does not hang on the format, and no host is left out."""
    code = run([*FROM, "--limit", "builders", "--format", format_, *changes])
    out = capsys.readouterr().out
    assert code == (1 if changes else 0)
    assert all(name in out for name in ("amd64", "arm64", "s390x", "ppc64le", "riscv64"))
    if format_ == "json":
        document = json.loads(out)
        assert document["schema_version"] == 1
        assert [host["host"] for host in document["hosts"]] == ["amd64", "arm64", "s390x", "ppc64le", "riscv64"]
        assert document.get("exit_code", 0) == code


def test_a_folder_of_dockerfiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every usual name below the folder is read, links and other files are not."""
    names = ["Dockerfile", "a/Dockerfile.arm64", "a/b/x.dockerfile", "a/Containerfile"]
    for name in [*names, "a/notes.txt", ".git/Dockerfile", "Dockerfilex"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(LINK, encoding="utf-8")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    (tmp_path / "Dockerfile.link").symlink_to(tmp_path / "Dockerfile")
    assert run([*FROM, "riscv64", "--dockerfile", str(tmp_path), "--format", "json"]) == 1
    (host,) = json.loads(capsys.readouterr().out)["hosts"]
    broken = [one for one in host["breaks"] if one["id"] == "copy-link-chown"]
    assert sorted(one["what"].split(":3: ")[0] for one in broken) == sorted(str(tmp_path / name) for name in names)
    assert {one["fix"] for one in broken} == {"write --chown=1000:1000"}


def test_build_args_tell_the_owner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A variable that is not known is exit 3; given as a number it is clean, as a name it breaks."""
    file = tmp_path / "Dockerfile"
    file.write_text("FROM a\nARG WHO\nCOPY --link --chown=$WHO a b\n", encoding="utf-8")
    asked = [*FROM, "riscv64", "--dockerfile", str(file)]
    assert run(asked) == 3
    assert run([*asked, "--build-arg", "WHO=1000"]) == 0
    assert run([*asked, "--build-arg", "WHO=opam"]) == 1
    capsys.readouterr()


def test_hostile_text_stays_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences and markup of a Dockerfile reach neither a terminal nor a page."""
    file = tmp_path / "Dockerfile"
    file.write_text("FROM a\nCOPY --link --chown=\x1b[31m\u202e<img> a b\n", encoding="utf-8")
    for format_ in ("text", "markdown", "json"):
        run([*FROM, "riscv64", "--dockerfile", str(file), "--format", format_])
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert format_ == "text" or "<img>" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "dokcer=1"], "did you mean docker?"),
        (["--format", "pdf"], "write text, json, markdown"),
        (["--how", "make all"], "make all"),
        (["--dockerfile", "no/such"], "no/such: cannot be read"),
        (["--dockerfile", "empty"], "there is no Dockerfile in that folder"),
        (["--dockerfile", "large"], "larger than 1 MiB"),
        (["--dockerfile", "/dev/null"], "is no file"),
        (["--build-arg", "=x"], "write NAME=VALUE"),
    ],
)
def test_wrong_usage_is_exit_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line on stderr, nothing on stdout."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("large").write_text("#" * (1 << 21), encoding="utf-8")
    assert run([*FROM, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1
