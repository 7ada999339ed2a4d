"""What is asked of a worker, what came back, and why nothing did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from audit.value import Model

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
