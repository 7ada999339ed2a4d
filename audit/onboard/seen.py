"""What the shell found out about a machine: the input of `assess`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from audit.drift.model import DriftReport
from audit.drift.pair import HostDiff
from audit.model import Host, Wanted
from audit.probe.report import Report
from audit.run import Run


@dataclass(frozen=True)
class Identity:
    """The host key.

    Attributes:
        state: ``known``: it is the one that known_hosts has; ``accepted``: it was taken now; ``new``, ``changed``,
            ``revoked``: it was not taken, and nothing else was asked; ``unreachable``.
        key: type and fingerprint shown; empty: none was.
        old: type and fingerprint of the keys known before.
        how: who vouched for a key that was taken now.
        since: what the last check knew of it: ``2026-05-30 12:00 UTC``; empty: there was none.
        detail: why it was not reached.
        dns: what DNS said of the key, where it was to be asked.
    """

    state: Literal["known", "accepted", "new", "changed", "revoked", "unreachable"]
    key: str = ""
    old: tuple[str, ...] = ()
    how: str = ""
    since: str = ""
    detail: str = ""
    dns: str = ""

    @property
    def trusted(self) -> bool:
        """The rest may be asked."""
        return self.state in ("known", "accepted")


@dataclass(frozen=True)
class Rehearsal:
    """The merge, tried.

    Attributes:
        tag: that was written, verified, and removed.
        digest: of the index; empty: it was not made.
        platforms: of its images.
        sources: a line each: platform, where from, shape.
        engine: that merged, and why that one.
        flaws: what a verification found, or why there was no merge; empty: it is right.
        legacy: what `docker manifest create` would have said; empty: it would have merged them, too.
        notes: what could not be removed, and the like.
    """

    tag: str = ""
    digest: str = ""
    platforms: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    engine: str = ""
    flaws: tuple[str, ...] = ()
    legacy: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Offers:
    """What playbooks can do.

    Attributes:
        rules: that have a tag in `playbooks/remediate.yml`.
        by_hand: rule -> why none does it.
        command: the words before ``--limit``: ``ansible-playbook -i INVENTORY playbooks/remediate.yml``.
        variables: rule -> what it is to be told, e.g. FA404 -> ``attestations=suppress``.
    """

    rules: frozenset[str] = frozenset()
    by_hand: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    def of(self, rule: str, host: str) -> str:
        """The command line that mends a rule on a host; empty: there is none."""
        if rule not in self.rules or not self.command:
            return ""
        more = f" -e {self.variables[rule]}" if rule in self.variables else ""
        return f"{self.command} --limit {shlex.quote(host)} --tags {rule}{more}"


def choices(wanted: Wanted) -> dict[str, str]:
    """What a remedy is to be told so that it does what a policy wants: rule -> ``attestations=keep`` and the like."""
    found = {"FA404": "attestations=keep" if wanted.push == "index" else "attestations=suppress"}
    if wanted.store is not None:
        found["FA201"] = f"image_store={'containerd' if wanted.store == 'containerd' else 'overlay2'}"
    return found


@dataclass(frozen=True)
class Seen:
    """Everything that was found out; what is None was not come to.

    Attributes:
        host: as declared.
        identity: its key.
        asked: when it was begun (UTC).
        run: a check of it, and of those that it is compared or merged with.
        like: what it was held against, in words; empty: there is nobody.
        peer: against another worker.
        pool: against the majority of its pool.
        past: against the last check that reached it.
        first: no check ever reached it before.
        proof: the probe builds.
        no_proof: why there are none, and what to do.
        merge: the rehearsed merge.
        no_merge: why there is none, and what to do.
        stopped: why nothing more was asked, e.g. a signal.
        offers: what playbooks can do.
        fail_on: error, warning or note: what is an obstacle.
    """

    host: Host
    identity: Identity
    asked: datetime
    run: Run | None = None
    like: str = ""
    peer: HostDiff | None = None
    pool: DriftReport | None = None
    past: DriftReport | None = None
    first: bool = True
    proof: Report | None = None
    no_proof: str = ""
    merge: Rehearsal | None = None
    no_merge: str = ""
    stopped: str = ""
    offers: Offers = Offers()
    fail_on: Literal["error", "warning", "note"] = "error"
