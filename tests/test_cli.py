"""The command line without a lab: usage, exit codes, streams, files, `--local`, and judging a saved run."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from audit import __version__
from audit.cli.app import app, run
from audit.reports import all_formats

RECORDED = Path(__file__).parent / "recorded" / "lab-fleet.json"
SAMPLE = Path(__file__).parent.parent / "inventory"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "no hosts"),
        (["check", "--report", "xml", "w1"], "unknown format 'xml'"),
        (["check", "--report", "json", "--report", "csv", "w1"], "would both go to stdout"),
        (["check", "--report", "json:no/such/folder/x", "w1"], "folder no/such/folder does not exist"),
        (["check", "--report", "json:.", "w1"], "is a folder"),
        (["check", "--save", "no/such/x", "w1"], "does not exist"),
        (["check", "--local", "w1"], "--local audits this machine alone"),
        (["check", "-i", "no-such-inventory"], "no-such-inventory"),
        (["check", "--fail-on", "fatal", "w1"], "--fail-on"),
        (["check", "--host-keys", "pinned", "w1"], "--known-hosts"),
        (["check", "--from", "no-such-file"], "no-such-file: cannot be read"),
        (["explain", "FA999"], "there is no rule FA999"),
        (["explain", "FA301", "--host", "zz", "--from", str(RECORDED)], "--host zz: not in this run"),
        (["rules", "--format", "pdf"], "write table, markdown or json"),
        (["inventory", "--format", "pdf", "-i", str(SAMPLE)], "write table or json"),
        (["inventory", "-i", str(SAMPLE), "--limit", "nobody"], "'nobody'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing on stdout, one line without a traceback on stderr, nothing contacted."""
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def test_an_unknown_option_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    """What the parser refuses has the same exit code as what we refuse."""
    assert run(["check", "--no-such-option"]) == 2
    assert "--no-such-option" in capsys.readouterr().err


