"""Where credentials are found: docker's files, containers' files, helpers, the environment; and which one wins."""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.registry import Credentials, CredentialsError, Options
from audit.registry.auth import Keyring

SECRET = "pa:ss-do-not-show"


def encoded(user: str = "me", password: str = SECRET) -> str:
    """As docker writes it."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def keyring(environment: dict[str, str], **more: Any) -> Keyring:
    """One that looks in that environment only."""
    return Keyring(Options(environment=environment, **more))


def docker(folder: Path, body: object) -> dict[str, str]:
    """An environment whose DOCKER_CONFIG holds that file."""
    (folder / "config.json").write_text(body if isinstance(body, str) else json.dumps(body))
    return {"DOCKER_CONFIG": str(folder)}


def helper(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment whose PATH has that helper."""
    file = folder / f"docker-credential-{name}"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return {"PATH": f"{folder}:{os.defpath}"}


def user(found: Credentials | None) -> str:
    """Who it is."""
    return "nobody" if found is None else found.username or "token"


@pytest.mark.parametrize(
    ("key", "registry", "repository", "found"),
    [
        ("ghcr.io", "ghcr.io", "a/b", "me"),
        ("https://ghcr.io", "ghcr.io", "a/b", "me"),
        ("https://ghcr.io/v2/", "ghcr.io", "a/b", "me"),
        ("ghcr.io/", "ghcr.io", "a/b", "me"),
        ("GHCR.io", "ghcr.IO", "a/b", "me"),
        ("https://index.docker.io/v1/", "docker.io", "library/debian", "me"),
        ("index.docker.io", "docker.io", "library/debian", "me"),
        ("docker.io", "docker.io", "library/debian", "me"),
        ("registry-1.docker.io", "docker.io", "library/debian", "me"),
        ("ghcr.io", "ghcr.io:443", "a/b", "nobody"),
        ("host:5000", "host:5000", "a/b", "me"),
        ("host:5000", "host", "a/b", "nobody"),
        ("ghcr.io/a", "ghcr.io", "a/b", "me"),
        ("ghcr.io/a/b", "ghcr.io", "a/b", "me"),
        ("ghcr.io/a/b/c", "ghcr.io", "a/b", "nobody"),
        ("ghcr.io/a", "ghcr.io", "ab/c", "nobody"),
        ("docker.io/team", "docker.io", "team/x", "me"),
    ],
)
def test_keys(tmp_path: Path, key: str, registry: str, repository: str, found: str) -> None:
    """A key with scheme, path or port; Docker Hub's many names; containers' keys for a part of a registry."""
    environment = docker(tmp_path, {"auths": {key: {"auth": encoded()}}})
    assert user(keyring(environment).find(registry, repository)) == found


def test_the_longest_key_wins(tmp_path: Path) -> None:
    """Of several keys that fit, the most exact one is believed."""
    names = ("ghcr.io", "ghcr.io/a", "ghcr.io/a/b")
    ring = keyring(docker(tmp_path, {"auths": {name: {"auth": encoded(name)} for name in names}}))
    assert [user(ring.find("ghcr.io", name)) for name in ("x/y", "a/z", "a/b", "a/b/c")] == [
        "ghcr.io", "ghcr.io/a", "ghcr.io/a/b", "ghcr.io/a/b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "name", "password"),
    [
        ({"auth": encoded()}, "me", SECRET),
        ({"auth": encoded().rstrip("=")}, "me", SECRET),
        ({"auth": encoded("m") + "\n"}, "m", SECRET),
        ({"auth": encoded("me", "p\0\0")}, "me", "p"),
        ({"auth": encoded("me", "??>>~~")}, "me", "??>>~~"),
        ({"auth": base64.urlsafe_b64encode(b"me:??>>~~").decode()}, "me", "??>>~~"),
        ({"username": "me", "password": SECRET}, "me", SECRET),
        ({"auth": "", "username": "me", "password": SECRET}, "me", SECRET),
    ],
)
def test_how_a_login_is_written(tmp_path: Path, entry: dict[str, str], name: str, password: str) -> None:
    """With and without padding, of either alphabet, with colons in the password, or in two members."""
    found = keyring(docker(tmp_path, {"auths": {"r.example": entry}})).find("r.example")
    assert found is not None
    assert (found.username, found.password) == (name, password)


@pytest.mark.parametrize(
    ("entry", "identity", "token"),
    [
        ({"identitytoken": "i"}, "i", ""),
        ({"auth": encoded("<token>", "i")}, "i", ""),
        ({"auth": encoded("00000000-0000-0000-0000-000000000000", "x"), "identitytoken": "i"}, "i", ""),
        ({"registrytoken": "r"}, "", "r"),
    ],
)
def test_tokens(tmp_path: Path, entry: dict[str, str], identity: str, token: str) -> None:
    """Identity tokens and registry tokens."""
    found = keyring(docker(tmp_path, {"auths": {"r.example": entry}})).find("r.example")
    assert found is not None
    assert (found.identity_token, found.registry_token) == (identity, token)


