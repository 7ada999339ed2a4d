"""SSHFP records for real: knotd serves signed zones, unbound validates them, sshd shows the key."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit.cli.app import run
from audit.model import Fleet, Host, HostEvidence, Outcome, Probe
from audit.wire import Dns, WireOptions, collect, dial, sshfp
from audit.wire.clocks import Clock
from audit.wire.hostkeys import fingerprint
from audit.wire.sshconfig import Route
from tests.farm.names import LACKING, PLAIN, SIGNED, SPOILT, Names, blob, names, resolv_conf
from tests.farm.names import sshfp as record
from tests.farm.sshd import SSHD, Sshd, free_port, keygen, sshd
from tests.wire.test_hostkeys import KEY, OTHER

pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=f"not installed: {LACKING}"),
    pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="OpenSSH is not installed"),
]
PROBES = (Probe(name="one", script="echo hi"),)
KIND = "ssh-ed25519"


@dataclass(frozen=True)
class World:
    """What is running."""

    names: Names
    server: Sshd

    @property
    def key(self) -> bytes:
        """The server's."""
        return blob(self.server.folder / "host_key.pub")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server, and what DNS says of it under many names."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "s").mkdir(mode=0o700)
    key = blob(keygen(folder / "s" / "host_key").with_suffix(".pub"))
    many = [f"key {number}".encode() for number in range(300)]
    records = [
        f"good 60 {record(key)}",
        f"*.wild 60 {record(key)}",
        f"other 60 {record(OTHER)}",
        f"both 60 {record(OTHER)}",
        f"both 60 {record(key)}",
        f"weak 60 {record(key, kind=1)}",
        f"rsa 60 {record(OTHER, algorithm=1)}",
        "alias 60 CNAME good",
        "bare 60 A 127.0.0.1",
        f"many 60 {record(key)}",
        *(f"many 60 {record(one, algorithm=1)}" for one in many),
        *(f"crowd 60 {record(one)}" for one in many),
    ]
    with names(folder / "dns", records) as running, sshd(folder / "s") as server:
        yield World(running, server)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name of ours is this machine; SSHFP records are asked of nobody but ours."""
    real = dial.resolve

    def resolve(name: str, port: int, clock: Clock) -> list[dial.Address]:
        return real("127.0.0.1" if name.endswith(".test") else name, port, clock)

    monkeypatch.setattr(dial, "resolve", resolve)
    monkeypatch.setattr(sshfp, "RESOLV_CONF", Path("/nonexistent"))


def said(dns: Dns, name: str, key: bytes, seconds: float = 5.0) -> tuple[str, str]:
    """What DNS says of the key under a name."""
    word = dns.word(Route(alias="w", hostname=name, verify_dns="yes"), KIND, key, seconds)
    assert word is not None
    return word.said, word.text


@pytest.mark.parametrize(
    ("name", "wanted", "words"),
    [
        (f"good.{SIGNED}", "vouched", "vouched for by SSHFP"),
        (f"GOOD.{SIGNED.upper()}.", "vouched", "vouched for by SSHFP"),
        (f"any.wild.{SIGNED}", "vouched", "vouched for by SSHFP"),
        (f"both.{SIGNED}", "nothing", "another one of its kind"),
        (f"many.{SIGNED}", "vouched", "vouched for by SSHFP"),
        (f"other.{SIGNED}", "other", fingerprint(OTHER)),
        (f"crowd.{SIGNED}", "other", "and 298 more"),
        (f"rsa.{SIGNED}", "other", "RSA keys only"),
        (f"weak.{SIGNED}", "nothing", "only its SHA-1 fingerprint"),
        (f"alias.{SIGNED}", "nothing", "is an alias"),
        (f"bare.{SIGNED}", "nothing", "no SSHFP record"),
        (f"none.{SIGNED}", "nothing", "no SSHFP record"),
        (f"good.{PLAIN}", "nothing", "not authenticated"),
        (f"other.{PLAIN}", "nothing", "not authenticated"),
        (f"many.{PLAIN}", "nothing", "not authenticated"),
        (f"good.{SPOILT}", "nothing", "SERVFAIL"),
        (f"other.{SPOILT}", "nothing", "SERVFAIL"),
        (f"many.{SPOILT}", "nothing", "SERVFAIL"),
        (f"none.{SPOILT}", "nothing", "no SSHFP record"),
    ],
)
def test_what_a_validating_name_server_says(world: World, name: str, wanted: str, words: str) -> None:
    """Signed and right, signed and another key, not signed, signed and altered; a list too long for a datagram."""
    found, text = said(world.names.dns(), name, world.key)
    assert (found, words in text) == (wanted, True), text


def test_whom_nobody_trusts(world: World) -> None:
    """A name server that validates nothing has no AD bit; one that this machine does not trust is not asked."""
    name = f"good.{SIGNED}"
    assert said(world.names.dns(port=world.names.authority), name, world.key)[0] == "nothing"
    found, text = said(world.names.dns(trusted=False), name, world.key)
    assert found == "nothing"
    assert "does not say `options trust-ad`" in text
    found, text = said(world.names.dns(port=free_port()), name, world.key, 0.5)
    assert found == "nothing"
    assert "no answer" in text


def asked(world: World, known: Path, name: str, wish: str = "yes", **more: object) -> HostEvidence:
    """The server, asked under a name of DNS."""
    host = Host(
        name="w", address=name, port=world.server.port, user=world.server.user, key_file=world.server.key,
        ssh_args=("-F", "none", "-o", "IdentitiesOnly=yes", "-o", f"VerifyHostKeyDNS={wish}"),
    )  # fmt: skip
    options = WireOptions(**({"known_hosts": known, "dns": world.names.dns()} | more))  # type: ignore[arg-type]
    return collect(Fleet(hosts=(host,)), PROBES, options=options).hosts["w"]


def test_a_real_server_that_dns_vouches_for(world: World, tmp_path: Path) -> None:
    """It is believed for the connection, as ssh does, and nothing is written; where ssh_config only asks, it is not."""
    known = tmp_path / "known"
    assert asked(world, known, f"good.{SIGNED}").outcome is Outcome.OK
    for wish in ("ask", "no"):
        found = asked(world, known, f"good.{SIGNED}", wish)
        assert found.outcome is Outcome.HOSTKEY
        assert ("vouched for by SSHFP" in found.detail) is (wish == "ask")
    assert not known.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"other.{SIGNED}", "DNS names another key"),
        (f"good.{PLAIN}", "not authenticated"),
        (f"good.{SPOILT}", "SERVFAIL"),
    ],
)
def test_a_real_server_that_dns_does_not_vouch_for(world: World, tmp_path: Path, name: str, words: str) -> None:
    """It is refused, and told why; where DNS names another key it is no new host either."""
    found = asked(world, tmp_path / "known", name)
    assert found.outcome is Outcome.HOSTKEY
    assert words in found.detail
    accepted = asked(world, tmp_path / "new", name, host_keys="accept-new")
    assert (accepted.outcome is Outcome.OK) is ("another key" not in words)


def test_a_changed_key_stays_a_finding(world: World, tmp_path: Path) -> None:
    """Also one that DNS vouches for, which is told; onboard is for that."""
    known = tmp_path / "known"
    text = f"[good.{SIGNED}]:{world.server.port} {KIND} {base64.b64encode(KEY).decode()}\n"
    known.write_text(text, encoding="utf-8")
    found = asked(world, known, f"good.{SIGNED}")
    assert found.outcome is Outcome.HOSTKEY_CHANGED
    assert "vouched for by SSHFP" in found.detail
    assert known.read_text(encoding="utf-8") == text


class Onboarded:
    """`fleet-audit onboard` of the server, with a known_hosts of its own."""

    def __init__(
        self, world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing is asked yet."""
        self.world, self.folder, self.capsys = world, folder, capsys
        self.known = folder / "known"
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sshfp, "RESOLV_CONF", resolv_conf(folder / "resolv.conf"))
        monkeypatch.setattr(sshfp, "PORT", world.names.resolver)

    def __call__(self, name: str, *more: str, wish: str = "no") -> tuple[str, str]:
        """State and words of the step `identity`, and its lines."""
        args = f"-F none -o IdentitiesOnly=yes -o VerifyHostKeyDNS={wish}"
        (self.folder / "hosts.yml").write_text(
            f"all:\n  hosts:\n    w:\n      ansible_host: {name}\n      ansible_port: {self.world.server.port}\n"
            f"      ansible_user: {self.world.server.user}\n"
            f"      ansible_ssh_private_key_file: {self.world.server.key}\n"
            f'      ansible_ssh_common_args: "{args}"\n',
            encoding="utf-8",
        )
        words = ["onboard", "w", "-i", "hosts.yml", "--known-hosts", str(self.known), "-q", "--yes", "--format", "json"]
        run([*words, "--db", str(self.folder / "history.db"), *more])
        out, err = self.capsys.readouterr()
        assert out, err
        step = next(one for one in json.loads(out)["steps"] if one["id"] == "identity")
        return step["state"], " / ".join([step["text"], *step["lines"]])

    @property
    def lines(self) -> list[str]:
        """Of its known_hosts."""
        return self.known.read_text(encoding="utf-8").splitlines() if self.known.exists() else []


