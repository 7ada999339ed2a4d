"""`make demo`: the lab's fleet audited, built on and merged; without a lab, this machine and a recorded fleet."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from tests.lab import Lab
from tests.story import Story, Untrue

ROOT = Path(__file__).parent.parent
COMMAND = ROOT / ".venv" / "bin" / "fleet-audit"
RECORDED = Path("tests/recorded/lab-fleet.json")


def say(*arguments: str) -> int:
    """Show a command as the user would type it, then run it."""
    print(f"\n$ fleet-audit {shlex.join(arguments)}", flush=True)
    return subprocess.run([COMMAND, *arguments], cwd=ROOT, check=False).returncode


def main() -> int:
    """Exit 0 when every command did what it is for; findings are what the demo shows, not its failure."""
    reason = Lab.why_not()
    if reason is None:
        if subprocess.run([sys.executable, "-m", "tests.lab", "up"], cwd=ROOT, check=False).returncode:
            reason = "it did not start (see above)"
        else:
            code = say("check", "-i", ".lab/inventory")
            if code not in (0, 1):
                return code
            try:
                Story(Lab.ensure()).tell()
            except Untrue as error:
                print(f"\nThe story did not come out as told: {error}", file=sys.stderr)
                return 5
            print("\nThe workers stay up for you to look at; `make lab-down` stops them.")
            return 0
    print(f"The lab cannot run here: {reason}\nSo: this machine as it is, and then a fleet recorded in the lab.")
    codes = (say("check", "--local"), say("check", "--from", str(RECORDED)))
    return 0 if max(codes) <= 3 else max(codes)


if __name__ == "__main__":
    sys.exit(main())
