"""A fleet of real workers on one Debian machine.

For people: `python -m tests.lab --help`. For tests:

    reason = Lab.why_not()          # None, or why it cannot run here
    lab = Lab.current()             # None where `python -m tests.lab up` has not been run; `Lab.ensure()` runs it
    lab.inventory                   # what Ansible and fleet-audit read
    lab.hosts["bookworm-sudo"].ssh("sudo -n true")
    lab.workers["amd64"].sh("docker version")
    with states.engine_frozen(lab.workers["amd64"]): ...
    lab.build(lab.workers["riscv64"], "staging/a").ok and lab.served("staging/a:latest").platforms
    assert not leaks(report)

The rooms: `roles` says who is in the lab; `roots` builds the file systems, `net` the network, `seed` what tells workers
apart, `worker` boots and enters one, `registry` and `tokens` are the registry, `inventory` writes what is needed to
reach it all, `life` does everything in order and undoes it; `cgroups` knows which processes are ours.
"""

from tests.lab import states
from tests.lab.lab import Built, Lab, Login, leaks
from tests.lab.roles import BUILD_UNIT, CANARIES
from tests.lab.served import Served
from tests.lab.shell import CommandError, LabError
from tests.lab.worker import Worker

__all__ = [
    "BUILD_UNIT",
    "CANARIES",
    "Built",
    "CommandError",
    "Lab",
    "LabError",
    "Login",
    "Served",
    "Worker",
    "leaks",
    "states",
]