@pytest.fixture
def onboarded(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Onboarded:
    """The command, in a folder of its own."""
    return Onboarded(world, tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(("wish", "more"), [("yes", ()), ("no", ("--trust-sshfp",)), ("ask", ("--trust-sshfp",))])
def test_onboard_writes_it_once(onboarded: Onboarded, wish: str, more: tuple[str, ...]) -> None:
    """Where ssh_config or the flag says so; then it is known, and DNS is not asked any more."""
    state, text = onboarded(f"good.{SIGNED}", *more, wish=wish)
    assert state == "ok", text
    assert "was taken into known_hosts" in text
    assert f"vouched for by SSHFP: an authenticated record of good.{SIGNED}" in text
    (line,) = onboarded.lines
    assert line.split()[0] == f"[good.{SIGNED}]:{onboarded.world.server.port}"
    state, text = onboarded(f"good.{SIGNED}", *more, wish=wish)
    assert (state, onboarded.lines) == ("ok", [line])
    assert "the host key that is known" in text


def test_onboard_shows_and_does_not_take(onboarded: Onboarded) -> None:
    """With VerifyHostKeyDNS ask it is shown; without a wish DNS is not spoken of."""
    state, text = onboarded(f"good.{SIGNED}", wish="ask")
    assert (state, "vouched for by SSHFP" in text) == ("todo", True)
    state, text = onboarded(f"good.{SIGNED}")
    assert (state, "SSHFP" in text) == ("todo", False)
    assert onboarded.lines == []


def test_onboard_takes_a_changed_key_by_dns_as_by_an_authority(onboarded: Onboarded) -> None:
    """The old line goes."""
    name = f"[good.{SIGNED}]:{onboarded.world.server.port}"
    onboarded.known.write_text(f"{name} {KIND} {base64.b64encode(KEY).decode()}\n", encoding="utf-8")
    state, text = onboarded(f"good.{SIGNED}", "--trust-sshfp")
    assert state == "ok", text
    (line,) = onboarded.lines
    assert line.split()[2] == base64.b64encode(onboarded.world.key).decode()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"other.{SIGNED}", "DNS names another key"),
        (f"weak.{SIGNED}", "SHA-1"),
        (f"good.{PLAIN}", "not authenticated"),
        (f"good.{SPOILT}", "SERVFAIL"),
    ],
)
def test_onboard_says_why_dns_does_not_vouch(onboarded: Onboarded, name: str, words: str) -> None:
    """Nothing is taken; a first use is believed only where DNS does not name another key."""
    state, text = onboarded(name, "--trust-sshfp")
    assert (state, words in text, onboarded.lines) == ("todo", True, []), text
    state, text = onboarded(name, "--trust-sshfp", "--trust-first-use")
    assert words in text
    assert (state == "ok") is ("another key" not in words)
    assert bool(onboarded.lines) is (state == "ok")


