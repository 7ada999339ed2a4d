"""The script under every shell that is here: answers, limits, caps, sudo, the build service's environment."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.model import Host, Outcome, Probe, Reason
from audit.wire import ALLOWED, build_script, script_hash
from audit.wire.frames import STDERR_CAP, STDOUT_CAP
from tests.wire.shells import SHELLS, answer, run, stand_in, unknown

HOST = Host(name="a", address="a")


@pytest.fixture
def stands() -> Iterator[Path]:
    """A folder for stand-ins that an unprivileged user can reach too."""
    with tempfile.TemporaryDirectory(prefix="fleet-audit-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def probe(script: str, name: str = "p", **more: object) -> Probe:
    """One probe."""
    return Probe(name=name, script=script, **more)  # type: ignore[arg-type]


def every(*names: str) -> pytest.MarkDecorator:
    """For each of the shells, or all of them."""
    return pytest.mark.parametrize("shell", [SHELLS[name] for name in names or SHELLS], ids=names or list(SHELLS))


@every()
def test_the_script_is_well_formed(shell: list[str]) -> None:
    """Every shell takes it without running it."""
    probes = [probe("echo 'it''s'", "a"), probe("x", "b", root=True), probe("y", "c", as_builder=True, root=True)]
    text = build_script(probes, Host(name="a", address="a", become=True, build_unit="it's.service"))
    subprocess.run([*shell, "-n"], input=text.encode(), check=True, capture_output=True)


@every()
def test_every_shell_gives_the_same_answers(shell: list[str]) -> None:
    """stdout, stderr, exit, empty output, no newline, quotes and a closed stdin come through alike."""
    found = run(
        [
            probe("echo out; echo err >&2; exit 3", "both"),
            probe(":", "empty"),
            probe("printf 'a\\nb'", "no-newline"),
            probe("printf '\\n\\n x \\n\\n'", "newlines"),
            probe("""printf '%s' "it's \\"$HOME\\" \\\\ `echo tick`" """, "quotes"),
            probe('cat; read x; echo "<$x>"', "stdin"),
            probe("exit 200", "status"),
            probe("kill -9 $$", "killed"),
            probe("printf '\\303\\251\\377'", "bytes"),
            probe("echo *", "globs"),
            probe("if true", "broken"),
        ],
        shell=shell,
    )
    assert found.outcome is Outcome.OK, found.detail
    assert (answer(found, "both").stdout, answer(found, "both").stderr, answer(found, "both").exit) == (
        "out\n",
        "err\n",
        3,
    )
    assert (answer(found, "empty").stdout, answer(found, "empty").stderr) == ("", "")
    assert answer(found, "no-newline").stdout == "a\nb"
    assert answer(found, "newlines").stdout == "\n\n x \n\n"
    assert answer(found, "quotes").stdout == 'it\'s "/" \\ tick'
    assert answer(found, "stdin").stdout == "<>\n"
    assert answer(found, "status").exit == 200
    assert answer(found, "killed").exit == 137
    assert answer(found, "bytes").stdout == "é\ufffd"
    assert "usr" in answer(found, "globs").stdout
    assert answer(found, "broken").exit == 2
    assert float(answer(found, "wire-clock").stdout) == pytest.approx(time.time(), abs=30)
    assert found.noise == 0


@every()
def test_a_probe_that_hangs_is_killed_with_all_it_started(shell: list[str]) -> None:
    """Its limit ends it, its children and its grandchildren; the others are not held up."""
    found = run(
        [
            probe("echo before; sh -c 'sleep 54.321' & sleep 54.321; echo after", "hangs", timeout=0.6),
            probe("sleep 54.322 | cat; sleep 54.322", "pipes", timeout=0.5),
            probe("echo quick", "quick", timeout=20),
        ],
        shell=shell,
    )
    assert unknown(found, "hangs").reason is Reason.TIMEOUT
    assert unknown(found, "hangs").detail == "no answer within 0.6 s on the worker"
    assert unknown(found, "pipes").reason is Reason.TIMEOUT
    assert answer(found, "quick").stdout == "quick\n"
    assert found.outcome is Outcome.OK
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 54.32" not in running
    assert not [line for line in running.splitlines() if line == "sleep 20"]


@every()
def test_output_is_capped(shell: list[str]) -> None:
    """A megabyte whole, more than that truncated, stderr cut at its own cap; endless output ends."""
    found = run(
        [
            probe(f"head -c {STDOUT_CAP} /dev/zero | tr '\\0' x", "fits"),
            probe(f"head -c {STDOUT_CAP + 1} /dev/zero | tr '\\0' x", "over"),
            probe("yes", "endless", timeout=20),
            probe("yes errors >&2 & sleep 0.3; kill $!; echo done", "loud", timeout=20),
            probe("head -c 300000 /dev/zero | tr '\\0' e >&2", "one-line", timeout=20),
        ],
        shell=shell,
    )
    assert len(answer(found, "fits").stdout) == STDOUT_CAP
    assert unknown(found, "over").reason is Reason.TRUNCATED
    assert unknown(found, "endless").reason is Reason.TRUNCATED
    assert answer(found, "loud").stdout == "done\n"
    assert 0 < len(answer(found, "loud").stderr) <= STDERR_CAP
    assert len(answer(found, "one-line").stderr) == STDERR_CAP
    assert found.outcome is Outcome.PARTIAL


@every()
def test_probes_run_side_by_side(shell: list[str]) -> None:
    """Eight probes of half a second take about that, not four seconds."""
    begun = time.monotonic()
    found = run([probe("sleep 0.5; echo x", f"p{number}") for number in range(8)], shell=shell)
    assert time.monotonic() - begun < 3
    assert found.outcome is Outcome.OK


@every()
def test_large_answers_do_not_mix(shell: list[str]) -> None:
    """Many probes that print a lot at once each keep their own."""
    found = run([probe(f"yes {number} | head -n 60000", f"p{number}") for number in range(6)], shell=shell)
    assert found.outcome is Outcome.OK, found.detail
    for number in range(6):
        assert answer(found, f"p{number}").stdout == f"{number}\n" * 60000


@every()
def test_a_script_cut_short_runs_nothing(shell: list[str]) -> None:
    """Whatever part of it arrives, no probe runs by half."""
    with tempfile.TemporaryDirectory() as folder:
        text = build_script([probe(f"touch {folder}/ran")], HOST).encode()
        for end in (40, len(text) // 3, len(text) // 2, len(text) - 9):
            done = subprocess.run([*shell, "-s"], input=text[:end], capture_output=True, timeout=20, check=False)
            assert b"FA000" not in done.stdout
        assert list(Path(folder).iterdir()) == []


@every()
def test_nothing_is_written_where_nothing_can_be(shell: list[str]) -> None:
    """No temporary file is needed: with a TMPDIR that does not exist all is answered."""
    found = run([probe("yes | head -c 300000", "much")], shell=shell, environment={"TMPDIR": "/nowhere"})
    assert len(answer(found, "much").stdout) == 300000


def test_without_tee_and_cksum_the_lengths_must_do(stands: Path) -> None:
    """A worker that lacks them answers all the same."""
    for name in ("sh", "cat", "head", "date", "sleep", "grep", "tr"):
        (stands / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    text = build_script([probe("echo hi")], HOST, "ab").replace("have tee", "false")
    done = subprocess.run(["/bin/sh", "-s"], input=text.encode(), capture_output=True, timeout=20, check=True)
    assert b"\nFAab Z -\n" in done.stdout
    assert b"hi\n:0\nFAab C" in done.stdout


def test_the_login_environment_is_made_plain() -> None:
    """LC_ALL is C, PATH reaches the system's folders, and of our own variables a probe sees fa_unit only."""
    found = run(
        [probe("echo $LC_ALL; echo $PATH; env", "p")], environment={"PATH": "/usr/bin:/bin", "LC_ALL": "tr_TR.UTF-8"}
    )
    lines = answer(found, "p").stdout.splitlines()
    assert lines[0] == "C"
    assert lines[1].startswith("/usr/bin:/bin:/usr/local/bin:")
    assert lines[1].endswith("/snap/bin")
    assert [line for line in lines if line.startswith("fa_")] == ["fa_unit="]


