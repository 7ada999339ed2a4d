"""Facts now against facts then: what differs, which verdicts and shapes change, what breaks, what cannot be told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from audit import versions
from audit.dockerfile import Examined, LinkChown
from audit.fact import Fact, Facts
from audit.facts.docker_client import DockerClient
from audit.facts.image_store import ImageStore
from audit.judge import judge
from audit.model import Fleet, Host, Model, Severity, Status, Unknown, Verdict
from audit.shape import How, Prediction, predict
from audit.whatif.breaks import OLD_MERGER, Break, Side, breaks, images_under, link_fails
from audit.whatif.changes import Changes
from audit.whatif.then import Then, facts_then

ORDER = (
    "docker_client", "engine", "buildx", "build_env", "daemon_config", "image_store", "disks", "builders",
)  # fmt: skip
"""Facts that a change touches, cause first."""


class Difference(Model):
    """One field of one fact, for people."""

    fact: str
    field: str
    now: str
    then: str


class VerdictChange(Model):
    """One verdict that is another then."""

    rule: str
    subject: str
    severity: Severity
    change: Literal["new", "resolved", "unknown"]
    message: str = Field(description="Of the verdict then; of the one now where it is resolved")


class Comparison(Model):
    """One worker, now and then."""

    host: str
    platform: str | None = None
    refuses: str | None = Field(default=None, description="Why the engine does not start; null: it does")
    differences: tuple[Difference, ...] = ()
    store_now: str = ""
    store_then: str = ""
    images_now: str | None = Field(default=None, description="The folder that holds the images")
    images_then: str | None = None
    shape_now: str = ""
    shape_then: str = ""
    reasons: tuple[str, ...] = Field(default=(), description="What decides the shape then")
    verdicts: tuple[VerdictChange, ...] = ()
    breaks: tuple[Break, ...] = ()
    untold: tuple[str, ...] = Field(default=(), description="What could not be told, each with its reason")
    assumed: tuple[str, ...] = ()
    applies: bool = Field(default=True, description="False: the host has no Docker of its own")

    @property
    def broken(self) -> bool:
        """Whether the change breaks something; a line of a Dockerfile counts also where it fails already."""
        return any(not one.already or one.id == "copy-link-chown" for one in self.breaks)


class Whatif(Model):
    """A whole answer.

    Attributes:
        changes: as asked.
        hosts: in the fleet's order.
        fleet: verdicts of fleet rules that change.
        notes: of the Dockerfiles.
    """

    changes: tuple[str, ...]
    hosts: tuple[Comparison, ...]
    fleet: tuple[VerdictChange, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 something would break; 3 it could not be told for some host; 0 neither."""
        if any(one.broken for one in self.hosts):
            return 1
        return 3 if any(one.untold for one in self.hosts) else 0


def compare(
    fleet: Fleet,
    facts: Mapping[str, Facts],
    changes: Changes,
    when: datetime,
    *,
    how: How | None = None,
    dockerfiles: Sequence[Examined] = (),
) -> Whatif:
    """What the changes do to every host of the fleet.

    Args:
        fleet: the hosts that change, and the policy.
        facts: now, by host name.
        changes: the same for all of them.
        when: the moment that both sets of facts are judged at.
        how: the way of building; a plain build and push unless told otherwise.
        dockerfiles: those that are built there.
    """
    how = how or How()
    empty = Facts({})
    now = {host.name: facts.get(host.name, empty) for host in fleet.hosts}
    thens = {host.name: facts_then(now[host.name], changes, host) for host in fleet.hosts}
    after = {name: then.facts for name, then in thens.items()}
    changed = _verdicts(judge(fleet, now, when)[1], judge(fleet, after, when)[1])
    before = _sides(fleet, now, how)
    sides = _sides(fleet, after, how, thens)
    links = [finding for one in dockerfiles for finding in one.findings]
    problems = [f"{one.file}:{at.line}: {at.text}" for one in dockerfiles for at in one.problems]
    hosts = tuple(
        _one(host, before[host.name], sides[host.name], thens[host.name], changes, how, links, changed, problems)
        for host in fleet.hosts
    )
    names = set(fleet.names)
    notes = [f"{note.file}:{note.line}: {note.text}" for one in dockerfiles for note in one.notes]
    return Whatif(
        changes=changes.said,
        hosts=hosts,
        fleet=tuple(one for one in changed if one.subject not in names),
        notes=tuple(notes),
    )


def _sides(
    fleet: Fleet, facts: Mapping[str, Facts], how: How, thens: Mapping[str, Then] | None = None
) -> dict[str, Side]:
    predictions = {name: predict(known, how) for name, known in facts.items()}
    flat = [name for name, prediction in predictions.items() if prediction.kind == "flat"]
    declared = {host.name for host in fleet.hosts if host.merge_host}
    old = tuple(name for name in facts if (not declared or name in declared) and _merges_old(facts[name]))
    return {
        name: Side(
            known,
            predictions[name],
            tuple(other for other in flat if other != name),
            old,
            thens[name].refuses if thens else None,
        )
        for name, known in facts.items()
    }


