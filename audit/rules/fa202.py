"""The store survives a wiped data-root."""

from __future__ import annotations

from audit.facts.image_store import ImageStore
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._store import pin_store, store_evidence

rule = Rule(
    id="FA202",
    title="A wiped data-root leaves the store as it is",
    severity=Severity.WARNING,
    why="Engine 29 keeps a graphdriver only because old data lies there: `rm -rf /var/lib/docker` changes its pushes.",
    symptom="After a full disk was emptied the worker pushes an index; `docker manifest create`: … is a manifest list.",
    remedy="Write the store down in daemon.json: features.containerd-snapshotter true or false, whichever is meant.",
    refs=("moby daemon/graphdriver/driver.go (HasPriorDriver)",),
)


def check(store: ImageStore, policy: HostPolicy) -> Result:
    """Same engine, same daemon.json, empty data-root."""
    evidence = store_evidence(store)
    if store.after_wipe is None:
        return cannot_tell("the store after a wipe is not known", *evidence)
    if store.after_wipe is store.kind:
        return ok(f"a wiped data-root leaves the store {store.kind}", *evidence)
    if store.after_wipe is policy.wanted.store:
        return not_applicable("a wipe brings the store that the policy wants")
    message = f"a wiped data-root turns the store from {store.kind} into {store.after_wipe}"
    return fail(message, *evidence, remedy=pin_store(store))