# ---------------------------------------------------------------- sudo


def _sudo(folder: Path, script: str) -> None:
    stand_in(folder, "sudo", script)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody, who needs sudo")
@pytest.mark.parametrize(
    ("script", "state", "reason"),
    [
        ("echo 'sudo: a password is required' >&2; exit 1", "password", "a password is required"),
        ("echo 'Sorry, user nobody may not run sudo on here.' >&2; exit 1", "denied", "may not run sudo"),
        ("exit 1", "denied", "sudo -n: refused"),
    ],
)
def test_a_sudo_that_refuses_makes_root_probes_denied(stands: Path, script: str, state: str, reason: str) -> None:
    """Root's probes are Unknown(denied) with sudo's own words; the others are answered; nobody is asked anything."""
    _sudo(stands, script)
    found = run(
        [
            probe("id -u", "mine"),
            probe("id -u", "roots", root=True),
            probe("id -u", "both", root=True, as_builder=True),
        ],
        become=True,
        path=stands,
        as_nobody=True,
    )
    assert answer(found, "sudo").stdout == state
    assert answer(found, "mine").stdout == "65534\n"
    for name in ("roots", "both"):
        assert unknown(found, name).reason is Reason.DENIED
        assert reason in unknown(found, name).detail
    assert found.outcome is Outcome.OK


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody, who needs sudo")
def test_a_sudo_that_works_runs_root_probes_through_it(stands: Path) -> None:
    """It is called with -n, and the probe has a plain environment behind it."""
    _sudo(stands, 'test "$1" = -n || exit 9; shift; exec env -i VIA=sudo "$@"')
    found = run(
        [probe("echo $VIA $LC_ALL; echo $PATH", "roots", root=True), probe("echo [$VIA]", "mine")],
        become=True,
        path=stands,
        as_nobody=True,
    )
    assert answer(found, "sudo").stdout == "ok"
    assert answer(found, "roots").stdout.startswith("sudo C\n")
    assert "/snap/bin" in answer(found, "roots").stdout
    assert answer(found, "mine").stdout == "[]\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody, who needs sudo")
