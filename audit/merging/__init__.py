"""Merges run for real: sources resolved once, an engine chosen and its actions carried out, and what stands afterwards.

    asked = [Asked(Reference.parse("registry.example/staging/app:1-amd64")), ...]
    tags = [Reference.parse("registry.example/app:1")]
    step = prepare(resolve(client, asked), tags)
    chosen = choose(step, "auto", ORDER, Place().ask)
    done = carry_out(client, chosen, step)

What the index holds is `audit.image.index`'s; what an engine would do, and whether it can, is `audit.engines.merge`'s.
Here it is only done: at the registry by its client, on this machine by a process, on a merge host by a session.
"""

from audit.merging.choosing import Choice, choose
from audit.merging.doing import Done, carry_out
from audit.merging.forecast import Forecast, forecast
from audit.merging.hosts import Place
from audit.merging.resolving import Asked, expect, platform_of, prepare, require_tags, resolve

__all__ = [
    "Asked", "Choice", "Done", "Forecast", "Place", "carry_out", "choose", "expect", "forecast", "platform_of",
    "prepare", "require_tags", "resolve",
]  # fmt: skip
