#!/usr/bin/env python3
"""An inventory script for Ansible: hosts grouped by what the last audit found, beside the operator's own inventory.

    ansible -i inventory/ -i playbooks/inventory/fleet_audit.py pushes_index -m ping
    ansible-playbook -i inventory/ -i playbooks/inventory/fleet_audit.py mine.yml --limit 'fails_FA301:!unreachable'

Groups: image_store_containerd, image_store_graphdriver, buildx_missing, buildx_broken, pushes_flat, pushes_index,
pushes_unknown, engine_28 (by major version), unreachable, not_fully_known, and fails_FAxxx for each rule that fails.
It reads the newest check of the history (`fleet-audit report`); FLEET_AUDIT_FROM names another one, or a saved run, and
FLEET_AUDIT the command. It needs Python 3.8 and nothing else, asks no worker, and sets no variable of a host.
"""

import json
import os
import re
import shlex
import subprocess
import sys

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
"""A name that no Ansible reads as a pattern; a host of another name is left out, and said."""


def audit():
    """The check as fleet-audit's JSON report has it."""
    command = [*shlex.split(os.environ.get("FLEET_AUDIT", "fleet-audit")), "report", "--report", "json"]
    command += ["--from", os.environ.get("FLEET_AUDIT_FROM", "latest")]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    except OSError as error:
        sys.exit(f"fleet_audit.py: {command[0]} does not start: {error.strerror}; name it with FLEET_AUDIT")
    if done.returncode != 0:
        sys.exit(f"fleet_audit.py: `{shlex.join(command)}` ended with {done.returncode}; see above")
    return json.loads(done.stdout.decode("utf-8"))


def groups_of(host):
    """The groups that a host is in."""
    facts = host.get("facts") or {}

    def told(fact, field):
        value = (facts.get(fact) or {}).get(field)
        return value if isinstance(value, str) else ""

    if host.get("outcome") not in ("ok", "partial"):
        yield "unreachable"
    verdicts = host.get("verdicts") or []
    if any(one.get("status") == "unknown" for one in verdicts):
        yield "not_fully_known"
    if told("image_store", "kind"):
        yield f"image_store_{told('image_store', 'kind')}"
    if told("buildx", "state") in ("missing", "broken"):
        yield f"buildx_{told('buildx', 'state')}"
    major = re.match(r"[0-9]{1,4}(?=\.)", told("engine", "version"))
    if major:
        yield f"engine_{major[0]}"
    kind = (host.get("push") or {}).get("kind")
    yield f"pushes_{kind}" if kind in ("flat", "index", "none", "fails") else "pushes_unknown"
    for one in verdicts:
        if one.get("status") == "fail" and re.fullmatch(r"FA[0-9]{3}", str(one.get("rule"))):
            yield f"fails_{one['rule']}"


def inventory(document):
    """The whole, as Ansible's script protocol wants it (`--list`)."""
    found = {}
    for host in document["hosts"]:
        name = str(host.get("name"))
        if not NAME.fullmatch(name):
            print(f"fleet_audit.py: a host is left out, whose name is none for Ansible: {name!a}", file=sys.stderr)
            continue
        for group in groups_of(host):
            found.setdefault(re.sub(r"[^A-Za-z0-9_]", "_", group), {"hosts": []})["hosts"].append(name)
    return {**found, "_meta": {"hostvars": {}}}


def main(arguments):
    """`--list`: everything; `--host NAME`: no variables of ours."""
    print(json.dumps({} if "--host" in arguments else inventory(audit()), indent=2, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1:])
