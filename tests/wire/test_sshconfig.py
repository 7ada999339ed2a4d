"""Routes are what ``ssh -G`` says, and it is asked no more often than it must be."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest

from audit.model import Host, Outcome
from audit.wire.failures import WireError
from audit.wire.network import _jump_spec
from audit.wire.sshconfig import SshConfig

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")

CONFIG = """
Include {folder}/more
Host web-* !web-9
  HostName %h.example.org
  User deploy
  Port 2222
  IdentityFile ~/.ssh/%r_key
  IdentityFile /keys/second
  IdentitiesOnly yes
  HostKeyAlias the-webs
Host db*
  ProxyJump bob@gate:2200,inner
  UserKnownHostsFile {folder}/known {folder}/known2
  CertificateFile {folder}/cert.pub
Host pc
  ProxyCommand connect %h %p %r %n
  IdentityAgent none
"""

MORE = """
Host included
  HostName 10.9.8.7
  IdentityAgent {folder}/agent.sock
"""


@pytest.fixture
def args(tmp_path: Path) -> tuple[str, ...]:
    """-F with that configuration."""
    (tmp_path / "config").write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    (tmp_path / "more").write_text(MORE.format(folder=tmp_path), encoding="utf-8")
    return ("-F", str(tmp_path / "config"))


def host(address: str, args: tuple[str, ...], **more: object) -> Host:
    """A host of that address."""
    return Host(name="h", address=address, ssh_args=args, **more)  # type: ignore[arg-type]


def test_without_ssh_revoked_keys_are_not_passed_over(tmp_path: Path) -> None:
    """Nobody but ssh reads which list counts; where there is none, the host is reached."""
    (tmp_path / ".ssh").mkdir()
    for text, refused in (("Host *\n  Compression yes\n", False), ("Host *\n  RevokedHostKeys ~/.ssh/gone\n", True)):
        (tmp_path / ".ssh" / "config").write_text(text, encoding="utf-8")
        config = SshConfig()
        config.ssh, config.home = None, tmp_path
        if refused:
            with pytest.raises(WireError, match="ssh is not installed, and its configuration is needed here"):
                config.route(host("w07", ()))
        else:
            assert config.route(host("w07", ())).hostname == "w07"


@pytest.mark.parametrize("address", ["web-1", "web-9", "db1", "pc", "included", "other", "10.0.0.1", "WEB-2"])
def test_routes_are_those_of_ssh(address: str, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """HostName, Port, User, HostKeyAlias, files and jumps are what ssh itself would use."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    said: dict[str, list[str]] = {}
    printed = subprocess.run(["ssh", "-G", *args, "--", address], capture_output=True, text=True, check=True).stdout
    for line in printed.splitlines():
        said.setdefault(line.split(" ", 1)[0], []).append(line.partition(" ")[2])
    route = SshConfig().route(host(address, args))
    assert route.hostname == said["hostname"][0]
    assert str(route.port) == said["port"][0]
    assert route.user == said["user"][0]
    assert route.host_key_alias == said.get("hostkeyalias", [None])[0]
    assert route.identities_only == (said["identitiesonly"] == ["yes"])
    assert len(route.identity_files) == len(said["identityfile"])
    assert list(route.known_hosts) == [*said["userknownhostsfile"][0].split(), *said["globalknownhostsfile"][0].split()]
    assert ",".join(route.proxy_jump) == said.get("proxyjump", [""])[0]


