"""A reinstall with engine 29 gives the same store."""

from __future__ import annotations

from audit.facts.image_store import ImageStore
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._store import pin_store, store_evidence

rule = Rule(
    id="FA204",
    title="A reinstall with engine 29 gives the same store",
    severity=Severity.NOTE,
    why="An upgraded worker keeps its store, a reinstalled one gets containerd: the pool then pushes two formats.",
    symptom="A reinstalled worker pushes an index, its peers flat; `docker manifest create`: … is a manifest list.",
    remedy="Write features.containerd-snapshotter into daemon.json, and let the installation bring that file.",
    refs=("tunbury.org 2026-06-16 docker-29-manifest-lists", "moby daemon/image_store_choice.go"),
)


def check(store: ImageStore, policy: HostPolicy) -> Result:
    """A fresh machine with engine 29 and this daemon.json; quiet where FA202 or FA203 says it already."""
    evidence = store_evidence(store)
    if store.after_reinstall is None:
        return cannot_tell("the store after a reinstall is not known", *evidence)
    if store.after_reinstall is store.kind:
        return ok(f"a reinstall with engine 29 gives {store.kind} again", *evidence)
    if store.after_reinstall is policy.wanted.store:
        return not_applicable("a reinstall brings the store that the policy wants")
    if store.after_reinstall is store.after_wipe:
        return not_applicable("a wipe changes the store already, see FA202")
    if store.after_reinstall is store.after_upgrade:
        return not_applicable("an upgrade changes the store already, see FA203")
    message = f"a reinstall with engine 29 turns the store from {store.kind} into {store.after_reinstall}"
    return fail(message, *evidence, remedy=pin_store(store))
