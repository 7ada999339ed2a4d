"""Fan-out, measured: N hosts behind real sshd on loopback, the same questions asked by us and by the peers, in turns.

    python -m tests.bench.fanout [--hosts 250] [--rounds 2] [--jobs 32] [--no-peers]

Only ratios and counts are worth quoting: client and servers share this machine's processors. Controller CPU is the
kernel's own account of each client process and its descendants; sshd's share is not in it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.measure import FIGURES, ROOT, Cost, cost, median, publish
from tests.bench.proxy import delaying
from tests.bench.sshd import Farm, farm, free_port

OURS = ROOT / ".venv" / "bin" / "fleet-audit"
PEERS = FIGURES / "peers"
PEER_VERSIONS = ("ansible-core==2.19.14", "pyinfra==3.10.0", "ClusterShell==1.10.1")
QUESTIONS = (
    "uname -a; cat /etc/os-release /proc/uptime /etc/machine-id; id; date +%s; timedatectl show -p NTPSynchronized",
    "docker version --format '{{json .}}'; docker info --format '{{json .}}'; docker buildx ls",
    "ls -l /usr/local/lib/docker/cli-plugins /usr/libexec/docker/cli-plugins ~/.docker/cli-plugins /run/docker.sock",
    "cat /etc/docker/daemon.json ~/.docker/config.json /etc/containerd/config.toml /etc/environment /etc/fstab",
    "ls /var/lib/docker/overlay2 /var/lib/docker/btrfs /var/lib/docker/zfs; df -Pk /var/lib; df -Pi /var/lib",
    "systemctl show docker containerd -p Environment -p ExecStart; bash -lc env; dpkg-query -W docker.io docker-cli",
)
"""What our probes ask, as a person would put it to a tool that runs commands."""
PYINFRA = f"""
from pyinfra import host
from pyinfra.facts import docker, files, server

for fact in (server.Arch, server.Kernel, server.KernelVersion, server.Hostname, server.LinuxDistribution, server.Date):
    host.get_fact(fact)
for fact in (server.User, server.Mounts, server.Path, docker.DockerSystemInfo):
    host.get_fact(fact)
for command in {QUESTIONS!r}:
    host.get_fact(server.Command, command="(" + command + ") 2>&1; true")
"""
"""The same for pyinfra: its facts where it has them, the questions for the rest."""
ROUND_TRIP = 0.3


def peers() -> Path:
    """A virtual environment with the peers in it, made once; its bin folder."""
    ready = PEERS / ".ready"
    wanted = "\n".join(PEER_VERSIONS)
    if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
        subprocess.run([PEERS / "bin" / "pip", "install", "-q", *PEER_VERSIONS], check=True)
        ready.write_text(wanted, encoding="utf-8")
    return PEERS / "bin"


def ours(where: Farm, count: int, jobs: int, port: int | None = None) -> Cost:
    """The whole command: inventory, ssh, facts, rules, a JSON report."""
    out = where.folder / "report.json"
    argv = [
        OURS,
        "check",
        "-i",
        where.inventory(count, port),
        "-j",
        str(jobs),
        "-r",
        f"json:{out}",
        "-r",
        "table",
        "-q",
    ]
    done = cost(argv, accept=(0, 1, 3))
    if f"reached of {count} ·" not in done.stdout or f"\n{count} host" not in done.stdout:
        raise RuntimeError(f"not all {count} hosts were reached: {done.stdout[-600:]}{done.stderr}")
    return done


def bare_ssh(where: Farm, count: int, jobs: int) -> Cost:
    """`ssh host true`, so many at once: the floor."""
    hosts = "\n".join(where.addresses[:count]).encode()
    return cost(["xargs", "-P", str(jobs), "-I{}", "ssh", "-F", where.ssh_config, "{}", "true"], stdin=hosts)


def ansible(where: Farm, count: int, jobs: int) -> Cost:
    """Two ad hoc runs: the machine's facts by `setup`, then Docker's by `raw`."""
    env = {
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_HOME": str(where.folder / "ansible"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(where.folder / "cp"),
    }
    base = [peers() / "ansible", "all", "-i", where.inventory(count), "-f", str(jobs)]
    setup = cost([*base, "-m", "setup", "-a", "gather_subset=!all,min"], env=env)
    asked = "; ".join(QUESTIONS).replace("{{", "{{ '{{' }}")
    raw = cost([*base, "-m", "raw", "-a", f"({asked}); true"], env=env)
    return Cost(setup.wall + raw.wall, setup.cpu + raw.cpu, max(setup.rss_mb, raw.rss_mb), 0, raw.stdout, "")


def pyinfra(where: Farm, count: int, jobs: int) -> Cost:
    """Its own facts of the machine and of Docker where it has them, and commands for the rest; one run."""
    file = where.folder / f"pyinfra_{count}.py"
    data = {"ssh_port": where.port, "ssh_user": "root", "ssh_key": str(where.folder / "key")}
    data |= {"ssh_known_hosts_file": str(where.folder / "known_hosts")}
    file.write_text(f"builders = {[(address, data) for address in where.addresses[:count]]!r}\n", encoding="utf-8")
    script = where.folder / "pyinfra_facts.py"
    script.write_text(PYINFRA, encoding="utf-8")
    argv = [peers() / "pyinfra", "--parallel", str(jobs), "-y", file, script]
    return cost(argv, env={"HOME": str(where.folder)})


def clush(where: Farm, count: int, jobs: int) -> Cost:
    """The same questions as text, unparsed and unjudged."""
    options = f"-F {where.ssh_config}"
    hosts = ",".join(where.addresses[:count])
    asked = "; ".join(QUESTIONS)
    return cost([peers() / "clush", "-f", str(jobs), "-o", options, "-w", hosts, f"({asked}); true"])


def round_trips(where: Farm, port: int) -> float:
    """Round trips of one host: how much longer a delayed connection takes, in round trips, and TCP's own one."""
    ours(where, 1, 1)
    near = min(ours(where, 1, 1).wall for _ in range(3))
    with delaying(ROUND_TRIP, where.addresses[0], where.port, port):
        far = min(ours(where, 1, 1, port).wall for _ in range(3))
    return (far - near) / ROUND_TRIP + 1


