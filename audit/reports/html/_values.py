"""What a page shows besides one run: what changed since a baseline, and how the fleet has been."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from audit.model import Severity
from audit.value import Model


class TimelineEntry(Model):
    """One thing that changed, with what follows from it.

    Attributes:
        at: UNIX time at which it was first seen.
        host: in the inventory; ``pool:NAME``, ``fleet`` or empty where it is of no one host.
        kind: in a word or two, for people: ``reinstalled``, ``engine``, ``new host``, ``turned``.
        title: one sentence: what changed, cause first.
        detail: from what to what, or empty.
        consequences: sentences, in the order in which they follow.
    """

    at: float
    host: str = ""
    kind: str
    title: str
    detail: str = ""
    consequences: tuple[str, ...] = ()


class Point(Model):
    """The fleet at one check, for the charts.

    Attributes:
        at: UNIX time.
        findings: failed verdicts by severity.
        engines: hosts by engine version (``?`` where it could not be told).
        stores: hosts by image store.
        reached: hosts that answered.
        hosts: hosts that were asked.
    """

    at: float
    findings: Mapping[Severity, int] = Field(default_factory=dict)
    engines: Mapping[str, int] = Field(default_factory=dict)
    stores: Mapping[str, int] = Field(default_factory=dict)
    reached: int
    hosts: int


class SitePage(Model):
    """One page of a site, as its index lists it.

    Attributes:
        file: the page's name beside the index.
        at: UNIX time of the check.
        findings: failed verdicts by severity.
        unknown: hosts with something that could not be told.
        reached: hosts that answered.
        hosts: hosts that were asked.
    """

    file: str
    at: float
    findings: Mapping[Severity, int] = Field(default_factory=dict)
    unknown: int = 0
    reached: int
    hosts: int
