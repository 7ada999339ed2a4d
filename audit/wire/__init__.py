"""The wire: one connection and one script a host, framed answers, four clocks.

    collect         ask a whole fleet; the only fan-out there is
    build_script    exactly what would run on one worker
    WireOptions     limits, host-key policy, how many at once
    Event           who is in which phase, for a progress display
    redact          cut secrets out of a text; everything that leaves this room has been through it

Inside: `script` (body.sh) is what runs there, `frames` reads it back, `answers` makes evidence of it; `sshconfig`,
`hostkeys`, `sshfp`, `identities` say how to reach a host; `dial`, `transport`, `network` (jump hosts) and `local` do
it; `clocks` and `pool` keep the time and the order; `failures` is the one place where others' exceptions become ours.
"""

from __future__ import annotations

from audit.wire.options import Event, Trusted, WireOptions
from audit.wire.pool import collect
from audit.wire.redact import redact
from audit.wire.script import ALLOWED, build_script, script_hash
from audit.wire.sshfp import Dns

__all__ = ["ALLOWED", "Dns", "Event", "Trusted", "WireOptions", "build_script", "collect", "redact", "script_hash"]