def test_tokens_are_expanded_for_each_host(args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """What ssh leaves unexpanded is expanded as ssh would."""
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agents/mine")
    config = SshConfig()
    web = config.route(host("web-1", args, key_file="/inventory/key"))
    assert web.identity_files == ("/inventory/key", f"{config.home}/.ssh/deploy_key", "/keys/second")
    assert web.wanted_first == 1
    assert web.known_as == "the-webs"
    assert web.identity_agent == "/agents/mine"
    assert str(web) == "deploy@web-1.example.org:2222"
    command = config.route(host("pc", args, port=22022, user="joe"))
    assert command.proxy_command == "connect pc 22022 joe pc"
    assert command.identity_agent is None
    included = config.route(host("included", args))
    assert (included.hostname, included.known_as) == ("10.9.8.7", "10.9.8.7")
    assert included.identity_agent == f"{args[1].removesuffix('/config')}/agent.sock"


def test_the_inventory_goes_before_the_configuration(args: tuple[str, ...]) -> None:
    """Port, user and key of the inventory win."""
    route = SshConfig().route(host("web-1", args, port=7, user="me", key_file="~/k"))
    assert (route.port, route.user) == (7, "me")
    assert route.identity_files[0] == str(Path("~/k").expanduser())


def test_hosts_that_are_alike_share_an_answer(tmp_path: Path) -> None:
    """A thousand addresses in three kinds cost three questions."""
    (tmp_path / "config").write_text("Host 10.*\n  User ten\nHost 10.0.*\n  Port 99\n", encoding="utf-8")
    args = ("-F", str(tmp_path / "config"))
    config = SshConfig()
    routes = [
        config.route(host(f"{net}.{number}", args)) for net in ("10.0.1", "10.1.1", "192.0.2") for number in range(99)
    ]
    assert config.asked == 3
    assert {(route.user, route.port) for route in routes} == {("ten", 99), ("ten", 22), (getpass.getuser(), 22)}
    assert all(route.hostname == route.alias for route in routes)


@pytest.mark.parametrize(
    "text", ["Match host 10.*\n  User m\n", "Host *\n  HostName %h\n", "CanonicalizeHostname yes\n", "Include %h\n"]
)
def test_each_host_is_asked_for_where_answers_may_differ(text: str, tmp_path: Path) -> None:
    """Match, tokens and canonical names: no sharing."""
    (tmp_path / "config").write_text(text, encoding="utf-8")
    config = SshConfig()
    for number in range(3):
        config.route(host(f"10.0.0.{number}", ("-F", str(tmp_path / "config"))))
    assert config.asked == 3


def test_a_wrong_configuration_is_said_with_its_line(tmp_path: Path) -> None:
    """ssh's own complaint, and nothing is contacted."""
    (tmp_path / "config").write_text("Host *\n  NoSuchOption yes\n", encoding="utf-8")
    with pytest.raises(WireError) as caught:
        SshConfig().route(host("a", ("-F", str(tmp_path / "config"))))
    assert caught.value.outcome is Outcome.NOT_ASKED
    assert "nosuchoption" in caught.value.detail.lower()
    assert "line 2" in caught.value.detail


@pytest.mark.parametrize("address", ["-oProxyCommand=touch x", ""])
def test_an_address_is_never_an_option(address: str) -> None:
    """A name that ssh would take for an option is refused."""
    with pytest.raises(WireError, match="is no address"):
        SshConfig().route(host(address, ()))


def test_without_ssh_the_defaults_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ssh, no configuration: built-in defaults; a configuration that would matter is an error that says so."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    config = SshConfig()
    config.home = tmp_path
    route = config.route(host("10.0.0.1", ()))
    assert (route.hostname, route.port, route.known_hosts[0]) == ("10.0.0.1", 22, f"{tmp_path}/.ssh/known_hosts")
    (tmp_path / "config").write_text("Host a\n  User b\n", encoding="utf-8")
    with pytest.raises(WireError, match="install openssh-client"):
        config.route(host("a", ("-F", str(tmp_path / "config"))))


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("gate", (None, "gate", None)),
        ("bob@gate:22", ("bob", "gate", 22)),
        ("ssh://bob@gate:2200/", ("bob", "gate", 2200)),
        ("[::1]:22", (None, "::1", 22)),
        ("bob@[fe80::1]", ("bob", "fe80::1", None)),
        ("2001:db8::1", (None, "2001:db8::1", None)),
        ("a@b@gate", ("a@b", "gate", None)),
    ],
)
def test_jump_hosts_are_taken_apart(spec: str, parts: tuple[str | None, str, int | None]) -> None:
    """user, host and port, also of IPv6 addresses."""
    assert _jump_spec(spec) == parts
