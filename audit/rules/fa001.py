"""The host answers."""

from __future__ import annotations

from audit.facts.reach import Reach
from audit.model import Outcome, Severity
from audit.rule import Result, Rule, cannot_tell, ok

rule = Rule(
    id="FA001",
    title="The host answers",
    severity=Severity.ERROR,
    why="A worker that does not answer is not a healthy worker: nothing else can be said of it.",
    symptom="Builds for its platform wait in the queue, or the pool is one worker short and nobody notices.",
    remedy="Try `ssh HOST true` by hand; check that the machine is up, then address, port, jump host and firewall.",
    cause=True,
)

REMEDIES = {
    Outcome.TIMEOUT: "Try `ssh HOST true` by hand; give a machine that is only slow a larger `timeout`.",
    Outcome.GARBLED: "Look at what `ssh HOST 'echo ok'` prints besides ok: a shell start-up file or a forced command.",
    Outcome.NOT_ASKED: "Run the check again: the run ended before this host's turn (deadline or signal).",
}
NO_SSH = "Check address and port: what answers there does not speak SSH as we do."


def check(reach: Reach) -> Result:
    """Only an answer passes; silence is never a finding about the host, but never clean either."""
    if reach.outcome in (Outcome.OK, Outcome.PARTIAL):
        return ok("the host answers", f"done in {reach.seconds:.1f} s")
    if reach.outcome in (Outcome.AUTH, Outcome.HOSTKEY, Outcome.HOSTKEY_CHANGED, Outcome.DENIED):
        return ok("an SSH server answers", f"it ended in phase {reach.phase}: {reach.detail or reach.outcome}")
    what = {
        Outcome.TIMEOUT: "no answer in time",
        Outcome.GARBLED: "the answer cannot be read",
        Outcome.NOT_ASKED: "not asked in this run",
    }.get(reach.outcome, "unreachable")
    garbled_early = reach.outcome is Outcome.GARBLED and reach.phase in ("connect", "hostkey")
    return cannot_tell(
        f"{what}: {reach.detail}" if reach.detail else what,
        f"ended in phase {reach.phase} after {reach.seconds:.1f} s",
        remedy=NO_SSH if garbled_early else REMEDIES.get(reach.outcome, ""),
    )