def test_which_source_wins(tmp_path: Path) -> None:
    """What was given, the environment, DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, docker's file, containers' files."""

    def body(name: str) -> str:
        return json.dumps({"auths": {"r.example": {"auth": encoded(name)}}})

    for folder in ("run/containers", "config/containers", "docker"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "config/containers/auth.json").write_text(body("config"))
    (tmp_path / "run/containers/auth.json").write_text(body("run"))
    (tmp_path / "docker/config.json").write_text(body("docker"))
    (tmp_path / "file.json").write_text(body("file"))
    environment: dict[str, str] = {}
    steps = [
        ("nobody", {}),
        ("config", {"XDG_CONFIG_HOME": str(tmp_path / "config")}),
        ("run", {"XDG_RUNTIME_DIR": str(tmp_path / "run")}),
        ("docker", {"DOCKER_CONFIG": str(tmp_path / "docker")}),
        ("file", {"REGISTRY_AUTH_FILE": str(tmp_path / "file.json")}),
        ("inline", {"DOCKER_AUTH_CONFIG": body("inline")}),
        ("inline", {"FLEET_AUDIT_REGISTRY_HOST": "other.example", "FLEET_AUDIT_REGISTRY_USERNAME": "ours",
                    "FLEET_AUDIT_REGISTRY_PASSWORD": "x"}),
        ("ours", {"FLEET_AUDIT_REGISTRY_HOST": "r.example"}),
    ]  # fmt: skip
    for wanted, more in steps:
        environment |= more
        assert user(keyring(environment).find("r.example")) == wanted
    given_ = {"r.example": Credentials(username="given", password="x")}
    assert user(keyring(environment, credentials=given_).find("r.example")) == "given"
    assert user(keyring(environment, use_files=False).find("r.example")) == "ours"
    del environment["FLEET_AUDIT_REGISTRY_HOST"]
    assert user(keyring(environment, use_files=False).find("r.example")) == "nobody"


def test_home_folders(tmp_path: Path) -> None:
    """Without variables, the files in the home folder are read; a file for somebody else hides nothing."""
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".config/containers").mkdir(parents=True)
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {"other.example": {"auth": encoded("x")}}}))
    (tmp_path / ".config/containers/auth.json").write_text(json.dumps({"auths": {"r.example": {"auth": encoded()}}}))
    assert user(keyring({"HOME": str(tmp_path)}).find("r.example")) == "me"
    assert user(keyring({"HOME": str(tmp_path)}).find("other.example")) == "x"


def test_half_an_environment(tmp_path: Path) -> None:
    """A host without credentials is an error, not nobody."""
    with pytest.raises(CredentialsError, match="FLEET_AUDIT_REGISTRY_USERNAME"):
        keyring({"FLEET_AUDIT_REGISTRY_HOST": "r.example"}).find("r.example")


ECHO = 'read server; printf \'{"ServerURL":"%s","Username":"%s","Secret":"s"}\' "$server" "$server-$1"'


@pytest.mark.parametrize(
    ("registry", "server"), [("r.example:5000", "r.example:5000"), ("docker.io", "https://index.docker.io/v1/")]
)
@pytest.mark.parametrize("how", ["credHelpers", "credsStore"])
def test_helpers(tmp_path: Path, how: str, registry: str, server: str) -> None:
    """A helper is given the registry's name (Docker Hub's old one) on its standard input."""
    body = {"credsStore": "echo"} if how == "credsStore" else {"credHelpers": {server: "echo"}, "credsStore": "no"}
    environment = docker(tmp_path, body) | helper(tmp_path, "echo", ECHO)
    found = keyring(environment).find(registry, "a/b")
    assert found is not None
    assert (found.username, found.password, found.origin) == (f"{server}-get", "s", "docker-credential-echo")


def test_a_helper_is_asked_once(tmp_path: Path) -> None:
    """However many repositories are asked for at once, of one repository it is asked once."""
    script = f'echo x >>{tmp_path}/asked; printf \'{{"Username":"<token>","Secret":"i"}}\''
    ring = keyring(docker(tmp_path, {"credsStore": "count"}) | helper(tmp_path, "count", script))
    for _ in range(3):
        found = ring.find("r.example", "a/b")
        assert found is not None
        assert found.identity_token == "i"
    assert (tmp_path / "asked").read_text() == "x\n"
    assert ring.secrets() == ("i",)


def test_a_helper_that_knows_nothing(tmp_path: Path) -> None:
    """Then the file's own entry counts, and another file's after it."""
    script = "echo credentials not found in native keychain; exit 1"
    body = {"credsStore": "none", "auths": {"r.example": {"auth": encoded()}, "s.example": {}}}
    ring = keyring(docker(tmp_path, body) | helper(tmp_path, "none", script))
    assert user(ring.find("r.example")) == "me"
    assert user(ring.find("s.example")) == "nobody"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'keychain is locked' >&2; exit 3", "failed with exit code 3: keychain is locked"),
        ("exit 1", "failed with exit code 1"),
        (f"echo {SECRET}", "printed no user name and secret"),
        ("echo '{\"Username\": 5}'", "printed no user name and secret"),
        ("echo '['; ", "printed no user name and secret"),
        ("head -c 1000000 /dev/zero", "printed more than 262144 bytes"),
        ("sleep 30", "said nothing in 0.5 seconds"),
        ("(sleep 30) & sleep 30", "said nothing in 0.5 seconds"),
    ],
)
def test_helpers_that_fail(tmp_path: Path, script: str, says: str) -> None:
    """One sentence each, in bounded time, without what may be half of a secret."""
    environment = docker(tmp_path, {"credsStore": "bad"}) | helper(tmp_path, "bad", script)
    began = time.monotonic()
    with pytest.raises(CredentialsError, match=says) as told:
        keyring(environment, helper=0.5).find("r.example")
    assert time.monotonic() - began < 5
    assert "docker-credential-bad" in str(told.value)
    assert SECRET not in str(told.value)
    assert told.value.exit_code == 2


