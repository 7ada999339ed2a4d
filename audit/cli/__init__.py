"""The command line: the only room that prints, exits, reads the clock or the environment."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and exit with its code; no traceback leaves without -vvv."""
    import gc

    gc.set_threshold(10_000)  # while modules load nothing is garbage, and looking for it is a tenth of the start

    from audit.cli.app import run

    sys.exit(run(sys.argv[1:]))
