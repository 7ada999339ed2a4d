"""The image store is the one that the policy wants."""

from __future__ import annotations

from audit.facts.image_store import ImageStore
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, fail, not_applicable, ok

rule = Rule(
    id="FA201",
    title="The image store is the one that the policy wants",
    severity=Severity.ERROR,
    why="The store decides what a push leaves: graphdriver one flat manifest, containerd an index with an attestation.",
    symptom="`docker manifest create` says: … is a manifest list.",
    remedy="Set features.containerd-snapshotter in daemon.json on a drained worker and restart the engine; "
    "the images of the old store are hidden, not moved.",
    refs=("moby daemon/image_store_choice.go", "docker/buildx#1509"),
)


def check(store: ImageStore, policy: HostPolicy) -> Result:
    """Against `wanted.store`; nothing is wanted by default."""
    wanted = policy.wanted.store
    if wanted is None:
        return not_applicable("the policy wants no particular store")
    evidence = (f"{store.driver}, driver-type {store.driver_type or 'absent'}", store.why_text)
    if store.kind is wanted:
        return ok(f"the store is {store.kind}, as wanted", *evidence)
    value = "true" if wanted == "containerd" else "false"
    return fail(
        f"the store is {store.kind}, wanted is {wanted}",
        *evidence,
        remedy=f'On a drained worker: daemon.json {{"features": {{"containerd-snapshotter": {value}}}}}, then '
        "`systemctl restart docker`; the images of the old store are hidden, not moved.",
    )
