"""What an inventory wants of its workers: settings of rules, limits, waivers, and how their layers are merged."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from audit.model._ordered import OrderedEnum
from audit.model.host import Host, Source, StoreKind
from audit.value import Model


class Severity(OrderedEnum):
    """How bad a failed rule is; ordered, the last is the worst."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class RuleSetting(Model):
    """What a policy says about one rule; None leaves it as it is."""

    enabled: bool | None = None
    severity: Severity | None = None


class Thresholds(Model):
    """Limits that a policy may set; None leaves the default of `HostPolicy`.

    Attributes:
        disk_free_percent: free bytes of a root's file system, percent.
        inodes_free_percent: free inodes, percent.
        clock_skew_seconds: largest offset between the worker's clock and ours.
        waiver_notice_days: a waiver that ends within so many days is a note.
    """

    disk_free_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    inodes_free_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    clock_skew_seconds: Annotated[float, Field(gt=0)] | None = None
    waiver_notice_days: Annotated[int, Field(ge=0)] | None = None


class Wanted(Model):
    """What a policy wants a worker to be; None wants nothing.

    Attributes:
        engine: version range of dockerd, e.g. ``>=28``.
        buildx: version range of the plugin, e.g. ``>=0.13,<0.29``.
        store: the image store.
        push: the shape that a plain build and push should leave.
        registries: the only registries whose credentials may be on the worker.
    """

    engine: str | None = None
    buildx: str | None = None
    store: StoreKind | None = None
    push: Literal["flat", "index"] | None = None
    registries: tuple[str, ...] | None = None


class Waiver(Model):
    """A finding that somebody answers for until a day.

    Attributes:
        rule: the rule's id.
        host: glob over host names (or over ``pool:NAME`` for a fleet rule).
        reason: why it is accepted.
        owner: who answers for it.
        until: the last day on which it holds.
        source: where it is declared.
    """

    rule: str
    host: str = "*"
    reason: str
    owner: str
    until: date
    source: Source = Source(file="<policy>")

    def covers(self, rule: str, subject: str) -> bool:
        """Whether it speaks of this rule on this host (expired or not)."""
        return self.rule == rule and fnmatch.fnmatchcase(subject, self.host)

    def expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return today > self.until


class Ignore(Model):
    """A difference that `drift` does not count until a day, and still tells the number of.

    Attributes:
        what: glob over ``FACT.FIELD`` (``engine.*``, ``machine.kernel``), rule ids (``FA2*``) and ``host.new``,
            ``host.vanished``, ….
        host: glob over host names (or over ``pool:NAME`` for a fleet rule).
        reason: why it does not matter.
        owner: who answers for it.
        until: the last day on which it holds.
        scope: ``group:NAME`` or ``host:NAME`` that it is declared for.
        source: where it is declared.
    """

    what: str
    host: str = "*"
    reason: str
    owner: str
    until: date
    scope: str = "group:all"
    source: Source = Source(file="<policy>")

    def covers(self, what: str, subject: str, groups: Iterable[str] = ()) -> bool:
        """Whether it speaks of this difference on this host, which is in these groups (expired or not)."""
        kind, _, name = self.scope.partition(":")
        inside = name in ("all", *groups) if kind == "group" else name == subject
        return inside and fnmatch.fnmatchcase(subject, self.host) and fnmatch.fnmatchcase(what, self.what)

    def expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return today > self.until


class PolicyLayer(Model):
    """What one ``audit_policy`` variable says; layers are merged, the more specific one wins.

    Attributes:
        scope: ``group:NAME`` or ``host:NAME``.
    """

    scope: str
    rules: Mapping[str, RuleSetting] = Field(default_factory=dict)
    thresholds: Thresholds = Thresholds()
    wanted: Wanted = Wanted()
    waivers: tuple[Waiver, ...] = ()
    drift_ignore: tuple[Ignore, ...] = ()
    source: Source = Source(file="<policy>")


class HostPolicy(Model):
    """The policy of one host, merged: every value is set."""

    rules: Mapping[str, RuleSetting] = Field(default_factory=dict)
    disk_free_percent: float = 10.0
    inodes_free_percent: float = 10.0
    clock_skew_seconds: float = 5.0
    waiver_notice_days: int = 14
    wanted: Wanted = Wanted()
    waivers: tuple[Waiver, ...] = ()


class Policy(Model):
    """All layers of an inventory, in the order they were read."""

    layers: tuple[PolicyLayer, ...] = ()

    def for_groups(self, groups: Iterable[str], host: str | None = None) -> HostPolicy:
        """Merge the layers of these groups (least specific first) and then the host's own."""
        scopes = [f"group:{group}" for group in groups]
        if host is not None:
            scopes.append(f"host:{host}")
        rules: dict[str, RuleSetting] = {}
        thresholds: dict[str, object] = {}
        wanted: dict[str, object] = {}
        waivers: list[Waiver] = []
        for scope in scopes:
            for layer in self.layers:
                if layer.scope != scope:
                    continue
                for rule, setting in layer.rules.items():
                    old = rules.get(rule, RuleSetting())
                    rules[rule] = old.model_copy(update=setting.model_dump(exclude_none=True))
                thresholds |= layer.thresholds.model_dump(exclude_none=True)
                wanted |= {name: value for name, value in layer.wanted if value is not None}
                waivers.extend(layer.waivers)
        fixed = HostPolicy(rules=rules, wanted=Wanted.model_validate(wanted), waivers=tuple(waivers))
        return fixed.model_copy(update=thresholds)

    def for_host(self, host: Host) -> HostPolicy:
        """The merged policy of one host."""
        return self.for_groups(host.groups, host.name)

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """Every waiver of every layer."""
        return tuple(waiver for layer in self.layers for waiver in layer.waivers)

    @property
    def drift_ignore(self) -> tuple[Ignore, ...]:
        """Every ignore rule of every layer."""
        return tuple(ignore for layer in self.layers for ignore in layer.drift_ignore)
