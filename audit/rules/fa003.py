"""The login is accepted."""

from __future__ import annotations

from audit.facts.reach import Reach
from audit.model import Host, Outcome, Severity
from audit.rule import Result, Rule, cannot_tell, not_applicable, ok

rule = Rule(
    id="FA003",
    title="The login is accepted",
    severity=Severity.ERROR,
    why="Without a login nothing on the worker can be looked at, and it is never asked twice: sshd punishes retries.",
    symptom="Permission denied (publickey).",
    remedy="Try `ssh -v USER@HOST true` with the same key; check user, key file, agent and authorized_keys.",
    cause=True,
    refs=("sshd_config(5) PerSourcePenalties",),
)


def check(reach: Reach, host: Host) -> Result:
    """A refused login says nothing about the worker's state: unknown, not a failure."""
    if host.connection == "local":
        return not_applicable("this very machine: nobody logs in")
    if reach.outcome is Outcome.AUTH:
        who = f"login {host.user} refused" if host.user else "login refused"
        return cannot_tell(who, *((reach.detail,) if reach.detail else ()))
    if reach.outcome is Outcome.DENIED:
        return cannot_tell(
            "the login may run nothing",
            *((reach.detail,) if reach.detail else ()),
            remedy="Give the login a real shell: no nologin, no forced command, no Match block that denies exec.",
        )
    if reach.outcome in (Outcome.OK, Outcome.PARTIAL) or reach.phase == "probe":
        return ok("login accepted", f"the connection got to phase {reach.phase}")
    return cannot_tell("no login was tried", f"ended in phase {reach.phase}")
