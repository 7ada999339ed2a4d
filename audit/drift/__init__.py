"""A check against an earlier one: what differs, by what kind of difference, causes before what follows from them.

Pure: two `Snapshot`s in, values out.

    report = drift(before, after, ignore=fleet.policy.drift_ignore, damping=Damping(runs=2, recent=checks))
    report.exit_code    # 0 the same, 1 drift, 3 not everything could be compared
"""

from __future__ import annotations

from audit.drift.counting import Damping
from audit.drift.drifting import drift
from audit.drift.model import Difference, DriftReport, HostDrift, HostNote, Node

__all__ = ["Damping", "Difference", "DriftReport", "HostDrift", "HostNote", "Node", "drift"]
