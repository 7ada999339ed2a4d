"""What is sent in secret: read before anybody is contacted, the right account only, and never to be seen in a log."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from audit.building import Logs, Material, held, login_of, secrets_of
from audit.buildstep.script import LOGIN
from audit.errors import StepError, UsageError
from audit.image.reference import Reference
from audit.registry import Credentials, Options

STAGE = Reference.parse("r.example:5000/staging/app:1")
LIVE = Reference.parse("r.example:5000/live/app:1")


def test_secrets_are_read_as_docker_reads_them(tmp_path: Path) -> None:
    """From files and variables, in every spelling."""
    (tmp_path / "f").write_bytes(b"in a file\n")
    file = str(tmp_path / "f")
    said = [f"id=a,src={file}", f"type=file,id=b,source={file}", "id=c,env=X", "id=D", "id=e,type=env,src=X"]
    found = secrets_of(said, {"X": "in X", "D": "in D"})
    assert found == {"a": b"in a file\n", "b": b"in a file\n", "c": b"in X", "D": b"in D", "e": b"in X"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("id=a,src=/nowhere/file", "/nowhere/file cannot be read: No such file"),
        ("id=a,env=NOT_SET", "the variable NOT_SET is not set"),
        ("id=a", "the variable a is not set"),
        ("id=a,src=x,env=Y", "write id=NAME"),
        ("id=a,mode=3", "write id=NAME"),
        ("src=x", "write id=NAME"),
        ("id=a,src=/", "Is a directory"),
        ("id=a,src=/dev/zero", "BuildKit takes 512000 at most"),
    ],
)
def test_bad_secrets_are_told(said: str, why: str) -> None:
    """One sentence each, exit code 2."""
    with pytest.raises(UsageError, match=why):
        secrets_of([said], {})


def test_what_was_secret_is_masked() -> None:
    """Whole, line by line, and as the registry's header has it; short words are left, they would mask everything."""
    material = Material(secrets={"k": b"first line\nsecond one\nab\n"}, login=b"{}", words=("hunter22",))
    assert material.masked("#4 0.1 first line, then second one, ab and hunter22") == "#4 0.1 ***, then ***, ab and ***"
    assert "hunter22" not in repr(material)
    assert "first" not in repr(material)
    assert list(material.contents) == ["secret-k", LOGIN]


def keys(staging: Credentials | None, live: Credentials | None) -> Options:
    """Credentials by repository, as containers' auth.json can hold them."""
    found = {"r.example:5000/staging": staging, "r.example:5000/live": live}
    auths = {
        name: {"auth": base64.b64encode(f"{one.username}:{one.password}".encode()).decode()}
        for name, one in found.items()
        if one is not None
    }
    return Options(environment={"DOCKER_AUTH_CONFIG": json.dumps({"auths": auths})})


def test_a_login_is_for_staging_alone() -> None:
    """The file that is sent holds that one registry and that one account."""
    options = keys(Credentials(username="stage", password="s-word"), Credentials(username="live", password="l-word"))
    text, words = login_of(options, STAGE, [LIVE], {})
    assert json.loads(text) == {"auths": {"r.example:5000": {"auth": base64.b64encode(b"stage:s-word").decode()}}}
    assert set(words) == {"s-word", base64.b64encode(b"stage:s-word").decode()}


def test_live_credentials_are_never_sent() -> None:
    """One account for both: refused, and what to do is named; an account for staging alone goes before it."""
    one = Credentials(username="live", password="l-word")
    with pytest.raises(UsageError, match="must not leave this machine"):
        login_of(keys(one, one), STAGE, [LIVE], {})
    account = {"FLEET_AUDIT_STAGING_USERNAME": "stage", "FLEET_AUDIT_STAGING_PASSWORD": "s-word"}
    text, _ = login_of(keys(one, one), STAGE, [LIVE], account)
    assert base64.b64encode(b"stage:s-word") in text
    with pytest.raises(UsageError, match="must not leave this machine"):
        login_of(keys(one, one), STAGE, [LIVE], account | {"FLEET_AUDIT_STAGING_PASSWORD": "l-word"})


@pytest.mark.parametrize(
    ("environment", "why"),
    [({}, "there are no credentials"), ({"FLEET_AUDIT_STAGING_USERNAME": "x"}, "go together")],
)
def test_a_login_that_is_missing_is_told(environment: dict[str, str], why: str) -> None:
    """One sentence, exit code 2."""
    with pytest.raises(UsageError, match=why):
        login_of(keys(None, None), STAGE, [], environment)


def test_docker_hub_has_its_own_key() -> None:
    """What docker looks it up under."""
    options = Options(credentials={"docker.io": Credentials(identity_token="tok-en")})
    text, _ = login_of(options, Reference.parse("team/app:1"), [], {})
    entry = json.loads(text)["auths"]["https://index.docker.io/v1/"]
    assert entry == {"identitytoken": "tok-en", "auth": base64.b64encode(b"<token>:").decode()}


def test_logs_are_their_owners_alone(tmp_path: Path) -> None:
    """A file an attempt, mode 600, whatever a host is called; an older one is replaced."""
    logs = Logs(tmp_path / "a/b")
    for text in ("old", "new \x1b"):
        with logs.open("linux/arm/v7", 2, "../../w 7") as log:
            log.write(text)
    (found,) = (tmp_path / "a/b").iterdir()
    assert found.name == "linux-arm-v7.2..._.._w_7.log"
    assert found.read_text() == "new \x1b\n"
    assert found.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700


def test_a_log_that_cannot_be_written_costs_no_build(tmp_path: Path) -> None:
    """The fault is kept for a note; a folder that cannot be made is told before anything is built."""
    with Logs(tmp_path).open("linux/amd64", 1, "w1") as log:
        assert log._file is not None
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, log._file.fileno())
        os.close(full)
        log.write("x")
        log.write("y")
    assert "No space left" in log.fault
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--logs"):
        Logs(tmp_path / "file" / "folder")


def test_a_log_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a bound, with a line that says so."""
    monkeypatch.setattr("audit.building.logs.MOST_BYTES", 100)
    with Logs(tmp_path).open("linux/amd64", 1, "w1") as log:
        for _ in range(50):
            log.write("x" * 30)
    assert log.path.read_text() == f"{'x' * 30}\n" * 3 + "# the log is cut here: it is too long\n"


def test_one_build_at_a_time_to_a_tag(tmp_path: Path) -> None:
    """The second one is told who has it; another tag is free, and so is this one afterwards."""
    with held(tmp_path, "r/app:1"):
        with (
            pytest.raises(StepError, match=rf"pushes to r/app:1 now \(process {os.getpid()}\)"),
            held(tmp_path, "r/app:1"),
        ):
            pass
        with held(tmp_path, "r/app:2"):
            pass
    with held(tmp_path, "r/app:1"):
        pass


def test_without_a_folder_nothing_is_held() -> None:
    """A state folder that cannot be written to costs no build."""
    with held(Path("/proc/nowhere"), "r/app:1"):
        pass
