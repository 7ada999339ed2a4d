"""Against real OpenSSH: jump hosts, proxy commands, certificates, agents, bursts, noise, round trips, cost."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.model import Answer, Fleet, Host, HostEvidence, Outcome, Probe
from audit.wire import WireOptions, collect
from tests.farm.proxy import delaying_proxy
from tests.farm.sshd import SSHD, Sshd, free_port, keygen, sshd

pytestmark = pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="OpenSSH is not installed")

PROBES = (Probe(name="one", script="echo hi"),)
ALONE = ("-F", "none", "-o", "IdentitiesOnly=yes")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that behaves."""
    with sshd(tmp_path_factory.mktemp("server") / "s", address="0.0.0.0") as running:
        yield running


def host(server: Sshd, name: str = "w", **more: object) -> Host:
    """That server as a host."""
    given: dict[str, object] = {
        "address": server.address,
        "port": server.port,
        "user": server.user,
        "key_file": server.key,
        "ssh_args": ALONE,
    }
    return Host(name=name, **(given | more))  # type: ignore[arg-type]


def ask(*hosts: Host, known: Path, **more: object) -> dict[str, HostEvidence]:
    """Collect from these."""
    options = WireOptions(**({"known_hosts": known, "connect": 8, "auth": 8, "host": 20} | more))  # type: ignore[arg-type]
    return dict(collect(Fleet(hosts=hosts), PROBES, options=options).hosts)


def alone(found: dict[str, HostEvidence]) -> HostEvidence:
    """The only one."""
    (only,) = found.values()
    return only


def merged(*servers: Sshd) -> Path:
    """One known_hosts for several servers."""
    file = servers[0].folder / "merged"
    file.write_text("".join(each.known_hosts.read_text(encoding="utf-8") for each in servers), encoding="utf-8")
    return file


def test_a_plain_host_is_answered(server: Sshd) -> None:
    """Key, host key, one exec, no noise."""
    found = alone(ask(host(server), known=server.known_hosts))
    assert found.outcome is Outcome.OK, found.detail
    answer = found.answers["one"]
    assert isinstance(answer, Answer)
    assert answer.stdout == "hi\n"
    assert found.noise == 0
    assert found.host_key is not None
    assert found.host_key.startswith("SHA256:")
    assert 0 < found.clock_round_trip < found.seconds
    assert abs(found.started - time.time()) < 60


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_every_kind_of_key_logs_in(server: Sshd, kind: str, tmp_path: Path) -> None:
    """RSA has to wait for the server's extensions, the others do not; all get in."""
    key = keygen(tmp_path / kind, "-t", kind)
    with (server.folder / "authorized_keys").open("a", encoding="utf-8") as file:
        file.write((tmp_path / f"{kind}.pub").read_text(encoding="utf-8"))
    found = alone(ask(host(server, key_file=str(key)), known=server.known_hosts))
    assert found.outcome is Outcome.OK, found.detail


def test_one_bastion_connection_serves_all_behind_it(server: Sshd, tmp_path: Path) -> None:
    """ProxyJump: one login at the bastion, each host behind it checked against its own key."""
    with sshd(tmp_path / "bastion") as bastion:
        args = (*ALONE, "-o", f"ProxyJump={bastion.user}@{bastion.address}:{bastion.port}")
        (bastion.folder / "authorized_keys").write_text(
            (server.folder / "client_key.pub").read_text(encoding="utf-8"), encoding="utf-8"
        )
        hosts = [host(server, f"w{number}", address=f"127.0.0.{number + 2}", ssh_args=args) for number in range(12)]
        found = ask(*hosts, known=merged(server, bastion))
        assert {each.outcome for each in found.values()} == {Outcome.OK}, [each.detail for each in found.values()]
        assert bastion.log.count("Accepted publickey") == 1


def test_a_chain_of_bastions_is_followed_in_order(server: Sshd, tmp_path: Path) -> None:
    """ProxyJump a,b: to a, through it to b, through that to the host."""
    public = (server.folder / "client_key.pub").read_text(encoding="utf-8")
    with sshd(tmp_path / "a") as first, sshd(tmp_path / "b") as second:
        for each in (first, second):
            (each.folder / "authorized_keys").write_text(public, encoding="utf-8")
        jump = ",".join(f"{each.user}@{each.address}:{each.port}" for each in (first, second))
        found = alone(ask(host(server, ssh_args=(*ALONE, "-J", jump)), known=merged(server, first, second)))
        assert found.outcome is Outcome.OK, found.detail
        assert first.log.count("Accepted publickey") == second.log.count("Accepted publickey") == 1


def test_a_bastion_of_the_inventory_is_used_as_declared(server: Sshd, tmp_path: Path) -> None:
    """ProxyJump by the inventory's name takes address, port, user and key from there."""
    with sshd(tmp_path / "bastion") as bastion:
        jump = host(bastion, "gateway")
        behind = host(server, "behind", ssh_args=(*ALONE, "-o", "ProxyJump=gateway"))
        found = ask(behind, jump, known=merged(server, bastion))
        assert {each.outcome for each in found.values()} == {Outcome.OK}, [each.detail for each in found.values()]


