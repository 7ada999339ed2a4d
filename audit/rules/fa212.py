"""No old store's data lies hidden under the containerd store."""

from __future__ import annotations

from audit.facts.image_store import ImageStore
from audit.model import Severity, StoreKind
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA212",
    title="No graphdriver's data lies hidden beside the containerd store",
    severity=Severity.NOTE,
    why="The old images are hidden, not gone: no prune reaches them, and without the feature key engine 29 goes back.",
    symptom="du shows many gigabytes under data-root that neither `docker images` nor `docker system df` knows of.",
    remedy="If nothing in it is wanted: stop the engine and remove the old driver's folder under data-root.",
    refs=("moby/moby#47674",),
)


def check(store: ImageStore) -> Result:
    """Only folders that dockerd itself would count as prior data."""
    if store.kind is not StoreKind.CONTAINERD:
        return not_applicable("the graphdriver's data is in use")
    if store.prior_drivers is None:
        return cannot_tell("not allowed to look for graphdriver data under data-root", store.why_text)
    if not store.prior_drivers:
        return ok("no graphdriver data under data-root", store.why_text)
    return fail(f"old {', '.join(store.prior_drivers)} data lies hidden under data-root", store.why_text)