def _merges_old(facts: Facts) -> bool:
    client = facts[DockerClient]
    old = not isinstance(client, Unknown) and client.kind == "docker"
    return old and versions.at_least(client.version, OLD_MERGER) is False  # type: ignore[union-attr]  # old says so


def _one(
    host: Host,
    now: Side,
    then: Side,
    edited: Then,
    changes: Changes,
    how: How,
    links: Sequence[LinkChown],
    changed: Sequence[VerdictChange],
    problems: Sequence[str],
) -> Comparison:
    client = now.facts[DockerClient]
    applies = isinstance(client, Unknown) or client.kind == "docker" or then.facts[DockerClient] != client
    base = Comparison(host=host.name, platform=host.platform, applies=applies)
    if not applies:
        return base
    return base.model_copy(
        update={
            "refuses": then.refuses,
            "differences": differences(now.facts, then.facts),
            "store_now": store_text(now.facts),
            "store_then": store_text(then.facts),
            "images_now": images_under(now.facts),
            "images_then": images_under(then.facts),
            "shape_now": shape_text(now.prediction),
            "shape_then": shape_text(then.prediction),
            "reasons": then.prediction.decisive,
            "verdicts": tuple(one for one in changed if one.subject == host.name),
            "breaks": breaks(now, then, changes, how, links),
            "untold": (*_untold(then, links, how), *problems),
            "assumed": tuple(dict.fromkeys((*edited.assumed, *then.prediction.assumed))),
        }
    )


def _untold(then: Side, links: Sequence[LinkChown], how: How) -> tuple[str, ...]:
    if then.refuses is not None:
        return ()
    found = []
    store = then.facts[ImageStore]
    if isinstance(store, Unknown):
        found.append(f"the image store: {store.detail or store.reason}")
    if len({shape.text for shape in then.prediction.shapes}) != 1:
        found.append(f"what it pushes: {'; '.join(then.prediction.missing) or shape_text(then.prediction)}")
    found += [
        f"{one.file}:{one.line}: {one.instruction}: {one.why if not one.sure else 'the store or builder is not known'}"
        for one in links
        if link_fails(then, one, how) is None
    ]
    return tuple(found)


# ---------------------------------------------------------------- in words


def store_text(facts: Facts) -> str:
    """``overlay2 (graphdriver; prior-data)``, or why it is not known."""
    store = facts[ImageStore]
    if isinstance(store, Unknown):
        return f"not known ({store.detail or store.reason})"
    return f"{store.driver} ({store.kind}; {store.why})"


def shape_text(prediction: Prediction) -> str:
    """The one shape, else all that are possible."""
    texts = list(dict.fromkeys(shape.text for shape in prediction.shapes))
    if not texts:
        return f"not known ({'; '.join(prediction.missing) or 'no shape is possible'})"
    return texts[0] if len(texts) == 1 else f"not known: {' or '.join(texts)}"


def differences(now: Facts, then: Facts) -> tuple[Difference, ...]:
    """Fields that differ, cause first; a fact that is Unknown on one side is one difference."""
    names = [*ORDER, *(name for name in then if name not in ORDER)]
    return tuple(found for name in names for found in _of_fact(name, now[name], then[name]))


def _of_fact(name: str, now: Fact | Unknown, then: Fact | Unknown) -> list[Difference]:
    if now == then:
        return []
    if isinstance(now, Unknown) or isinstance(then, Unknown):
        both = ("not known: " + str(one) if isinstance(one, Unknown) else "known" for one in (now, then))
        return [Difference(fact=name, field="", now=next(both), then=next(both))]
    before, after = now.model_dump(mode="json"), then.model_dump(mode="json")
    return [
        Difference(fact=name, field=key, now=_text(before[key]), then=_text(after[key]))
        for key in after
        if before[key] != after[key]
    ]


def _text(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# ---------------------------------------------------------------- verdicts


def _verdicts(now: Sequence[Verdict], then: Sequence[Verdict]) -> list[VerdictChange]:
    """New failures, resolved ones, and those that can no longer be told; what another rule explains is left out."""
    before = {(one.rule, one.subject): one for one in now}
    found = []
    for one in then:
        old = before.get((one.rule, one.subject))
        was = old.status if old else Status.NOT_APPLICABLE
        change: Literal["new", "resolved", "unknown"]
        if one.status is Status.FAIL and was is not Status.FAIL:
            change = "new"
        elif was is Status.FAIL and one.status in (Status.PASS, Status.NOT_APPLICABLE):
            change = "resolved"
        elif one.status is Status.UNKNOWN and was is not Status.UNKNOWN and one.because is None:
            change = "unknown"
        else:
            continue
        message = old.message if change == "resolved" and old else one.message
        found.append(
            VerdictChange(rule=one.rule, subject=one.subject, severity=one.severity, change=change, message=message)
        )
    return found
