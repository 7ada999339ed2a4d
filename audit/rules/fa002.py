"""The host shows the host key that is known for it."""

from __future__ import annotations

import shlex

from audit.facts.reach import Reach
from audit.model import Host, Outcome, Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA002",
    title="The host shows the host key that is known for it",
    severity=Severity.ERROR,
    why="A changed key means a reinstalled machine or somebody in between; a reinstalled one may push another format.",
    symptom="WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! and every job that goes through SSH stops.",
    remedy="Compare the fingerprint on the machine's console: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`.",
    cause=True,
    refs=("ssh(1) VERIFYING HOST KEYS",),
)


def check(reach: Reach, host: Host) -> Result:
    """A changed key is a finding, a key that nobody has seen before is only unknown."""
    if host.connection == "local":
        return not_applicable("this very machine: no host key is asked for")
    shown = (f"the host shows {reach.host_key}",) if reach.host_key else ()
    name = known_as(host)
    if reach.outcome is Outcome.HOSTKEY_CHANGED:
        return fail(
            "host key changed: reinstalled?",
            *shown,
            *((reach.detail,) if reach.detail else ()),
            remedy="Compare the fingerprint on the machine's console (`ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub`). "
            f"If it was reinstalled: `ssh-keygen -R {name}`, connect once by hand, then check what it pushes now.",
        )
    if reach.outcome is Outcome.HOSTKEY:
        return cannot_tell(
            "host key is not known here",
            *shown,
            *((reach.detail,) if reach.detail else ()),
            remedy="Compare the fingerprint on the machine's console, then connect once by hand to record it, "
            "or run with `--host-keys accept-new`.",
        )
    if reach.outcome in (Outcome.OK, Outcome.PARTIAL) or reach.phase in ("auth", "probe"):
        return ok("host key accepted", *(shown or (f"the connection got past it, to phase {reach.phase}",)))
    return cannot_tell("no host key was seen", f"ended in phase {reach.phase}")


def known_as(host: Host) -> str:
    """The host as known_hosts writes it, quoted for a shell."""
    plain = host.port in (None, 22)
    return shlex.quote(host.address if plain else f"[{host.address}]:{host.port}")