def test_a_compared_fingerprint_outdoes_dns(onboarded: Onboarded) -> None:
    """Who has compared it on the console may take it, and what DNS says of it is shown."""
    shown = fingerprint(onboarded.world.key)
    state, text = onboarded(f"other.{SIGNED}", "--trust-sshfp", "--accept-host-key", shown)
    assert state == "ok"
    assert "its fingerprint was given" in text
    assert "DNS names another key" in text


def test_nothing_is_believed_that_ssh_would_not_believe(tmp_path: Path) -> None:
    """The same resolv.conf, names and server for both: also a loopback name server wants `options trust-ad`."""
    apart = ["unshare", "--mount", "--net", "--"]
    if os.geteuid() != 0 or shutil.which("ip") is None or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("it needs root, ip, and namespaces of its own")
    words = [*apart, sys.executable, "-m", "tests.farm.beside_ssh", str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row for row in found if row[3] == "vouched" and not row[2]] == []
    vouched = {(row[0], row[1]) for row in found if row[3] == "vouched"}
    assert vouched == {
        (options, f"{name}.{SIGNED}") for options in ("trust-ad", "edns0 trust-ad") for name in ("good", "full")
    }
    believed = {row[1] for row in found if row[2]}
    assert believed >= {f"good.{SIGNED}", f"full.{SIGNED}"}, "ssh believes something at all here"