def test_a_root_probe_that_hangs_is_killed_through_sudo(stands: Path) -> None:
    """What runs as root can only be killed by root: the limit holds there too."""
    _sudo(stands, 'shift; exec env -i "$@"')
    found = run([probe("sleep 55.1", "roots", root=True, timeout=0.5)], become=True, path=stands, as_nobody=True)
    assert unknown(found, "roots").reason is Reason.TIMEOUT


def test_sudo_is_not_asked_without_become(stands: Path) -> None:
    """No become, no sudo: root probes run as we are."""
    _sudo(stands, "echo called >&2; exit 1")
    found = run([probe("echo hi", "roots", root=True)], path=stands)
    assert answer(found, "sudo").stdout == "not-asked"
    assert answer(found, "roots").stdout == "hi\n"


# ---------------------------------------------------------------- the build service


def _systemctl(folder: Path, **properties: str) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in properties.items())
    (folder / "properties").write_text(lines, encoding="utf-8")
    (folder / "properties").chmod(0o644)
    manager = "DOCKER_CONFIG=/from/manager\nLANG=C"
    stand_in(
        folder,
        "systemctl",
        f"case $1 in show) cat {folder}/properties ;; show-environment) printf '%s\\n' '{manager}' ;; esac",
    )


@every()
def test_the_process_of_the_service_tells_its_environment(shell: list[str], stands: Path) -> None:
    """Allow-listed names only, values as they are, newlines refused; as_builder probes see them and no others."""
    environment = {
        "DOCKER_HOST": 'unix:///run/it\'s a "test".sock',
        "DOCKER_BUILDKIT": "1",
        "BUILDX_BUILDER": "two\nDOCKER_CONTEXT=injected",
        "REGISTRY_PASSWORD": "canary-1",
        "DOCKER_HOST_PASSWORD": "canary-2",
        "HOME": "/var/lib/builder",
    }
    service = subprocess.Popen(["sleep", "60"], env=environment)
    try:
        _systemctl(stands, LoadState="loaded", MainPID=str(service.pid), User="", Environment="", EnvironmentFiles="")
        found = run(
            [
                probe(
                    'echo "$DOCKER_HOST|$DOCKER_BUILDKIT|$HOME|$DOCKER_CONTEXT|$REGISTRY_PASSWORD"',
                    "b",
                    as_builder=True,
                ),
                probe('echo "$DOCKER_CONTEXT"', "login"),
            ],
            shell=shell,
            unit="builds.service",
            path=stands,
            environment={"DOCKER_CONTEXT": "logins", "HOME": "/root"},
        )
    finally:
        service.kill()
        service.wait()
    lines = answer(found, "unit-env").stdout.splitlines()
    assert lines[:5] == ["source process", "unit builds.service", f"pid {service.pid}", "user root", lines[4]]
    assert sorted(lines[5:]) == [
        "DOCKER_BUILDKIT=1",
        'DOCKER_HOST=unix:///run/it\'s a "test".sock',
        "HOME=/var/lib/builder",
    ]
    assert answer(found, "b").stdout == 'unix:///run/it\'s a "test".sock|1|/var/lib/builder||\n'
    assert answer(found, "login").stdout == "logins\n"
    assert "canary" not in found.model_dump_json()
    assert "injected" not in found.model_dump_json()


