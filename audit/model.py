"""The nouns of fleet-audit, frozen: what travels along the straight line.

Everything here is data: strict where a person writes it, escaped by the reports where a worker wrote it.
Nothing here knows SSH, a disk, a clock or a rule.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from audit.value import SCHEMA_VERSION as SCHEMA_VERSION
from audit.value import Model as Model

BUILD_VARIABLES = (
    "DOCKER_BUILDKIT",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_API_VERSION",
    "DOCKER_DEFAULT_PLATFORM",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CLI_EXPERIMENTAL",
    "DOCKER_CONTENT_TRUST",
    "BUILDX_BUILDER",
    "BUILDX_CONFIG",
    "BUILDX_NO_DEFAULT_ATTESTATIONS",
    "BUILDX_NO_DEFAULT_OCI_ARTIFACT",
    "BUILDX_NO_DEFAULT_LOAD",
    "BUILDX_METADATA_PROVENANCE",
    "BUILDKIT_HOST",
    "BUILDKIT_MULTI_PLATFORM",
    "SOURCE_DATE_EPOCH",
)
"""The only variables of a build whose values may leave a worker: the filter of the wire, and that of the facts."""


class OrderedEnum(StrEnum):
    """A StrEnum whose members compare by the order they are written in, so that max() is a summary."""

    @property
    def rank(self) -> int:
        """0 for the first member."""
        return list(type(self)).index(self)

    def __lt__(self, other: str) -> bool:
        """Written earlier."""
        return self.rank < type(self)(other).rank

    def __le__(self, other: str) -> bool:
        """Written earlier, or the same."""
        return self.rank <= type(self)(other).rank

    def __gt__(self, other: str) -> bool:
        """Written later."""
        return self.rank > type(self)(other).rank

    def __ge__(self, other: str) -> bool:
        """Written later, or the same."""
        return self.rank >= type(self)(other).rank


# ---------------------------------------------------------------- inventory and policy


class Source(Model):
    """Where a value was declared.

    Attributes:
        file: path as the user gave it, or ``<command line>``.
        line: 1-based; 0 where there is no line.
    """

    file: str
    line: int = 0

    def __str__(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}" if self.line else self.file


class Severity(OrderedEnum):
    """How bad a failed rule is; ordered, the last is the worst."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class StoreKind(StrEnum):
    """The two image stores of dockerd (reference: moby daemon/image_store_choice.go)."""

    GRAPHDRIVER = "graphdriver"
    CONTAINERD = "containerd"


class Host(Model):
    """One worker as the inventory declares it.

    Attributes:
        name: the inventory's name; unique in the fleet.
        address: what to connect to (``ansible_host``, else the name).
        port: TCP port, or None for ssh's own default.
        user: login, or None for ssh's own default.
        key_file: private key, or None for ssh's own default.
        ssh_args: extra ssh arguments (``ansible_ssh_common_args``, split as a shell splits).
        become: run what needs root through ``sudo -n``.
        connection: ``ssh``, or ``local`` for this very machine.
        platform: what it builds for, e.g. ``linux/arm64``; None where not declared.
        emulated: it stands for that platform without being such a machine.
        pool: the name of the set of workers that should be alike.
        build_unit: the systemd unit that runs the builds.
        merge_host: merges may run here.
        timeout: whole-host limit in seconds; None for the run's own.
        groups: every group it is in, least specific first (``all`` leads).
        source: where it is declared.
    """

    name: str
    address: str
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    user: str | None = None
    key_file: str | None = None
    ssh_args: tuple[str, ...] = ()
    become: bool = False
    connection: Literal["ssh", "local"] = "ssh"
    platform: str | None = None
    emulated: bool = False
    pool: str | None = None
    build_unit: str | None = None
    merge_host: bool = False
    timeout: Annotated[float, Field(gt=0)] | None = None
    groups: tuple[str, ...] = ("all",)
    source: Source = Source(file="<command line>")

    @property
    def pool_name(self) -> str:
        """The declared pool, else the platform, else ``-``: what the reports group by."""
        return self.pool or self.platform or "-"


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


class Fleet(Model):
    """The hosts, in the inventory's order, and the policy that they are judged under."""

    hosts: tuple[Host, ...] = ()
    policy: Policy = Policy()

    def __len__(self) -> int:
        """How many hosts."""
        return len(self.hosts)

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts' names, in order."""
        return tuple(host.name for host in self.hosts)


# ---------------------------------------------------------------- evidence