def test_a_bastion_that_fails_is_named_and_asked_once(server: Sshd) -> None:
    """All hosts behind a dead bastion end at once with its name in the sentence."""
    port = free_port()
    args = (*ALONE, "-o", f"ProxyJump=nobody@127.0.0.1:{port}")
    hosts = [host(server, f"w{number}", ssh_args=args) for number in range(20)]
    begun = time.monotonic()
    found = ask(*hosts, known=server.known_hosts)
    assert time.monotonic() - begun < 3
    assert {each.outcome for each in found.values()} == {Outcome.UNREACHABLE}
    assert all(f"jump host nobody@127.0.0.1:{port}: connection refused" in each.detail for each in found.values())


def test_a_bastion_that_cannot_reach_the_host_says_so(server: Sshd) -> None:
    """The bastion is fine, the host behind it is not there."""
    args = (*ALONE, "-o", f"ProxyJump={server.user}@{server.address}:{server.port}")
    found = alone(ask(host(server, port=free_port(), ssh_args=args), known=server.known_hosts))
    assert found.outcome is Outcome.UNREACHABLE
    assert f"jump host {server.user}@{server.address}:{server.port} cannot connect to 127.0.0.1" in found.detail


def test_an_unknown_bastion_is_not_believed(server: Sshd, tmp_path: Path) -> None:
    """Strict host keys hold for jump hosts too."""
    with sshd(tmp_path / "bastion") as bastion:
        args = (*ALONE, "-o", f"ProxyJump={bastion.address}:{bastion.port}")
        found = alone(ask(host(server, ssh_args=args), known=server.known_hosts))
        assert found.outcome in (Outcome.HOSTKEY, Outcome.HOSTKEY_CHANGED)
        assert f"jump host {bastion.address}:{bastion.port}: " in found.detail


def test_a_ring_of_bastions_ends(server: Sshd, tmp_path: Path) -> None:
    """A configuration in which two hosts jump through each other is refused, not followed for ever."""
    config = tmp_path / "config"
    config.write_text("Host one\n  ProxyJump two\nHost two\n  ProxyJump one\n", encoding="utf-8")
    found = alone(ask(host(server, address="one", ssh_args=("-F", str(config))), known=server.known_hosts))
    assert found.outcome is Outcome.NOT_ASKED
    assert "ring" in found.detail


@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox (for nc) is not installed")
def test_a_proxy_command_is_run_and_ended(server: Sshd) -> None:
    """Its tokens are expanded, the host key is the host's, and no process is left."""
    args = (*ALONE, "-o", "ProxyCommand=busybox nc %h %p")
    found = alone(ask(host(server, address="127.0.0.77", ssh_args=args), known=server.known_hosts))
    assert found.outcome is Outcome.OK, found.detail
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"nc 127.0.0.77 {server.port}" not in running


def test_a_proxy_command_that_hangs_is_ended_by_the_clock(server: Sshd) -> None:
    """A command that says nothing is like a server that says nothing."""
    args = (*ALONE, "-o", "ProxyCommand=sleep 77.7")
    found = alone(ask(host(server, ssh_args=args), known=server.known_hosts, connect=0.7))
    assert found.outcome is Outcome.TIMEOUT
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 77.7" not in running


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate authority for users."""
    return keygen(tmp_path / "ca")


@pytest.mark.parametrize("by_config", [False, True])
def test_a_users_certificate_logs_in(tmp_path: Path, authority: Path, by_config: bool) -> None:
    """KEY-cert.pub beside the key, or a CertificateFile: the server knows only the authority."""
    config = f"TrustedUserCAKeys {authority}.pub\n"
    with sshd(tmp_path / "s", config) as server:
        (server.folder / "authorized_keys").write_text("", encoding="utf-8")
        key = keygen(tmp_path / "user")
        sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-n", server.user, f"{key}.pub"]
        subprocess.run(sign, check=True)
        args: tuple[str, ...] = ALONE
        if by_config:
            (tmp_path / "user-cert.pub").rename(tmp_path / "elsewhere.pub")
            args = (*ALONE, "-o", f"CertificateFile={tmp_path}/elsewhere.pub")
        found = alone(ask(host(server, key_file=str(key), ssh_args=args), known=server.known_hosts))
        assert found.outcome is Outcome.OK, found.detail
        assert "ED25519-CERT" in server.log


@contextlib.contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    """An ssh-agent that holds these keys; its socket."""
    path = f"{folder}/agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 10
        while not Path(path).exists() and time.monotonic() < ends:
            time.sleep(0.01)
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, "SSH_AUTH_SOCK": path})
        yield path
    finally:
        process.terminate()
        process.wait(10)


def test_an_encrypted_key_needs_the_agent(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an agent the sentence says what to do; with one that holds it, it logs in; nobody is asked."""
    key = tmp_path / "locked"
    shutil.copy(server.key, key)
    shutil.copy(f"{server.key}.pub", f"{key}.pub")
    with agent(tmp_path, key) as path:
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", key], check=True)
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        without = alone(ask(host(server, key_file=str(key)), known=server.known_hosts))
        assert without.outcome is Outcome.AUTH
        assert f"{key} is encrypted and no agent holds it (ssh-add {key})" in without.detail
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        having = alone(ask(host(server, key_file=str(key)), known=server.known_hosts))
        assert having.outcome is Outcome.OK, having.detail