def slowest_probe(where: Farm) -> float:
    """Seconds that the script takes on an idle host, its probes side by side."""
    script = cost([OURS, "check", "--show-script", "-i", where.inventory(1)]).stdout.encode()
    env = {"PATH": f"{where.folder / 'bin'}:{os.environ['PATH']}"}
    return min(cost(["/bin/sh", "-s"], stdin=script, env=env, accept=range(256)).wall for _ in range(3))


def main() -> int:
    """Measure, print, write `.bench/fanout.json`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--hosts", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=32)
    parser.add_argument("--many", type=int, default=1000, help="hosts of the memory run")
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="fa-", dir="/tmp") as folder,
        farm(Path(folder), max(options.many, options.hosts), (port,)) as where,
    ):
        return measure(where, options, port)


def measure(where: Farm, options: argparse.Namespace, port: int) -> int:
    """All figures, in one run; the contenders take turns, round by round."""
    count, jobs = options.hosts, options.jobs
    contenders: dict[str, Callable[[Farm, int, int], Cost]] = {"fleet-audit": ours, "ssh HOST true": bare_ssh}
    if not options.no_peers:
        contenders |= {"ansible": ansible, "pyinfra": pyinfra, "clush": clush}
        peers()
    seen: dict[str, list[Cost]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        for name, run in contenders.items():
            seen[name].append(run(where, count, jobs))
            print(f"round {number + 1}: {name} {seen[name][-1].wall:.1f} s", file=sys.stderr)
    wall = {name: median(costs, "wall") for name, costs in seen.items()}
    cpu = {name: median(costs, "cpu") for name, costs in seen.items()}
    help_seconds = median([cost([OURS, "--help"]) for _ in range(9)], "wall")
    trips = round_trips(where, port)
    probe = slowest_probe(where)
    some, many = ours(where, options.many // 4, jobs), ours(where, options.many, jobs)
    figures: dict[str, float | None] = {
        "hosts": count,
        "cpu_ms_per_host": round(1000 * cpu["fleet-audit"] / count, 2),
        "cpu_ms_per_host_1000": round(1000 * many.cpu / options.many, 2),
        "round_trips": round(trips, 2),
        "wall_over_bare_ssh": round(wall["fleet-audit"] / (wall["ssh HOST true"] + probe), 2),
        "help_seconds": round(help_seconds, 3),
        "rss_mb_250_hosts": round(some.rss_mb, 1),
        "rss_mb_1000_hosts": round(many.rss_mb, 1),
    }
    for name in ("ansible", "pyinfra", "clush"):
        figures[f"speed_over_{name}"] = round(wall[name] / wall["fleet-audit"], 2) if name in wall else None
    rows = [
        [name, 1000 * cpu[name] / count, wall[name], wall[name] / wall["fleet-audit"], median(costs, "rss_mb")]
        for name, costs in seen.items()
    ]
    publish(
        "fanout",
        f"{count} hosts, {jobs} at once, {options.rounds} rounds (medians)",
        rows,
        ["client", "cpu ms/host", "wall s", "wall / ours", "rss MB"],
        figures,
    )
    for name, value in figures.items():
        print(f"  {name:22} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
