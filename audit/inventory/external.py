"""What only Ansible reads (INI, scripts, plugins, vaults): asked of ``ansible-inventory``, as a program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audit.inventory.groups import ALL, Roster
from audit.inventory.place import Place
from audit.inventory.structure import OnPolicy
from audit.inventory.variables import of_json

PROGRAM = "ansible-inventory"
TIMEOUT = 120.0


def read_into(roster: Roster, sources: Sequence[Path], culprit: Place, why: str, on_policy: OnPolicy) -> None:
    """Fill the roster from ``ansible-inventory --list`` over all sources.

    Its host variables are merged already, so groups bring their names and nesting only.

    Args:
        roster: what to fill.
        sources: the inventory's sources as the user named them.
        culprit: the file that needs Ansible.
        why: what that file is, e.g. ``an INI inventory``.
        on_policy: called with each host's merged ``audit_policy``.

    Raises:
        InventoryError: Ansible is not installed, takes too long, refuses the inventory, or prints something else.
    """
    data = _listed(sources, culprit, why)
    hostvars = data.get("_meta", {}).get("hostvars", {})
    for name, group in data.items():
        if name == "_meta" or not isinstance(group, dict):
            continue
        place = culprit.under(name)
        roster.group(name, place)
        for child in group.get("children", []):
            roster.child(name, str(child), place)
    for name, group in data.items():
        if name != "_meta" and isinstance(group, dict):
            for host in group.get("hosts", []):
                roster.member(str(host), name, culprit)
    for host in hostvars:
        if host not in roster.members:
            roster.member(str(host), ALL, culprit)
    for member in roster.members.values():
        said = of_json(hostvars.get(member.name, {}), culprit._replace(key=f"hostvars.{member.name}"))
        member.vars |= said.ours
        for tree in said.policies:
            on_policy(tree, f"host:{member.name}")


def _listed(sources: Sequence[Path], culprit: Place, why: str) -> dict[str, Any]:
    program = shutil.which(PROGRAM)
    if program is None:
        raise culprit.error(
            f"is {why}, which fleet-audit reads through {PROGRAM}: install ansible-core, "
            "or convert it once, where Ansible is, with `ansible-inventory --list --yaml`"
        )
    command = [program, "--list", *(word for source in sources for word in ("-i", str(source)))]
    environment = os.environ | {
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "PYTHONIOENCODING": "utf-8",
    }
    try:
        done = subprocess.run(  # noqa: S603 - the user's own inventory by the user's own Ansible, without a shell
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise culprit.error(f"is {why}, and {PROGRAM} gave no answer in {TIMEOUT:g} s: run it by hand") from None
    except OSError as error:
        raise culprit.error(f"is {why}, and {PROGRAM} does not start ({error.strerror}): repair Ansible") from None
    if done.returncode:
        raise culprit.error(f"is {why}, and {PROGRAM} refuses it: {_last_words(done.stderr)}")
    try:
        data = json.loads(done.stdout)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("_meta", {}), dict):
        raise culprit.error(f"is {why}, and {PROGRAM} printed no inventory for it: run it by hand")
    return data


def _last_words(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines()]
    telling = [line for line in lines if line.startswith(("[ERROR]", "ERROR"))] or [line for line in lines if line]
    text = telling[0].removeprefix("[ERROR]:").removeprefix("ERROR!").strip() if telling else "it gave no reason"
    return "".join(c if c.isprintable() else "?" for c in text)[:300]
