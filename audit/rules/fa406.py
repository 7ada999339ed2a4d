"""The build unit runs with the environment that its files say."""

from __future__ import annotations

from audit.facts.build_unit import BuildUnit
from audit.model import Host, Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA406",
    title="The build unit runs with the environment that its files say",
    severity=Severity.WARNING,
    why="A process keeps the environment that it was started with: an edited unit changes nothing before a restart, "
    "and then changes what the builds push without anybody near.",
    symptom="The variable is in the unit, and the pushes are as before; after the next reboot they are not.",
    remedy="`systemctl daemon-reload`, drain the worker, and restart the build unit.",
    refs=("systemd.exec(5), Environment=",),
)


def check(host: Host, unit: BuildUnit | Unknown) -> Result:
    """Only a running unit can lag behind its files."""
    if host.build_unit is None:
        return not_applicable("no build unit is declared")
    if isinstance(unit, Unknown):
        return cannot_tell(f"the build unit is not known: {unit.detail or unit.reason}", f"declared {host.build_unit}")
    if unit.load_state != "loaded":
        return not_applicable("the build unit is not loaded, see FA405")
    if unit.main_pid is None:
        return not_applicable("the build unit has no running process")
    files = (unit.fragment, *unit.drop_ins, *unit.environment_files)
    evidence = (f"process {unit.main_pid}", *(path for path in files if path))
    if unit.stale_environment is None:
        return cannot_tell("whether the running process has the environment of its files is not known", *evidence)
    if unit.stale_environment:
        remedy = f"Drain the worker, then `systemctl daemon-reload && systemctl restart {unit.name}`."
        return fail("the build unit runs with an older environment: a restart is pending", *evidence, remedy=remedy)
    return ok("the build unit runs with the environment of its files", *evidence)
