"""RevokedHostKeys of ssh_config: a key that it names is refused whatever vouches for it, by us as by ssh."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.cli.onboard import _fingerprint
from audit.errors import UsageError
from audit.model import Fleet, Host, Outcome, Probe
from audit.wire import Trusted, WireOptions, collect
from audit.wire.hostkeys import fingerprint
from audit.wire.revoked import Revoked
from tests.farm.sshd import SSHD, Sshd, keygen, sshd
from tests.wire.test_vouching import blob

pytestmark = pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="OpenSSH is not installed")
PROBES = (Probe(name="one", script="echo hi"),)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that behaves."""
    with sshd(tmp_path_factory.mktemp("server") / "s") as running:
        yield running


def krl(folder: Path, *keys: Path) -> Path:
    """OpenSSH's binary list of these."""
    file = folder / "krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", file, *(f"{key}.pub" for key in keys)], check=True)
    return file


def listed(folder: Path, *keys: Path) -> Path:
    """A list of public keys, one a line."""
    file = folder / "revoked keys"
    lines = ["# gone", "", *(Path(f"{key}.pub").read_text(encoding="utf-8").strip() for key in keys)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def asked(server: Sshd, config: Path, **more: object) -> tuple[Outcome, str]:
    """What becomes of the host under that configuration."""
    host = Host(
        name="w", address=server.address, port=server.port, user=server.user, key_file=server.key,
        ssh_args=("-F", str(config), "-o", "IdentitiesOnly=yes"),
    )  # fmt: skip
    options = WireOptions(**({"known_hosts": server.known_hosts, "connect": 8, "auth": 8, "host": 20} | more))  # type: ignore[arg-type]
    found = collect(Fleet(hosts=(host,)), PROBES, options=options).hosts["w"]
    return found.outcome, found.detail


def by_ssh(server: Sshd, config: Path) -> bool:
    """Whether ssh itself goes in."""
    words = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", server.key]
    words += ["-o", f"UserKnownHostsFile={server.known_hosts}", "-p", str(server.port)]
    done = subprocess.run(
        [*words, f"{server.user}@{server.address}", "true"], capture_output=True, check=False, timeout=30
    )
    return done.returncode == 0


def certified(folder: Path, *keys: Path) -> Path:
    """A list of certificates, each of which ssh takes for the key in it."""
    ca = folder / "ca" if (folder / "ca").exists() else keygen(folder / "ca", "-t", "ed25519")
    file = folder / "revoked keys"
    text = ""
    for number, key in enumerate(keys):
        copy = folder / f"copy{number}.pub"
        shutil.copy(f"{key}.pub", copy)
        subprocess.run(["ssh-keygen", "-q", "-s", ca, "-h", "-I", "w", copy], check=True, capture_output=True)
        text += copy.with_name(f"copy{number}-cert.pub").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("make", [listed, krl, certified])
def test_a_revoked_key_is_refused(tmp_path: Path, server: Sshd, make: object) -> None:
    """Though known_hosts has it, and though its fingerprint was compared; ssh refuses it, too. Another's is not."""
    assert callable(make)
    other = keygen(tmp_path / "other")
    config = tmp_path / "config"
    file = make(tmp_path, server.folder / "host_key")
    config.write_text(f'RevokedHostKeys "{file}"\n')
    outcome, detail = asked(server, config)
    assert outcome is Outcome.HOSTKEY
    assert f"is marked as revoked in {file}" in detail
    trusted = Trusted("w", server.port, fingerprint(blob(server.folder / "host_key")))
    assert asked(server, config, trusted=trusted)[0] is Outcome.HOSTKEY
    assert asked(server, config, known_hosts=tmp_path / "new", host_keys="accept-new")[0] is Outcome.HOSTKEY
    assert not (tmp_path / "new").exists(), "it is not even noted"
    assert not by_ssh(server, config)
    file.unlink()
    make(tmp_path, other)
    assert asked(server, config)[0] is Outcome.OK
    assert by_ssh(server, config)


def test_a_list_that_cannot_be_read(tmp_path: Path, server: Sshd) -> None:
    """No host is believed then, by ssh neither; a list that is spoilt says so."""
    config = tmp_path / "config"
    config.write_text(f"RevokedHostKeys {tmp_path}/nowhere\n")
    outcome, detail = asked(server, config)
    assert outcome is Outcome.HOSTKEY
    assert f"{tmp_path}/nowhere, which RevokedHostKeys names, cannot be read" in detail
    assert not by_ssh(server, config)
    spoilt = tmp_path / "spoilt"
    spoilt.write_bytes(b"SSHKRL\n\0rubbish")
    why = Revoked().why(str(spoilt), "ssh-ed25519", blob(server.folder / "host_key"))
    assert why is not None
    assert "cannot be looked into" in why
    assert Revoked().why("", "ssh-ed25519", b"") is None


@pytest.mark.parametrize(
    "line", ["no key at all", "ssh-ed25519 !", "ssh-ed25519", "ssh-rsa {key}", "a=b ssh-rsa {key}"]
)
def test_a_list_with_a_line_that_is_no_key(tmp_path: Path, server: Sshd, line: str) -> None:
    """As ssh, which then believes nobody: somebody may have meant this very key."""
    other = keygen(tmp_path / "other")
    file = listed(tmp_path, other)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(line.replace("{key}", Path(f"{other}.pub").read_text(encoding="utf-8").split()[1]) + "\n")
    config = tmp_path / "config"
    config.write_text(f'RevokedHostKeys "{file}"\n')
    outcome, detail = asked(server, config)
    assert outcome is Outcome.HOSTKEY
    assert f"{file}:4, which RevokedHostKeys names, is no key" in detail
    assert not by_ssh(server, config)


def test_a_fingerprint_of_another_form() -> None:
    """Padding is taken; MD5 is refused with what to type instead."""
    key = "k" * 43
    for text in (key, f"SHA256:{key}", f"SHA256:{key}=", f" {key}= "):
        assert _fingerprint(text) == f"SHA256:{key}"
    md5 = ":".join(["aB"] * 16)
    for text in (md5, f"MD5:{md5}"):
        with pytest.raises(UsageError, match=r"is an MD5 fingerprint, .*`ssh-keygen -E sha256 -lf"):
            _fingerprint(text)
    for text in (f"SHA256:{key}==", "SHA1:abc", ""):
        with pytest.raises(UsageError, match="is no fingerprint; write SHA256:"):
            _fingerprint(text)
