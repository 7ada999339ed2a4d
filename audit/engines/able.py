"""Whether an engine can do what is asked of it."""

from __future__ import annotations

from audit.value import Model


class Able(Model):
    """Whether an engine can do a step, and why it can or cannot, as one clause."""

    ok: bool
    why: str
    warnings: tuple[str, ...] = ()