def test_a_helper_whose_child_lives_on(tmp_path: Path) -> None:
    """A helper that leaves a process behind does not hold us, and the process is ended."""
    script = f'sleep 60 & echo $! >{tmp_path}/pid; printf \'{{"Username":"u","Secret":"s"}}\''
    began = time.monotonic()
    found = keyring(docker(tmp_path, {"credsStore": "fork"}) | helper(tmp_path, "fork", script)).find("r.example")
    assert user(found) == "u"
    assert time.monotonic() - began < 5
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.02)
    else:
        pytest.fail("the helper's child still runs")


@pytest.mark.parametrize("name", ["missing", "../../bin/sh", "a b", "", "x" * 200])
def test_helpers_that_cannot_be(tmp_path: Path, name: str) -> None:
    """A helper that is not in PATH, or whose name is a path."""
    environment = docker(tmp_path, {"credHelpers": {"r.example": name}}) | {"PATH": str(tmp_path)}
    if not name:
        assert keyring(environment).find("r.example") is None
        return
    with pytest.raises(CredentialsError, match=r"which is not in PATH|can be none"):
        keyring(environment).find("r.example")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "it is not JSON"),
        ('{"auths": {"r.example": {"auth": "c2VjcmV0"', "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "no object"),
        ('{"auths": {"r.example": {"auth": "?"}}}', "no base64 of user:password"),
        ('{"auths": {"r.example": {"auth": "bWU="}}}', "no base64 of user:password"),
        ('{"auths": {"r.example": {"auth": "/////w=="}}}', "no base64 of user:password"),
        (" " * (1 << 20) + "{}", "more than 1048576 bytes"),
    ],
    ids=["cut", "cut-secret", "deep", "list", "no-base64", "no-colon", "binary", "huge"],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: str, says: str) -> None:
    """Named, with what is wrong, and with nothing of what stands in them."""
    with pytest.raises(CredentialsError, match=says) as told:
        keyring(docker(tmp_path, content)).find("r.example")
    assert "config.json" in str(told.value)
    assert "c2VjcmV0" not in str(told.value)
    assert told.value.__context__ is None or told.value.__suppress_context__, "the parser's error holds the text"


def test_files_that_are_none(tmp_path: Path) -> None:
    """A fifo does not hold us; a folder, or a file that is named but not there, is told."""
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(CredentialsError, match="it is no file"):
        keyring({"DOCKER_CONFIG": str(tmp_path)}).find("r.example")
    (tmp_path / "auth.json").mkdir()
    with pytest.raises(CredentialsError, match="it is no file"):
        keyring({"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}).find("r.example")
    with pytest.raises(CredentialsError, match="REGISTRY_AUTH_FILE"):
        keyring({"REGISTRY_AUTH_FILE": str(tmp_path / "none.json")}).find("r.example")
    assert stat.S_ISFIFO((tmp_path / "config.json").stat().st_mode)


@pytest.mark.parametrize(
    "body",
    [{}, "", {"auths": None}, {"auths": []}, {"auths": {"r.example": None}}, {"auths": {"r.example": {}}},
     {"credHelpers": []}, {"credHelpers": {"r.example": 5}}, {"credsStore": 5}, {"credsStore": ""}],
)  # fmt: skip
def test_files_that_say_nothing(tmp_path: Path, body: object) -> None:
    """What docker writes after a logout, and shapes that mean nothing, are nobody."""
    assert keyring(docker(tmp_path, body)).find("r.example") is None


_leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12))
_json = st.recursive(_leaf, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=6)
_entry = st.dictionaries(st.sampled_from(["auth", "username", "password", "identitytoken", "registrytoken"]), _json)
_auths = st.dictionaries(st.sampled_from(["r.example", "https://r.example/v1/", "r.example/a", "/", "://", ""]),
                         st.one_of(_entry, _json))  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(_json, st.fixed_dictionaries({"auths": _auths})))
def test_any_file_is_read_or_refused(body: object) -> None:
    """No JSON in a file ends in another error, and no repr shows what was read."""
    ring = keyring({"DOCKER_AUTH_CONFIG": json.dumps(body) if body != "" else "{}"})
    try:
        found = ring.find("r.example", "a/b")
    except CredentialsError:
        return
    assert found is None or not found.empty
    assert "password" not in repr(found)
