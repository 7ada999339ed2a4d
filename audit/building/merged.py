"""The merge that follows the builds: their confirmed digests, by the engine of the plan."""

from __future__ import annotations

import threading
from collections.abc import Callable

from audit.buildstep.result import Report
from audit.errors import StepError
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.kept import Kept
from audit.merging import Asked, Done, Place, carry_out, choose, expect, prepare, resolve
from audit.model import Fleet
from audit.plan import Plan
from audit.registry import Client
from audit.wire import WireOptions


def merged(
    client: Client,
    plan: Plan,
    report: Report,
    fleet: Fleet,
    options: WireOptions,
    *,
    kept: Kept,
    stop: threading.Event,
    tell: Callable[[str], None],
) -> Done:
    """Merge what was built, in the order of the platforms.

    Args:
        client: of all registries.
        plan: with a merge.
        report: of the builds; whole.
        fleet: has the merge host, where the plan has one.
        options: of the wire.
        kept: manifests of earlier runs.
        stop: ends a program on the merge host.
        tell: told what is being done.

    Raises:
        StepError: the sources make no right index, or the registry refused.
    """
    if plan.merge is None or not report.whole:
        raise StepError("nothing can be merged before every platform is there")
    tags = [Reference.parse(tag) for tag in plan.merge.tags]
    asked = [
        Asked(Reference.parse(one.reference or one.tag), wanted=Platform.parse(one.platform), given=one.tag)
        for one in report.platforms
    ]
    expect(client, [one.reference for one in asked], tags)
    step = prepare(
        resolve(client, asked, kept=kept), tags, attest="require" if plan.request.attest == "require" else "keep"
    )
    host = next((one for one in fleet.hosts if one.name == plan.merge.host), None)
    place = Place(host=host, fleet=fleet, options=options, stop=stop)
    choice = choose(step, plan.merge.engine, (plan.merge.engine,), place.ask)
    for said in (*step.merged.notes, *choice.able.warnings):
        tell(said)
    return carry_out(client, choice, step, place=place, kept=kept, tell=tell)
