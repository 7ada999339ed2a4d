"""What a merge will cost at the registries, before it is begun."""

from __future__ import annotations

from collections.abc import Sequence

from audit.engines.merge import Action, Confirm, Mount, PutManifest, Run
from audit.value import Model


class Forecast(Model):
    """Requests that are still to come where everything goes well; tokens come on top.

    Attributes:
        by_kind: e.g. ``POST mount``; none for what a program of Docker's will do.
        bytes: of blobs that will go through this machine.
        programs: that will be run.
    """

    by_kind: dict[str, int]
    bytes: int = 0
    programs: tuple[str, ...] = ()

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.by_kind.values())


def forecast(actions: Sequence[Action]) -> Forecast:
    """Count what these actions ask of registries.

    That a tag stands is confirmed by none: the registry's answer to its manifest names the digest, as the protocol has
    it. An image that is known from an earlier run only is asked for.
    """
    counts = {"HEAD manifest": 0, "GET blob": 0, "POST mount": 0, "POST upload": 0, "PUT upload": 0, "PUT manifest": 0}
    moved = 0
    for action in actions:
        if isinstance(action, Mount) and action.streamed:
            moved += action.size
            for kind in ("GET blob", "POST upload", "PUT upload"):
                counts[kind] += 1
        elif isinstance(action, Mount):
            counts["POST mount"] += 1
        elif isinstance(action, PutManifest):
            counts["PUT manifest"] += 1
        elif isinstance(action, Confirm) and action.target.digest is not None:
            counts["HEAD manifest"] += 1
    return Forecast(
        by_kind={kind: count for kind, count in counts.items() if count},
        bytes=moved,
        programs=tuple(action.about or action.argv[0] for action in actions if isinstance(action, Run)),
    )
