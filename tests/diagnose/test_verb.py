"""The verb: files, standard input, formats, exit codes."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import jsonschema
import pytest

from audit.cli.app import run
from audit.reports._diagnosis import schema_text

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["diagnose"], "no log"),
        (["diagnose", "no-such-log"], "no-such-log: cannot be read: No such file"),
        (["diagnose", "."], "is a folder"),
        (["diagnose", "a\0b"], "cannot be read"),
        (["diagnose", "--format", "pdf", "x"], "write text, json, markdown or ocurrent-csv"),
        (["diagnose", "--format", "ocurrent-csv", "x"], "give no log with it"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, nothing on stdout, exit 2."""
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1


def test_the_first_line_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Id, what it is, its nature and what to do; then the evidence with its line, the fix, what follows."""
    assert run(["diagnose", str(CASES / "s23_token_timeout.log")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("S23 token time-out at the registry (transient): retry")
    assert lines[1].startswith("  line 2: failed to mount blob")
    assert any(line.startswith("  follows from it: ") for line in lines)
    assert any(line.startswith("  fix: ") for line in lines)


def test_what_is_harmless_is_no_failure_and_no_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """It is named first, and that no failure is known is said beside it; exit 3, since the failure was not told."""
    assert run(["diagnose", str(CASES / "s09_unknown_platform.log")]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("S9 the platform unknown/unknown is an attestation (harmless): leave it")
    assert lines[-1].startswith("no failure that we know stands in this log")


def test_standard_input_is_read_as_bytes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`-` takes what is no UTF-8, and a log in which nothing is known is exit 3."""

    class Stdin:
        buffer = io.BytesIO(b"\xff\xfe\xfa\n")

    monkeypatch.setattr("sys.stdin", Stdin)
    assert run(["diagnose", "-"]) == 3
    assert capsys.readouterr().out.startswith("nothing that we know stands in this log")


def test_a_pipe_is_read_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log may be what another program writes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = os.fork()
    if child == 0:
        with pipe.open("wb") as file:
            file.write(b"no space left on device\n")
        os._exit(0)
    assert run(["diagnose", str(pipe)]) == 1
    os.waitpid(child, 0)
    assert capsys.readouterr().out.startswith("D-disk ")


@pytest.mark.parametrize("log", sorted(CASES.glob("*.log")), ids=lambda log: log.stem)
def test_json_keeps_to_its_schema(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The document is versioned, and valid against the schema that is published."""
    code = run(["diagnose", str(log), "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads(schema_text()))
    assert document["schema_version"] == 1
    assert (code == 1) == any(match["nature"] != "harmless" for match in document["matches"])


def test_markdown_is_inert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Markup in a log stays text."""
    log = tmp_path / "log"
    log.write_text("<script>x</script> [a](http://b) @team docker.io/a is a manifest list\n")
    assert run(["diagnose", str(log), "--format", "markdown"]) == 1
    out = capsys.readouterr().out
    assert "<script>" not in out
    assert r"\[a\](" in out


def test_the_table_for_ocurrent(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a log, with the header that its import skips."""
    assert run(["diagnose", "--format", "ocurrent-csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "pattern,report,score"
    assert len(lines) > 100
