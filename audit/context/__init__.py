"""The build context: a folder, less what `.dockerignore` leaves out, as one reproducible tar that is never on a disk.

    from audit.context import open_context

    context = open_context(Path("app"), "docker/Dockerfile")
    for piece in context.stream():
        ...

`patterns` (with `goregexp`) is one pattern, `ignorefile` the file of them: both pure; `dockerfile` finds the Dockerfile
and the ignore file that goes with it; `walk` looks at the folder; `entry` is tar; `opened` puts them together.
"""

from __future__ import annotations

from audit.context.opened import Context, open_context

__all__ = ["Context", "open_context"]
