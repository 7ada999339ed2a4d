"""known_hosts as OpenSSH reads it."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from audit.model import Outcome
from audit.wire.failures import WireError
from audit.wire.hostkeys import HostKeyCheck, fingerprint
from audit.wire.sshconfig import Route

KIND = "ssh-ed25519"
KEY = b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"k" * 32
OTHER = b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"o" * 32


def line(names: str, key: bytes = KEY, kind: str = KIND) -> str:
    """One line of a file."""
    return f"{names} {kind} {base64.b64encode(key).decode()} a comment\n"


def outcome(file: Path, route: Route, mode: str = "strict", kind: str = KIND, key: bytes = KEY) -> Outcome:
    """What becomes of a host that shows the key."""
    check = HostKeyCheck(mode, file)  # type: ignore[arg-type]
    try:
        check.check(route, kind, key, check.known(route))
    except WireError as failure:
        return failure.outcome
    return Outcome.OK


HOST = Route(alias="web", hostname="Web.Example", port=22)
PORT = Route(alias="web", hostname="web.example", port=2222)


@pytest.mark.parametrize(
    ("text", "route", "wanted"),
    [
        (line("web.example"), HOST, Outcome.OK),
        (line("a,web.example,b"), HOST, Outcome.OK),
        (line("*.example"), HOST, Outcome.OK),
        (line("w?b.example"), HOST, Outcome.OK),
        (line("*.example,!web.example"), HOST, Outcome.HOSTKEY),
        (line("other.example"), HOST, Outcome.HOSTKEY),
        ("", HOST, Outcome.HOSTKEY),
        ("# " + line("web.example"), HOST, Outcome.HOSTKEY),
        ("\n\nrubbish\nweb.example ssh-ed25519 !!!\n" + line("web.example"), HOST, Outcome.OK),
        (line("web.example", OTHER), HOST, Outcome.HOSTKEY_CHANGED),
        (line("web.example", OTHER) + line("web.example"), HOST, Outcome.OK),
        (line("web.example", b"rsa", "ssh-rsa"), HOST, Outcome.HOSTKEY_CHANGED),
        (line("[web.example]:2222"), PORT, Outcome.OK),
        (line("[web.example]:2222"), HOST, Outcome.HOSTKEY),
        (line("web.example"), PORT, Outcome.OK),
        (line("[web.example]:2222", OTHER) + line("web.example"), PORT, Outcome.HOSTKEY_CHANGED),
        (line("[*.example]:2222"), PORT, Outcome.OK),
        ("@revoked " + line("*"), HOST, Outcome.HOSTKEY),
        ("@revoked " + line("*") + line("web.example"), HOST, Outcome.HOSTKEY),
        ("@revoked " + line("*", OTHER) + line("web.example"), HOST, Outcome.OK),
        ("@cert-authority " + line("*.example"), HOST, Outcome.HOSTKEY),
        ("@cert-authority " + line("*.example") + line("web.example"), HOST, Outcome.OK),
    ],
)
def test_lines_mean_what_they_mean_to_ssh(text: str, route: Route, wanted: Outcome, tmp_path: Path) -> None:
    """Names, lists, globs, ports, markers, comments and broken lines."""
    (tmp_path / "known").write_text(text, encoding="utf-8")
    assert outcome(tmp_path / "known", route) is wanted


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize("route", [HOST, PORT])
def test_hashed_names_are_found(route: Route, tmp_path: Path) -> None:
    """ssh-keygen -H hides the names; we still know the hosts."""
    file = tmp_path / "known"
    file.write_text(line("web.example") + line("[web.example]:2222"), encoding="utf-8")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert "web" not in file.read_text(encoding="utf-8")
    assert outcome(file, route) is Outcome.OK


def test_an_alias_goes_before_the_address(tmp_path: Path) -> None:
    """HostKeyAlias is looked up alone, without a port."""
    (tmp_path / "known").write_text(line("the-webs") + line("[web.example]:2222", OTHER), encoding="utf-8")
    route = Route(alias="web", hostname="web.example", port=2222, host_key_alias="the-webs")
    assert outcome(tmp_path / "known", route) is Outcome.OK


def test_known_types_are_asked_for_first(tmp_path: Path) -> None:
    """A host known by its RSA key is asked for that one, so that it does not look changed."""
    (tmp_path / "known").write_text(line("web.example", b"r", "ssh-rsa"), encoding="utf-8")
    check = HostKeyCheck("strict", tmp_path / "known")
    assert check.algorithms(check.known(HOST))[:3] == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519")
    assert check.algorithms([])[0] == "ssh-ed25519"


@pytest.mark.parametrize("mode", ["strict", "pinned"])
def test_unknown_hosts_are_refused_with_advice(mode: str, tmp_path: Path) -> None:
    """The fingerprint and what to do about it; nothing is written."""
    check = HostKeyCheck(mode, tmp_path / "known")  # type: ignore[arg-type]
    with pytest.raises(WireError) as caught:
        check.check(PORT, KIND, KEY, check.known(PORT))
    assert fingerprint(KEY) in caught.value.detail
    assert ("--host-keys accept-new" in caught.value.detail) == (mode == "strict")
    assert not (tmp_path / "known").exists()


def test_accepting_makes_the_file_and_keeps_what_is_there(tmp_path: Path) -> None:
    """A missing folder is made; a last line without an end is not spoilt; the second time it is known."""
    file = tmp_path / "new" / "known"
    assert outcome(file, HOST, "accept-new") is Outcome.OK
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text(line("other").rstrip("\n"), encoding="utf-8")
    assert outcome(file, HOST, "accept-new") is Outcome.OK
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2
    assert outcome(file, HOST, "accept-new") is Outcome.OK
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2
    assert outcome(file, HOST, "accept-new", key=OTHER) is Outcome.HOSTKEY_CHANGED


def test_a_key_that_cannot_be_written_down_is_not_accepted(tmp_path: Path) -> None:
    """Where the file cannot be written the host is refused, and the reason is said."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    check = HostKeyCheck("accept-new", tmp_path / "file" / "known")
    with pytest.raises(WireError, match="could not be written"):
        check.check(HOST, KIND, KEY, check.known(HOST))
