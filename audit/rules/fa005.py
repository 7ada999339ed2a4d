"""sudo works without a password where the inventory asks for it."""

from __future__ import annotations

from audit.facts.access import Access
from audit.model import Host, Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA005",
    title="sudo works without a password where ansible_become is set",
    severity=Severity.ERROR,
    why="What only root may read (data-root, daemon.json, the unit's environment) stays unknown; no one can type here.",
    symptom="sudo: a password is required",
    remedy="Add `LOGIN ALL=(ALL) NOPASSWD: ALL` with `visudo -f /etc/sudoers.d/fleet-audit`, or log in as root.",
    cause=True,
    refs=("sudo(8) -n",),
)


def check(access: Access, host: Host) -> Result:
    """Only `sudo -n` counts; nothing is ever typed."""
    if not host.become:
        return not_applicable("the inventory does not ask for sudo")
    if access.uid == 0:
        return ok("the login is root already", f"uid 0 ({access.user})")
    evidence = f"login {access.user}, groups {', '.join(access.groups) or '-'}"
    line = f"{access.user} ALL=(ALL) NOPASSWD: ALL"
    sudoers = f"As root: `echo '{line}' > /etc/sudoers.d/fleet-audit`, or log in as root."
    match access.sudo:
        case "ok":
            return ok("`sudo -n` works", evidence)
        case "password":
            return fail("sudo wants a password", evidence, remedy=sudoers)
        case "denied":
            return fail("the login may not use sudo", evidence, remedy=sudoers)
        case "absent":
            return fail(
                "there is no sudo on the host",
                evidence,
                remedy="Install sudo and a NOPASSWD line for the login, or log in as root without ansible_become.",
            )
        case _:
            return cannot_tell("sudo was not tried", evidence)
