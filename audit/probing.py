"""Probes run for real: on the workers by sessions, at the registry by its client, and everything taken back.

The only part of the audit that writes to a worker. What is run there, and what its answers mean, is `audit.probe`'s.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from audit.errors import IncompleteError, UsageError
from audit.image.arrived import Arrived
from audit.image.reference import Reference
from audit.judge import judge
from audit.model import Fleet, Host, Outcome
from audit.probe.answers import Answers, read
from audit.probe.proof import Asked, prove
from audit.probe.report import Finding, Report
from audit.probe.result import HostProof, Proof
from audit.probe.script import Work, do_script, stdin_of, undo_script
from audit.probe.ways import Way
from audit.registry import Client, Denied, ManifestUnknown, NotAllowed, NotFound, RegistryError
from audit.run import Run
from audit.shape import Prediction, predict
from audit.wire import Event, WireOptions
from audit.wire.session import Ended, Script, Stream
from audit.wire.sessions import Task, run_many

MOST_LINES = 5000
"""Lines of stdout kept of one host; a script prints some hundred."""


@dataclass(frozen=True)
class Target:
    """Where probes push to.

    Attributes:
        client: of the registry.
        name: ``host[:port]/repository``.
    """

    client: Client
    name: str

    def check(self) -> None:
        """Ask for a tag that cannot be there, so that a registry that is down costs no build.

        Raises:
            IncompleteError: it does not answer, or refuses our login.
        """
        try:
            self.client.head(Reference.parse(f"{self.name}:{secrets.token_hex(16)}"))
        except NotFound:
            return
        except RegistryError as error:
            raise IncompleteError(f"nothing was built, since the registry cannot be asked: {error}") from None


@dataclass
class _One:
    """One host on its way."""

    host: Host
    predictions: Sequence[Prediction]
    work: Work
    unknown: str | None = None
    lines: list[str] = field(default_factory=list)
    ended: Ended | None = None
    answers: Answers = field(default_factory=Answers)
    asked: dict[int, Asked] = field(default_factory=dict)


def registry_name(registry: str, repository: str) -> str:
    """Registry and repository as they stand before a tag.

    Raises:
        UsageError: they do not.
    """
    try:
        reference = Reference.parse(f"{registry}/{repository}:probe")
    except UsageError as error:
        raise UsageError(f"--registry {registry} with --repository {repository}: {error}") from None
    if reference.registry != registry or reference.repository != repository:
        raise UsageError(
            f"--registry {registry}: write HOST:PORT, or a host with a dot in it; this would be {reference.name}"
        )
    return reference.name


def probe(
    run: Run,
    ways: Sequence[Way] | Callable[[Host], Sequence[Way]],
    target: Target | None,
    options: WireOptions,
    *,
    limit: float,
    on_event: Callable[[Event], None] | None = None,
    stop: threading.Event | None = None,
    meanwhile: Callable[[dict[str, Reference]], None] | None = None,
) -> Report:
    """Build, push, ask, compare, and remove everything again.

    Args:
        run: the hosts with their facts, just collected.
        ways: of building, all to be tried on every host; or those of each host.
        target: None: nothing is pushed.
        options: of the wire.
        limit: seconds for all builds of one host.
        on_event: told who is in which phase.
        stop: once set, what runs is ended, and what was made is removed.
        meanwhile: told what each host's first way left, by digest, while it is still there.
    """
    ones = [_one(run, host, ways(host) if callable(ways) else ways, target) for host in run.fleet.hosts]
    able = [one for one in ones if one.unknown is None]
    by_name = {one.host.name: one for one in able}

    def on_line(name: str, stream: Stream, line: str) -> None:
        lines = by_name[name].lines
        if stream == "stdout" and len(lines) < MOST_LINES:
            lines.append(line)

    tasks = [
        Task(one.host, Script(do_script(one.work), undo_script(one.work)), stdin_of(one.work), limit) for one in able
    ]
    fleet = Fleet(hosts=run.fleet.hosts)
    ended = run_many(tasks, fleet=fleet, options=options, on_line=on_line, on_event=on_event, stop=stop)
    notes: tuple[str, ...] = ()
    for one, end in zip(able, ended, strict=True):
        one.ended = end
        one.answers = read(one.lines, one.work.nonce, len(one.work.ways))
    if target is not None and able:
        with ThreadPoolExecutor(4, thread_name_prefix="registry") as pool:
            list(pool.map(lambda one: _ask(target, one), able))
            if meanwhile is not None:
                meanwhile({one.host.name: found for one in able if (found := _first(target, one)) is not None})
            forgotten = pool.map(lambda one: _forget(target, one), able)
            notes = tuple(dict.fromkeys(note for found in forgotten for note in found))
    proofs = {one.host.name: _proof(one) for one in ones}
    return Report(
        when=run.when,
        registry=target.name if target else None,
        hosts=tuple(proofs.values()),
        findings=_findings(run, proofs),
        notes=notes,
    )


def _one(run: Run, host: Host, ways: Sequence[Way], target: Target | None) -> _One:
    facts, evidence = run.facts[host.name], run.evidence.hosts[host.name]
    predictions = [predict(facts, way.how) for way in ways]
    work = Work(nonce=secrets.token_hex(8), ways=tuple(ways), registry=target.name if target else None)
    unknown = None
    if not evidence.reached:
        unknown = f"{evidence.outcome}: {evidence.detail}" if evidence.detail else str(evidence.outcome)
    elif not any(prediction.shapes for prediction in predictions):
        unknown = "; ".join(predictions[0].missing) or "there is no Docker"
    return _One(host, predictions, work, unknown)


def _ask(target: Target, one: _One) -> None:
    """What the registry serves under each tag that may have arrived."""
    for number in range(len(one.work.ways)):
        if number in one.answers.told:
            one.asked[number] = _ask_one(target, one, number)


def _ask_one(target: Target, one: _One, number: int) -> Asked:
    reference = Reference.parse(one.work.tag(number))
    try:
        arrived = target.client.arrived(reference)
    except NotFound:
        return Asked()
    except RegistryError as error:
        return Asked(unknown=str(error))
    pushed = one.answers.told[number].pushed
    if pushed is None or pushed == arrived.digest:
        return Asked(arrived, has_pushed=None if pushed is None else True)
    try:
        target.client.head(reference.at(pushed))
    except ManifestUnknown:
        return Asked(arrived, has_pushed=False)
    except RegistryError:
        return Asked(arrived)
    return Asked(arrived, has_pushed=True)


def _first(target: Target, one: _One) -> Reference | None:
    """What the first way of a host left at the registry, by digest."""
    asked = one.asked.get(0)
    if asked is None or asked.arrived is None:
        return None
    return Reference.parse(target.name).at(asked.arrived.digest)


def _forget(target: Target, one: _One) -> list[str]:
    """Delete what arrived, an index before its children; what is not let be deleted is told."""
    found = [asked.arrived for asked in one.asked.values() if asked.arrived is not None]
    for number, asked in one.asked.items():
        if asked.unknown is not None:
            return [f"whether {one.work.tag(number)} is at the registry is not known, so it was not removed there"]
    for digest in dict.fromkeys(_digests(found)):
        try:
            target.client.delete(Reference.parse(target.name).at(digest))
        except (NotAllowed, Denied):
            return [f"the registry does not let us delete, so the probe's tags stay in {target.name}"]
        except NotFound:
            continue
        except RegistryError as error:
            return [f"{one.work.tag(0)} could not be removed from the registry: {error}"]
    return []


def _digests(found: Sequence[Arrived]) -> list[str]:
    return [arrived.digest for arrived in found] + [entry.digest for arrived in found for entry in arrived.entries]


def _proof(one: _One) -> HostProof:
    ended = one.ended
    if ended is None:
        return HostProof(host=one.host.name, unknown=one.unknown)
    unknown = None
    if ended.outcome is not Outcome.OK:
        unknown = f"{ended.outcome}: {ended.detail}" if ended.detail else str(ended.outcome)
    proof = prove(
        one.host.name,
        one.work,
        one.predictions,
        one.answers,
        one.asked,
        unknown=unknown,
        user=ended.user,
        seconds=ended.seconds,
    )
    if ended.began and ended.undone is not True and not proof.left:
        tags = " ".join(one.work.tags)
        said = (
            f"the worker did not say whether it removed everything; it does so by itself once it sees that nobody "
            f"listens; to be sure: docker image rm -f {tags}; rm -rf {one.work.folder}"
        )
        proof = proof.model_copy(update={"left": (said,)})
    return proof


def _findings(run: Run, proofs: Mapping[str, HostProof]) -> dict[str, Finding]:
    """FA305 on every host that was probed."""
    seen = {name: Proof(ways=proof.ways) for name, proof in proofs.items() if proof.ways}
    _, verdicts = judge(run.fleet, run.facts, run.when, seen)
    return {
        verdict.subject: Finding(
            status=verdict.status, severity=str(verdict.severity), message=verdict.message, remedy=verdict.remedy
        )
        for verdict in verdicts
        if verdict.rule == "FA305" and verdict.subject in seen
    }
