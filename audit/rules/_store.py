"""What the rules about a store that may change have in common."""

from __future__ import annotations

from audit.facts.image_store import ImageStore


def store_evidence(store: ImageStore) -> tuple[str, ...]:
    """What decides the store now."""
    prior = "not allowed to look" if store.prior_drivers is None else ", ".join(store.prior_drivers) or "none"
    feature = {True: "true", False: "false", None: "not set"}[store.snapshotter_feature]
    return (store.why_text, f"graphdriver data on disk: {prior}", f"features.containerd-snapshotter: {feature}")


def pin_store(store: ImageStore) -> str:
    """How to keep the store that is there."""
    value = "true" if store.kind == "containerd" else "false"
    return (
        f'Write it down in daemon.json: {{"features": {{"containerd-snapshotter": {value}}}}} keeps {store.kind}; '
        "have the reinstall bring the same file."
    )