@every()
@pytest.mark.parametrize(("user", "home"), [("root", ["HOME=/root"]), ("", [])])
def test_a_service_that_does_not_run_is_read_from_its_files(
    shell: list[str], user: str, home: list[str], stands: Path
) -> None:
    """Environment=, then EnvironmentFile= over it, over the manager's; quotes and comments as systemd has them.

    HOME stands there as systemd sets it: where the unit names a user, root too.
    """
    (stands / "env").write_text(
        "# comment\n; comment\n\nDOCKER_HOST=tcp://file:1\nBUILDX_BUILDER=\"quoted one\"\n  DOCKER_TLS='1'\n"
        "SECRET_TOKEN=canary\nDOCKER_CONTEXT=last line",
        encoding="utf-8",
    )
    _systemctl(
        stands,
        LoadState="loaded",
        MainPID="0",
        User=user,
        Environment='DOCKER_BUILDKIT=0 "DOCKER_HOST=tcp://unit:1 x" API_SECRET=canary SOURCE_DATE_EPOCH=0',
        EnvironmentFiles=f"{stands}/env (ignore_errors=yes)\nEnvironmentFiles=/nowhere/env (ignore_errors=yes)",
    )
    found = run([probe("echo $BUILDX_BUILDER", "b", as_builder=True)], shell=shell, unit="b.service", path=stands)
    lines = answer(found, "unit-env").stdout.splitlines()
    assert lines[0] == "source unit"
    assert sorted(lines[5:]) == [
        "BUILDX_BUILDER=quoted one",
        "DOCKER_BUILDKIT=0",
        "DOCKER_CONFIG=/from/manager",
        "DOCKER_CONTEXT=last line",
        "DOCKER_HOST=tcp://file:1",
        "DOCKER_TLS=1",
        *home,
        "SOURCE_DATE_EPOCH=0",
    ]
    assert answer(found, "b").stdout == "quoted one\n"
    assert "canary" not in found.model_dump_json()


def test_a_unit_that_is_not_there_is_absent(stands: Path) -> None:
    """Exit 1, source absent, and as_builder probes run in the login's environment."""
    _systemctl(stands, LoadState="not-found", MainPID="0", User="", Environment="", EnvironmentFiles="")
    found = run(
        [probe("echo $DOCKER_HOST", "b", as_builder=True)],
        unit="none.service",
        path=stands,
        environment={"DOCKER_HOST": "logins"},
    )
    assert answer(found, "unit-env").exit == 1
    assert answer(found, "unit-env").stdout.startswith("source absent\n")
    assert answer(found, "b").stdout == "logins\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run probes as another user")
def test_root_runs_the_builders_probes_as_the_builder(stands: Path) -> None:
    """Where the unit has a user of its own, as_builder probes are run as it."""
    _systemctl(
        stands, LoadState="loaded", MainPID="0", User="nobody", Environment="DOCKER_BUILDKIT=1", EnvironmentFiles=""
    )
    found = run(
        [
            probe("id -un; echo $DOCKER_BUILDKIT", "b", as_builder=True),
            probe("id -un", "both", as_builder=True, root=True),
        ],
        unit="b.service",
        path=stands,
    )
    assert answer(found, "b").stdout == "nobody\n1\n"
    assert answer(found, "both").stdout == "root\n"
    assert "as nobody\n" in answer(found, "unit-env").stdout


@settings(deadline=None, max_examples=40)
@given(
    value=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"]), max_size=40)
)
def test_names_that_hosts_bring_are_quoted(value: str) -> None:
    """A unit name from the inventory never becomes code."""
    text = build_script([probe("x")], Host(name="a", address="a", build_unit=value))
    header = text.split("\n{\n")[0]
    printed = subprocess.run(
        ["dash", "-c", header + '\nprintf %s "$fa_unit"'], capture_output=True, check=True, env={"LC_ALL": "C"}
    ).stdout
    assert printed.decode() == value


def test_the_hash_is_of_what_all_hosts_get() -> None:
    """Nonce, become and unit do not change it; a probe does."""
    one, two = [probe("x")], [probe("y")]
    assert script_hash(one) == script_hash(one)
    assert script_hash(one) != script_hash(two)
    body = build_script(one, HOST).split("\n", 1)[1]
    other = Host(name="b", address="b", become=True, build_unit="u")
    assert build_script(one, other, "n" * 8).split("\n", 1)[1] == body


@pytest.mark.parametrize("name", ["sudo", "unit-env", "wire-clock"])
def test_the_scripts_own_names_are_refused(name: str) -> None:
    """A probe may not be called like an answer of the script itself, nor two alike."""
    with pytest.raises(ValueError, match=name):
        build_script([probe("x", name)], HOST)
    with pytest.raises(ValueError, match="unique"):
        build_script([probe("x"), probe("y")], HOST)


def test_the_allow_list_holds_no_secret() -> None:
    """No name on it is one that redaction would take for a secret's."""
    assert not [name for name in ALLOWED if any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "_KEY"))]