class Reason(StrEnum):
    """Why there is no answer."""

    UNREACHABLE = "unreachable"
    AUTH = "auth"
    HOSTKEY = "hostkey"
    TIMEOUT = "timeout"
    ABSENT = "absent"
    DENIED = "denied"
    GARBLED = "garbled"
    TRUNCATED = "truncated"
    CRASHED = "crashed"
    NOT_ASKED = "not-asked"


class Unknown(Model):
    """Could not look: a value of its own, never a pass.

    Attributes:
        reason: the class of the obstacle.
        detail: one sentence for a person.
    """

    kind: Literal["unknown"] = "unknown"
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        """``reason: detail``."""
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


class Answer(Model):
    """What one probe printed, whole.

    Attributes:
        stdout: at most 1 MiB, undecodable bytes replaced.
        stderr: likewise, at most 16 KiB.
        exit: exit status; 128 + N for signal N.
        seconds: how long it ran on the worker.
    """

    kind: Literal["answer"] = "answer"
    stdout: str
    stderr: str = ""
    exit: int = 0
    seconds: float = 0.0


class Probe(Model):
    """A named shell fragment that one or more facts ask for.

    Attributes:
        name: unique; letters, digits and ``-``.
        script: POSIX sh; its stdin is /dev/null; it must only read.
        timeout: its own limit on the worker, in seconds.
        root: run through ``sudo -n`` where the host says ``become``.
        as_builder: run as the build service runs: its user where we may, its environment (allow-listed names).
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    script: str
    timeout: Annotated[float, Field(gt=0)] = 8.0
    root: bool = False
    as_builder: bool = False


class Outcome(StrEnum):
    """What became of one host in one run: exactly one of these."""

    OK = "ok"
    PARTIAL = "partial"
    UNREACHABLE = "unreachable"
    AUTH = "auth"
    HOSTKEY = "hostkey"
    HOSTKEY_CHANGED = "hostkey-changed"
    TIMEOUT = "timeout"
    GARBLED = "garbled"
    DENIED = "denied"
    NOT_ASKED = "not-asked"


class HostEvidence(Model):
    """All that one host answered, or why it did not.

    Attributes:
        outcome: ``ok`` when every probe was framed whole; ``partial`` when some were not.
        detail: one sentence about anything but ``ok``.
        phase: where it ended: resolve, connect, hostkey, auth, probe, done.
        started: when the script was sent, Unix seconds by our clock.
        seconds: how long the host took in all.
        clock_round_trip: seconds between sending the script and the first answer; bounds the clock's error.
        host_key: fingerprint that the server showed (``SHA256:…``).
        noise: bytes that stood outside the frame (motd, wall, bashrc).
    """

    outcome: Outcome
    detail: str = ""
    phase: str = "done"
    started: float = 0.0
    seconds: float = 0.0
    clock_round_trip: float = 0.0
    host_key: str | None = None
    noise: int = 0
    answers: Mapping[str, Annotated[Answer | Unknown, Field(discriminator="kind")]] = Field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether the host answered anything at all."""
        return self.outcome in (Outcome.OK, Outcome.PARTIAL)


class Evidence(Model):
    """One collection: every host of the fleet once, in the inventory's order.

    Attributes:
        script: SHA-256 of the script that was sent.
        started: UTC.
        finished: UTC.
        interrupted: the signal that ended it early, e.g. ``SIGINT``.
    """

    script: str
    started: datetime
    finished: datetime
    interrupted: str | None = None
    hosts: Mapping[str, HostEvidence] = Field(default_factory=dict)


# ---------------------------------------------------------------- verdicts


class Status(OrderedEnum):
    """What a rule says of a host; ordered, the last is the worst."""

    PASS = "pass"  # noqa: S105 - a verdict's name, not a password
    NOT_APPLICABLE = "n/a"
    WAIVED = "waived"
    UNKNOWN = "unknown"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule on one subject. There are rules times hosts of them, so it is a plain slotted value: no model's weight.

    Attributes:
        rule: the rule's id.
        subject: the host's name, or ``pool:NAME`` / ``fleet`` for a fleet rule.
        status: see `Status`.
        severity: after the policy.
        message: one sentence that names the state seen.
        evidence: lines that prove it, already redacted, not yet escaped.
        remedy: what to do, exact for this host.
        hosts: the hosts that a fleet rule speaks of.
        because: the id of the rule, on the same host or on a member of the pool, that explains an UNKNOWN.
        waiver: what waives it.
    """

    rule: str
    subject: str
    status: Status
    severity: Severity
    message: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    hosts: tuple[str, ...] = ()
    because: str | None = None
    waiver: Waiver | None = None
