"""A host's new key in known_hosts: its old lines go, all others stay byte for byte."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from audit.model import Outcome
from audit.wire.failures import WireError
from audit.wire.hostkeys import HostKeyCheck, fingerprint
from audit.wire.knownhosts import append, replace_key
from audit.wire.options import Trusted
from audit.wire.sshconfig import Route
from tests.wire.test_hostkeys import KEY, KIND, OTHER, line

HOST = Route(alias="web", hostname="web.example", port=2222)
NAME = "[web.example]:2222"
REST = "# mine\n\n@cert-authority *.example ssh-ed25519 AAAA\n@revoked * ssh-ed25519 AAAA\n*.example ssh-rsa AAAA x\n"


def test_the_old_key_goes_and_the_rest_stays(tmp_path: Path) -> None:
    """Its own lines of any type go, a shared line keeps the other names, everything else is as it was."""
    file = tmp_path / "known_hosts"
    file.write_text(REST + line(NAME, OTHER) + line(f"other,{NAME}", OTHER) + line(NAME, OTHER, "ssh-rsa") + "last")
    file.chmod(0o640)
    replace_key(file, NAME, KIND, KEY)
    key = base64.b64encode(KEY).decode()
    assert file.read_text() == REST + line("other", OTHER) + f"last\n{NAME} {KIND} {key}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    before = file.stat().st_ino
    replace_key(file, NAME, KIND, KEY)
    assert file.stat().st_ino == before, "twice changes nothing"


def test_hashed_names_are_found(tmp_path: Path) -> None:
    """As ssh-keygen -H writes them; and ssh-keygen -F finds the new key."""
    file = tmp_path / "known_hosts"
    file.write_text(line(NAME, OTHER) + line("other.example", OTHER))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    replace_key(file, NAME, KIND, KEY)
    found = subprocess.run(["ssh-keygen", "-F", NAME, "-f", file], check=True, capture_output=True, text=True).stdout
    assert base64.b64encode(KEY).decode() in found
    assert base64.b64encode(OTHER).decode() not in found
    subprocess.run(["ssh-keygen", "-F", "other.example", "-f", file], check=True, capture_output=True)


def test_a_link_stays_one_and_a_folder_is_made_private(tmp_path: Path) -> None:
    """The file behind a symbolic link is written; a missing ~/.ssh is its owner's alone."""
    real = tmp_path / "real"
    real.write_text("")
    link = tmp_path / "link"
    link.symlink_to(real)
    replace_key(link, NAME, KIND, KEY)
    assert link.is_symlink()
    assert NAME in real.read_text()
    replace_key(tmp_path / ".ssh" / "known_hosts", NAME, KIND, KEY)
    assert stat.S_IMODE((tmp_path / ".ssh").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".ssh" / "known_hosts").stat().st_mode) == 0o600


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    """Twenty hosts get their keys at once."""
    file = tmp_path / "known_hosts"
    threads = [threading.Thread(target=replace_key, args=(file, f"w{number}", KIND, KEY)) for number in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(text.split()[0] for text in file.read_text().splitlines()) == sorted(f"w{n}" for n in range(20))


@pytest.mark.parametrize("known", ["", line(NAME, OTHER)], ids=["new", "changed"])
def test_a_trusted_fingerprint_makes_the_key_known(tmp_path: Path, known: str) -> None:
    """Only that one: another key of the same moment is refused as before, and says which it was."""
    file = tmp_path / "known_hosts"
    file.write_text(known)
    check = HostKeyCheck("strict", file, Trusted("web", 2222, fingerprint(KEY)))
    check.check(HOST, KIND, KEY, check.known(HOST))
    again = HostKeyCheck("strict", file)
    again.check(HOST, KIND, KEY, again.known(HOST))
    with pytest.raises(WireError) as caught:
        again.check(HOST, KIND, OTHER, again.known(HOST))
    assert caught.value.outcome is Outcome.HOSTKEY_CHANGED
    assert caught.value.key == fingerprint(OTHER)


def test_a_revoked_key_is_never_taken(tmp_path: Path) -> None:
    """Whatever somebody has compared."""
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked * {KIND} {base64.b64encode(KEY).decode()}\n")
    check = HostKeyCheck("strict", file, Trusted("web", 2222, fingerprint(KEY)))
    with pytest.raises(WireError, match="marked as revoked"):
        check.check(HOST, KIND, KEY, check.known(HOST))


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """One sentence; the connection is refused, and nothing has changed."""
    (tmp_path / "known_hosts").mkdir()
    check = HostKeyCheck("strict", tmp_path / "known_hosts", Trusted("web", 2222, fingerprint(KEY)))
    with pytest.raises(WireError, match="its new key could not be written to"):
        check.check(HOST, KIND, KEY, [])


@pytest.mark.parametrize("route", [Route(alias="peer", hostname="peer.example", port=2222),
                                   Route(alias="web", hostname="web.example", port=22)])  # fmt: skip
def test_a_compared_fingerprint_is_one_machines(tmp_path: Path, route: Route) -> None:
    """A peer, or a jump host of the same name on another port, that shows it is believed no more than before."""
    file = tmp_path / "known_hosts"
    text = line("peer.example", OTHER) + line("[peer.example]:2222", OTHER) + line("web.example", OTHER)
    file.write_text(text)
    check = HostKeyCheck("strict", file, Trusted("web", 2222, fingerprint(KEY)))
    with pytest.raises(WireError) as caught:
        check.check(route, KIND, KEY, check.known(route))
    assert caught.value.outcome is Outcome.HOSTKEY_CHANGED
    assert file.read_text() == text


def test_new_keys_and_replaced_ones_side_by_side(tmp_path: Path) -> None:
    """Keys accepted at first use and keys that replace others: none is lost."""
    file = tmp_path / "known_hosts"
    file.write_text("".join(line(f"w{number}", OTHER) for number in range(15)))
    threads = [threading.Thread(target=replace_key, args=(file, f"w{number}", KIND, KEY)) for number in range(15)]
    threads += [
        threading.Thread(target=append, args=(file, line(f"n{number}", KEY).encode())) for number in range(15)
    ]  # fmt: skip
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    names = sorted(text.split()[0] for text in file.read_text().splitlines())
    assert names == sorted([f"w{number}" for number in range(15)] + [f"n{number}" for number in range(15)])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_stays(tmp_path: Path) -> None:
    """Root that mends another one's file leaves it theirs."""
    file = tmp_path / "known_hosts"
    file.write_text(line(NAME, OTHER))
    os.chown(file, 1234, 1234)
    replace_key(file, NAME, KIND, KEY)
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 1234)
