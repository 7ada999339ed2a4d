"""The engine answers."""

from __future__ import annotations

from audit.facts.access import Access
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.reach import Reach
from audit.model import Outcome, Reason, Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._text import refusal

rule = Rule(
    id="FA104",
    title="The engine answers",
    severity=Severity.ERROR,
    why="A dead engine builds nothing; a hanging one takes jobs and never ends them.",
    symptom="Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    remedy="Look at `systemctl status docker containerd` and `journalctl -u docker -n 50`; `systemctl restart docker`.",
    cause=True,
    refs=("docker/cli cli/command/system/info.go (ServerErrors)",),
)


def check(reach: Reach, client: DockerClient | Unknown, access: Access | Unknown, engine: Engine | Unknown) -> Result:
    """Silence of a host that was reached is a finding, unless an earlier rule explains it."""
    if not isinstance(engine, Unknown):
        return ok("the engine answers", f"engine {engine.version}")
    detail = (engine.detail,) if engine.detail else ()
    if reach.outcome not in (Outcome.OK, Outcome.PARTIAL):
        return cannot_tell("the host did not answer, so the engine is not known", *detail)
    if not isinstance(client, Unknown) and client.kind != "docker":
        return not_applicable("there is no docker command of Docker's own")
    if refusal(engine):
        return ok("the engine answers, but refuses the client's API version", *detail)
    if not isinstance(access, Unknown) and access.socket_usable is False:
        return not_applicable("the login may not use the Docker socket")
    if engine.reason is Reason.TIMEOUT:
        return fail(
            "the engine hangs: no answer within the probe's limit",
            *detail,
            remedy="Look at `systemctl status docker`, `journalctl -u docker -n 50` and `dmesg | tail`; restart it "
            "(`systemctl restart docker`). A machine that is only slow answers `time docker info` late.",
        )
    if engine.reason is Reason.ABSENT:
        return fail("the engine does not answer", *detail)
    return cannot_tell(f"the engine is not known: {engine.detail or engine.reason}", *detail)
