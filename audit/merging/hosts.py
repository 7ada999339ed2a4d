"""Where Docker's own clients run: this machine, or a merge host of the fleet over SSH; and what they are there."""

from __future__ import annotations

import re
import secrets
import shlex
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.engines.merge import SCRATCH, MergeHost, Run
from audit.errors import StepError

if TYPE_CHECKING:
    from audit.model import Fleet, Host
    from audit.wire import WireOptions
    from audit.wire.session import Ended, Script, Stream

MOST_LINES = 5000
"""Lines of output that are kept of one program."""
LIMIT = 600.0
"""Seconds for one program: a merge by imagetools may move every layer."""
_ASK = """docker --version 2>&1 | head -n 1 | cut -c 1-200
docker buildx version 2>&1 | head -n 1 | cut -c 1-200
"""
_DOCKER = re.compile(r"Docker version (\d[\w.+~-]{0,60}?),")
_BUILDX = re.compile(r"github\.com/docker/buildx v?(\d[\w.+~-]{0,60})")


@dataclass(frozen=True)
class Place:
    """A machine on which a merge may run programs.

    Attributes:
        host: of the fleet; None for this very machine.
        fleet: declares the jump hosts.
        options: of the wire; None: its own.
        stop: once set, what runs is ended.
    """

    host: Host | None = None
    fleet: Fleet | None = None
    options: WireOptions | None = None
    stop: threading.Event | None = None

    def __str__(self) -> str:
        """As messages speak of it."""
        return self.host.name if self.host else "this machine"

    def run(self, action: Run, limit: float = LIMIT) -> str:
        """Run a program to its end; what it printed on stdout. Its private folder, if it has one, is gone then.

        Raises:
            StepError: it failed, or could not be run; the sentence has its last words.
        """
        from audit.model import Outcome

        folder = f"/tmp/fleet-audit-{secrets.token_hex(8)}"  # noqa: S108 - made there, unguessable, and ours alone
        ended, said, wrong = self._script(script_of(action, folder), action.stdin, limit)
        if ended.undone is False:
            raise StepError(f"{self}: {folder} could not be removed again; remove it there")
        if ended.outcome is Outcome.OK and ended.exit == 0:
            return "\n".join(said)
        last = next((line for line in reversed(wrong or said) if line.strip()), "") or ended.detail
        how = f"exit status {ended.exit}" if ended.exit is not None else str(ended.outcome)
        raise StepError(f"{self}: {action.about or action.argv[0]} failed ({how}): {last[:500] or 'it said nothing'}")

    def ask(self) -> MergeHost:
        """Which clients of Docker's are there; why not, where that cannot be told."""
        from audit.model import Outcome
        from audit.wire.session import Script

        ended, said, _ = self._script(Script(_ASK), "", 60.0)
        name = self.host.name if self.host else None
        if ended.outcome is not Outcome.OK:
            return MergeHost(name=name, why=f"{self} could not be asked: {ended.detail or ended.outcome}")
        text = "\n".join(said[:10])
        client, buildx = _DOCKER.search(text), _BUILDX.search(text)
        why = "" if client else f"{self} has no docker command"
        if not client and "podman" in text.lower():
            why = f"what is called docker on {self} is podman"
        return MergeHost(
            name=name, client=client[1] if client else None, buildx=buildx[1] if buildx and client else None, why=why
        )

    def _script(self, script: Script, stdin: str, limit: float) -> tuple[Ended, list[str], list[str]]:
        # Here, since our own engine merges without SSH, and its library takes longer to load than a merge.
        from audit.model import Host
        from audit.wire import WireOptions
        from audit.wire.sessions import run_script

        lines: dict[str, list[str]] = {"stdout": [], "stderr": []}

        def heard(stream: Stream, line: str) -> None:
            kept = lines[stream]
            kept.append(line)
            del kept[:-MOST_LINES]

        ended = run_script(
            self.host or Host(name="this machine", address="localhost", connection="local"), script,
            [stdin.encode()] if stdin else [], options=self.options or WireOptions(), on_line=heard, stop=self.stop,
            limit=limit, fleet=self.fleet,
        )  # fmt: skip
        return ended, lines["stdout"], lines["stderr"]


def script_of(action: Run, folder: str) -> Script:
    """What is run for it; its private folder stands where `SCRATCH` does."""
    from audit.wire.session import Script

    words = [folder if word == SCRATCH else word for word in action.argv]
    variables = [f"{key}={value}" for key, value in action.environment.items()]
    # Every word is quoted: nothing that a registry or an inventory said is the shell's.
    command = shlex.join([*(["env", *variables] if variables else []), *words]) + "\n"
    if SCRATCH not in action.argv:
        return Script(command)
    return Script(f"mkdir -m 700 {folder} || exit\n{command}", undo=f"rm -rf {folder}")