def test_a_bug_of_ours_is_exit_4(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence; the traceback comes with -vvv alone."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("audit.flow.judged", broken)
    arguments = ["check", "--from", str(RECORDED)]
    assert run(arguments) == 4
    err = capsys.readouterr().err
    assert "a bug of ours: RuntimeError: broken" in err
    assert "Traceback" not in err
    assert run([*arguments, "-vvv"]) == 4
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["not json", "{}", '{"kind": "other"}', "[" * 100_000], ids=lambda text: text[:9])
def test_what_is_no_saved_run_is_refused(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is something else is named, with what would be right."""
    path = tmp_path / "x.json"
    path.write_text(file, encoding="utf-8")
    assert run(["check", "--from", str(path)]) == 2
    err = capsys.readouterr().err
    assert str(path) in err
    assert "--save" in err


def test_a_saved_run_of_another_schema_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newer schema is not read by guess."""
    document = json.loads(RECORDED.read_text(encoding="utf-8"))
    document["schema_version"] = 99
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert run(["check", "--from", str(path)]) == 2
    assert "schema" in capsys.readouterr().err


def test_reports_go_where_they_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is whole, has ordinary rights, and the table still stands on stdout."""
    reports = [part for name in all_formats() for part in ("-r", f"{name}:{tmp_path / name}")]
    assert run(["check", "--from", str(RECORDED), *reports]) == 1
    out = capsys.readouterr().out
    assert out == (tmp_path / "table").read_text(encoding="utf-8")
    assert {file.name for file in tmp_path.iterdir()} == set(all_formats())
    mask = os.umask(0)
    os.umask(mask)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o666 & ~mask}


def test_data_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """With a machine format on stdout, nothing else is there."""
    run(["check", "--from", str(RECORDED), "-r", "json"])
    assert json.loads(capsys.readouterr().out)["schema_version"] == 1


def test_fail_on_and_exit_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """`--fail-on never` leaves coverage to speak; `--exit-zero` silences both."""
    assert run(["check", "--from", str(RECORDED)]) == 1
    assert run(["check", "--from", str(RECORDED), "--exit-zero"]) == 0
    assert run(["check", "--from", str(RECORDED), "--fail-on", "never", "--min-coverage", "0"]) == 0
    capsys.readouterr()


def test_a_saved_run_can_be_narrowed(capsys: pytest.CaptureFixture[str]) -> None:
    """Hosts and --limit select in a saved run as they do in a live one."""
    run(["check", "--from", str(RECORDED), "builders", "--limit", "!riscv64", "-r", "json"])
    names = [host["name"] for host in json.loads(capsys.readouterr().out)["hosts"]]
    assert names == ["amd64", "arm64", "s390x", "ppc64le"]


def test_the_policy_of_today_judges_a_saved_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With -i, the same evidence is judged by that inventory's policy."""
    (tmp_path / "hosts.yml").write_text("builders: {hosts: {riscv64: , amd64: }}", encoding="utf-8")
    policy = tmp_path / "group_vars" / "all" / "policy.yml"
    policy.parent.mkdir(parents=True)
    policy.write_text("audit_policy: {rules: {FA404: off}, wanted: {engine: '>=29'}}", encoding="utf-8")
    run(["check", "--from", str(RECORDED), "-i", str(tmp_path), "riscv64", "-r", "json"])
    (host,) = json.loads(capsys.readouterr().out)["hosts"]
    verdicts = {verdict["rule"]: verdict["status"] for verdict in host["verdicts"]}
    assert "FA404" not in verdicts
    assert verdicts["FA108"] == "fail"


def test_show_script_is_what_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a script that a POSIX shell parses, and it contacts nobody."""
    assert run(["check", "root@192.0.2.1", "--show-script"]) == 0
    script = capsys.readouterr().out
    assert "docker" in script
    for shell in ("dash", "bash", "busybox"):
        if shutil.which(shell):
            argv = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]
            done = subprocess.run(argv, input=script, text=True, capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")


def test_local_audits_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """Without SSH; whatever is installed here, there is one host with one outcome and its own machine facts."""
    code = run(["check", "--local", "-q", "-r", "json"])
    (host,) = json.loads(capsys.readouterr().out)["hosts"]
    assert code in (0, 1, 3)
    assert host["outcome"] in ("ok", "partial")
    assert host["facts"]["machine"]["kernel"] == os.uname().release


def test_explain_tells_the_rule_and_the_host(capsys: pytest.CaptureFixture[str]) -> None:
    """The manual page alone, and with a host its verdict, evidence and remedy."""
    assert run(["explain", "fa404"]) == 0
    page = capsys.readouterr().out
    assert "is a manifest list" in page
    assert "playbooks/remediate.yml --limit HOST --tags FA404\n" in page
    assert run(["explain", "FA404", "--host", "riscv64", "--from", str(RECORDED)]) == 0
    told = capsys.readouterr().out
    assert len(told) > len(page)
    assert "riscv64" in told
    assert "containerd" in told
    assert "--limit riscv64 --tags FA404 -e attestations=suppress\n" in told


def test_inventory_lists_and_imports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A listing as table and JSON; an import that is an inventory that loads."""
    assert run(["inventory", "-i", str(SAMPLE)]) == 0
    assert "hosts.yml:" in capsys.readouterr().out
    assert run(["inventory", "-i", str(SAMPLE), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"name", "address", "pool", "platform", "source"} <= rows[0].keys()
    config = tmp_path / "config"
    config.write_text("Host w1\n  HostName 192.0.2.7\n  Port 2222\n  User root\nHost *\n  User x\n", encoding="utf-8")
    assert run(["inventory", "import", "--ssh-config", str(config)]) == 0
    made = tmp_path / "hosts.yml"
    made.write_text(capsys.readouterr().out, encoding="utf-8")
    assert run(["inventory", "-i", str(made), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["address"], row["user"]) == ("w1", "192.0.2.7:2222", "root")


def test_version_and_completion(capfd: pytest.CaptureFixture[str]) -> None:
    """`--version` prints it; a completion script can be had."""
    assert run(["--version"]) == 0
    assert capfd.readouterr().out == f"fleet-audit {__version__}\n"
    env = {**os.environ, "_FLEET_AUDIT_COMPLETE": "complete_bash", "COMP_WORDS": "fleet-audit ch", "COMP_CWORD": "1"}
    done = subprocess.run([command()], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["check"]


def command() -> str:
    """The installed command, beside the Python that runs the tests."""
    return str(Path(sys.executable).parent / "fleet-audit")


def test_a_closed_pipe_ends_quietly() -> None:
    """`fleet-audit … | head` leaves no traceback."""
    done = subprocess.run(
        ["sh", "-c", f"{command()} rules --format markdown | head -1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_help_needs_nothing_heavy() -> None:
    """--help answers without importing what only a verb needs: that is what keeps it under a quarter of a second."""
    code = (
        "import sys; from audit.cli.app import run; run(['--help']); "
        "print([m for m in ('pydantic', 'paramiko', 'ruamel', 'rich', 'audit.model', 'tabulate') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_verb_is_in_the_readme() -> None:
    """What is not documented does not exist."""
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    names = [one.name for one in app.registered_commands] + [one.name for one in app.registered_groups]
    assert [name for name in names if f"fleet-audit {name}" not in text] == []
    assert [name for name in all_formats() if f"`{name}`" not in text] == []


def test_no_colour_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets no escape sequence; `--color always` does."""
    run(["check", "--from", str(RECORDED)])
    assert "\x1b" not in capsys.readouterr().out
    run(["check", "--from", str(RECORDED), "--color", "always"])
    assert "\x1b[" in capsys.readouterr().out
