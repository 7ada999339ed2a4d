"""Ignore files: a table for people, and what moby's own matcher kept in hundreds of cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.context import goregexp
from audit.context.ignorefile import LONGEST, Ignore, LineError, Marks
from audit.context.walk import walk

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded.json").read_text())
"""`paths` of one tree, folders with a slash; `cases`: an ignore file, and the places of the paths it leaves out, or
null where moby/patternmatcher 5a6d842 (with fsutil's rules for what is walked) refuses it. Made by that code itself."""


def left_out(text: str, path: str) -> bool:
    """Whether a path is left out, asked the way a walk asks: from the top down."""
    ignore = Ignore.read(text.encode())
    marks: Marks | None = None
    out = False
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        out, marks = ignore.judge("/".join(parts[:depth]).encode(), marks)
    return out


@pytest.mark.parametrize(
    ("text", "out", "kept"),
    [
        ("", [], ["a", "a/b"]),
        ("a", ["a", "a/b", "a/b/c"], ["b/a", "ab"]),
        ("/a\n", ["a", "a/b"], ["b/a"]),
        ("./a/../b/", ["b", "b/c"], ["a"]),
        ("*", ["a", "a/b", ".x"], []),
        ("*/b", ["a/b", "a/b/c"], ["b", "a/c/b"]),
        ("**/b", ["b", "a/b", "a/c/b", "a/b/c"], ["ab", "a/bc"]),
        ("a/**", ["a/b", "a/b/c"], ["a"]),
        ("a/**/d", ["a/d", "a/b/d", "a/b/c/d"], ["a", "d"]),
        ("*.txt", ["x.txt"], ["a/x.txt", "x.txtt"]),
        ("**/*.txt", ["x.txt", "a/x.txt", "a/b/x.txt"], ["x.tx"]),
        ("?", ["a", "é"], ["ab"]),
        ("[a-c]", ["a", "b", "c"], ["d"]),
        ("[^a-c]", ["d"], ["a", "b"]),
        ("[!a]", ["!", "a"], ["b"]),
        ("a.c", ["a.c"], ["abc"]),
        ("\\*", ["*"], ["a"]),
        ("a b", ["a b"], ["a"]),
        ("*\n!a", ["b"], ["a", "a/b"]),
        ("*\n!a/b", ["c", "a/c"], ["a/b", "a/b/c"]),
        ("!a\n*", ["a", "b"], []),
        ("*.md\n!README*.md\nREADME-secret.md", ["x.md", "README-secret.md"], ["README.md", "README-a.md"]),
        ("a/b\n!a", ["a/b"], ["a", "a/c"]),
        ("#a\n # b\n\n  c  \n", ["c", "# b"], ["#a", "a", "b"]),
        ("\ufeff# x\r\na\r\n", ["a"], ["x"]),
        ("! a\na\n!\ta", [], ["a", "a/b"]),
        ("\\d", ["1"], ["d", "a"]),
        ("[[:upper:]]", ["A"], ["a"]),
        ("a^b", ["a^b"], ["ab"]),
    ],
)
def test_what_a_pattern_leaves_out(text: str, out: list[str], kept: list[str]) -> None:
    """What docker's documentation and its matcher say of each kind of pattern."""
    assert [path for path in out if not left_out(text, path)] == []
    assert [path for path in kept if left_out(text, path)] == []


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded tree, on the disk."""
    root = tmp_path_factory.mktemp("recorded")
    for name in RECORDED["paths"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.touch()
    return root


def test_agrees_with_what_was_recorded_of_the_real_matcher(tree: Path) -> None:
    """Over 400 ignore files leave out of a tree what moby's matcher leaves out, and are refused where it refuses."""
    paths = [name.encode("utf-8", "surrogateescape") for name in RECORDED["paths"]]
    assert len(RECORDED["cases"]) > 400
    for text, gone in RECORDED["cases"]:
        try:
            ignore = Ignore.read(text.encode("utf-8", "surrogateescape"))
        except LineError:
            assert gone is None, f"{text!r} is refused here alone"
            continue
        assert gone is not None, f"{text!r} is refused there alone"
        found = {entry.name for entry in walk(bytes(tree), ignore, frozenset()).entries}
        assert [place for place, path in enumerate(paths) if path not in found] == gone, repr(text)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a\n\n[b", 3, "brackets"),
        ("a[]", 1, "brackets"),
        ("[a-]", 1, "brackets"),
        ("[b-a]", 1, "b-a is no range"),
        ("x\n!", 2, "write the path"),
        ("! \t", 1, "write the path"),
        ("a\\", 1, "backslash"),
        ("*/b\\", 1, "backslash"),
        ("a*\\x41", 1, "\\x"),
        ("a*\\pL", 1, "\\p"),
        ("a*\\1", 1, "\\1"),
        ("[[:lettuce:]]", 1, "lettuce"),
        ("a\n" + "x" * LONGEST, 2, "longer than"),
    ],
)
def test_a_bad_line_is_told_with_its_place(text: str, line: int, says: str) -> None:
    """What docker refuses, or reads by accident, is an error that has the line's number and says what is wrong."""
    with pytest.raises(LineError) as caught:
        Ignore.read(text.encode())
    assert caught.value.line == line
    assert says in str(caught.value)


def test_a_line_as_long_as_docker_reads() -> None:
    """One byte less than the limit is read."""
    assert len(Ignore.read(b"x" * (LONGEST - 1)).patterns) == 1


@pytest.mark.parametrize(
    ("expression", "fits", "misfits"),
    [
        (r"\w\W\s", "a- ", "é- "),
        (r"\D\S", "ab", "1b"),
        (r"[^\d\s]", "é", "1"),
        (r"[[:^digit:]x]", "a", "5"),
        (r"[+--]", ",", "."),
        (r"[]a]", "]", "b"),
        (r"\t\.", "\t.", "t."),
        (r"a\B.", "ab", "a-"),
        (r"[^/]*", "a\nb", "a/b"),
        (r"(.*/)?x", "a/x", "a\n/x"),
    ],
)
def test_go_expressions_that_python_reads_otherwise(expression: str, fits: str, misfits: str) -> None:
    """Lists, kinds of letters and dots mean what Go's regexp makes of them."""
    compiled = goregexp.compiled(expression)
    assert compiled.fullmatch(fits)
    assert not compiled.fullmatch(misfits)


def test_bytes_that_are_no_utf8_are_one_odd_letter_each() -> None:
    """A wildcard takes one such byte at a time, and a literal name only its own bytes."""
    assert Ignore.read(b"?").judge(b"\xff").out
    assert not Ignore.read(b"?").judge(b"\xff\xfe").out
    assert Ignore.read(b"\xff").judge(b"\xff").out
    assert not Ignore.read(b"\xff").judge(b"\xfe").out