def test_identities_only_keeps_the_agents_other_keys_out(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven strange keys in the agent do not use up the attempts: named keys go first, and alone where asked."""
    others = [keygen(tmp_path / f"other{number}") for number in range(7)]
    with agent(tmp_path, *others) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        for args in (ALONE, ("-F", "none")):
            found = alone(ask(host(server, ssh_args=args), known=server.known_hosts))
            assert found.outcome is Outcome.OK, found.detail
        refused = alone(ask(host(server, key_file=None, ssh_args=("-F", "none")), known=server.known_hosts))
        assert refused.outcome is Outcome.AUTH
        assert "stopped at 5 of" in refused.detail
        assert "name the right one" in refused.detail


def test_the_second_key_of_several_is_taken(server: Sshd, tmp_path: Path) -> None:
    """A refused key is followed by the next one in the same connection."""
    wrong = keygen(tmp_path / "wrong")
    args = (*ALONE, "-o", f"IdentityFile={server.key}")
    found = alone(ask(host(server, key_file=str(wrong), ssh_args=args), known=server.known_hosts))
    assert found.outcome is Outcome.OK, found.detail


def test_a_burst_at_one_address_stays_below_max_startups(tmp_path: Path) -> None:
    """Forty hosts on one address, a server that drops the eleventh unauthenticated connection: all get in."""
    with sshd(tmp_path / "s", "MaxStartups 10:100:10\n") as server:
        hosts = [host(server, f"w{number}") for number in range(40)]
        found = ask(*hosts, known=server.known_hosts, jobs=40, host=60)
        assert {each.outcome for each in found.values()} == {Outcome.OK}, {each.detail for each in found.values()}
        assert "drop connection" not in server.log


def test_noise_of_the_login_harms_nothing(tmp_path: Path) -> None:
    """What a command forced by the server prints before and after is noise."""
    forced = "ForceCommand echo 'Welcome, dear user'; /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"; echo bye\n"
    with sshd(tmp_path / "s", forced) as server:
        found = alone(ask(host(server), known=server.known_hosts))
        assert found.outcome is Outcome.OK, found.detail
        assert found.noise >= len("Welcome, dear user\n")


def test_a_server_that_runs_no_commands_is_told_so(tmp_path: Path) -> None:
    """A login that may do nothing is garbled with what it said, not a time-out."""
    with sshd(tmp_path / "s", "ForceCommand echo 'only for git'; exit 1\n") as server:
        found = alone(ask(host(server), known=server.known_hosts))
        assert found.outcome is Outcome.GARBLED
        assert found.detail == "the script did not run, exit 1: 'only for git'"


def test_at_most_seven_round_trips(server: Sshd) -> None:
    """Counted through a proxy that holds everything back; TCP's handshake, which it does not see, is the seventh."""
    delay = 0.1

    def took(port: int) -> float:
        return min(
            alone(
                ask(host(server, port=port), known=server.known_hosts.with_name("any")),
            ).seconds
            for _ in range(3)
        )

    line = server.known_hosts.read_text(encoding="utf-8").split(" ", 1)[1]
    server.known_hosts.with_name("any").write_text(f"[127.*]:* {line}", encoding="utf-8")
    with (
        delaying_proxy(server.address, server.port, 0.0) as quick,
        delaying_proxy(server.address, server.port, delay) as slow,
    ):
        trips = (took(slow) - took(quick)) / (2 * delay) + 1
    assert trips < 7.5
    print(f"round trips: {trips:.2f}")


@pytest.mark.slow
def test_a_host_costs_little_cpu_and_memory(server: Sshd) -> None:
    """Forty hosts: some milliseconds of our own CPU each, and no process of ours."""
    hosts = [host(server, f"w{number}", address=f"127.0.1.{number + 1}") for number in range(40)]
    ask(hosts[0], known=server.known_hosts)
    before = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = ask(*hosts, known=server.known_hosts, jobs=16, host=60)
    after = resource.getrusage(resource.RUSAGE_SELF)
    asked = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert {each.outcome for each in found.values()} == {Outcome.OK}
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(hosts)
    assert cpu < 0.025, f"{cpu * 1000:.1f} ms a host"
    assert asked.ru_utime + asked.ru_stime - children.ru_utime - children.ru_stime < 1.0
    print(f"CPU: {cpu * 1000:.1f} ms a host")
