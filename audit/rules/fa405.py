"""The declared build unit is there and runs."""

from __future__ import annotations

from audit.facts.build_unit import BuildUnit
from audit.model import Host, Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA405",
    title="The declared build unit is there and runs",
    severity=Severity.ERROR,
    why="Its environment decides what the builds push: without it the audit looks at the wrong place, and a unit that "
    "does not run builds nothing.",
    symptom="Unit … could not be found, or builds for the platform that stay in the queue.",
    remedy="Look at `systemctl status UNIT`; correct `build_unit` in the inventory where the unit has another name.",
    refs=("systemctl(1)",),
)

RUNS = ("active", "reloading", "activating")


def check(host: Host, unit: BuildUnit | Unknown) -> Result:
    """A unit that is not loaded is an error, one that stands still a warning."""
    if host.build_unit is None:
        return not_applicable("no build unit is declared")
    if isinstance(unit, Unknown):
        return cannot_tell(f"the build unit is not known: {unit.detail or unit.reason}", f"declared {host.build_unit}")
    evidence = [f"{unit.name}: {unit.load_state}, {unit.active_state}"]
    evidence += [unit.fragment] if unit.fragment else []
    look = f"`systemctl status {unit.name}`"
    if unit.load_state == "not-found":
        remedy = f"{look}; correct `build_unit` in the inventory if the unit has another name."
        return fail("the declared build unit does not exist", *evidence, remedy=remedy)
    if unit.load_state != "loaded":
        return fail(f"the build unit is {unit.load_state}", *evidence, remedy=f"{look}; unmask or mend it.")
    if unit.active_state not in RUNS:
        remedy = f"{look}, `journalctl -u {unit.name} -n 50`; then `systemctl start {unit.name}`."
        return fail(f"the build unit is {unit.active_state}", *evidence, remedy=remedy, severity=Severity.WARNING)
    return ok(f"the build unit is {unit.active_state}", *evidence)
