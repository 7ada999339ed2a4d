"""Record the lab's fleet for those who cannot run the lab: `python -m tests.record` (make lab-up first).

What is kept is what `check --save` writes, without the paths of this machine (keys, known_hosts, the inventory's).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from audit.cli.app import run
from audit.model import Source
from audit.run import SavedRun
from tests.lab import Lab

RECORDED = Path(__file__).parent / "recorded" / "lab-fleet.json"


def main() -> int:
    """Ask the lab's workers and write the file that the README and the tests judge."""
    lab = Lab.current()
    if lab is None:
        print("the lab is not up: make lab-up", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        code = run(["check", "-i", str(lab.inventory), "--save", str(file), "--report", f"json:{folder}/x", "-q"])
        if code not in (0, 1):
            return code
        saved = SavedRun.parse(file.read_text(encoding="utf-8"), str(file))
    hosts = tuple(
        host.model_copy(
            update={"key_file": None, "ssh_args": (), "source": Source(file="hosts.yml", line=host.source.line)}
        )
        for host in saved.fleet.hosts
    )
    layers = tuple(
        layer.model_copy(update={"source": Source(file="policy.yml", line=layer.source.line)})
        for layer in saved.fleet.policy.layers
    )
    fleet = saved.fleet.model_copy(
        update={"hosts": hosts, "policy": saved.fleet.policy.model_copy(update={"layers": layers})}
    )
    RECORDED.write_text(saved.model_copy(update={"fleet": fleet}).model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(f"wrote {RECORDED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
