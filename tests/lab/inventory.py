"""The ready inventory: what Ansible, plain ssh and fleet-audit read to reach the lab."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.lab.net import Net
from tests.lab.place import Place
from tests.lab.roles import HOSTS

POLICY = """\
# What this fleet's owner wants of it, beyond the built-in defaults.
audit_policy: {}
"""
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}


def write(place: Place, net: Net, known: Mapping[str, list[str]]) -> None:
    """Write `.lab/inventory` and the `ssh_config` and `known_hosts` that it refers to."""
    for folder in (place.inventory / "group_vars" / "all", place.keys):
        folder.mkdir(parents=True, exist_ok=True)
    write_known_hosts(place, known)
    ssh_config = place.keys / "ssh_config"
    ssh_config.write_text(_ssh_config(place, net))
    groups: dict[str, Any] = {}
    for host in HOSTS:
        variables: dict[str, Any] = {"ansible_host": net.address(host.machine), "ansible_user": host.user}
        if host.machine.behind:
            # The connection to the jump reads the same file; other options of this command line do not reach it.
            variables["ansible_ssh_common_args"] = f"-F {ssh_config} -o ProxyJump={host.machine.behind}"
        hosts = groups.setdefault(host.group, {"hosts": {}})["hosts"]
        # An odd one is nobody's peer: a pool of its own.
        hosts[host.name] = {"pool": host.name} | variables | dict(host.variables)
    (place.inventory / "hosts.yml").write_text(_yaml({"all": {"children": groups}}))
    strict = f"-o UserKnownHostsFile={place.keys / 'known_hosts'} -o StrictHostKeyChecking=yes"
    everywhere = {
        "ansible_ssh_private_key_file": str(place.keys / "id_ed25519"),
        "ansible_ssh_common_args": strict,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    (place.inventory / "group_vars" / "all" / "lab.yml").write_text(_yaml(everywhere))
    policy = place.inventory / "group_vars" / "all" / "policy.yml"
    policy.write_text(POLICY)


def write_known_hosts(place: Place, known: Mapping[str, list[str]]) -> None:
    """Write the real host keys of each address, both the plain form and the one for a port."""
    lines = [
        f"{address},[{address}]:22 {' '.join(key.split()[:2])}\n" for address, keys in known.items() for key in keys
    ]
    (place.keys / "known_hosts").write_text("".join(lines))


def _ssh_config(place: Place, net: Net) -> str:
    blocks = []
    for host in HOSTS:
        lines = [f"Host {host.name}", f"HostName {net.address(host.machine)}", f"User {host.user}"]
        if host.machine.behind:
            lines.append(f"ProxyJump {host.machine.behind}")
        blocks.append("\n    ".join(lines))
    everywhere = [
        "Host *",
        f"UserKnownHostsFile {place.keys / 'known_hosts'}",
        "StrictHostKeyChecking yes",
        f"IdentityFile {place.keys / 'id_ed25519'}",
        "IdentitiesOnly yes",
    ]
    blocks.append("\n    ".join(everywhere))
    return f"# ssh -F {place.keys / 'ssh_config'} HOST\n" + "\n\n".join(blocks) + "\n"


def _yaml(tree: Mapping[str, Any], indent: str = "") -> str:
    lines = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            lines.append(f"{indent}{key}:\n{_yaml(value, indent + '  ')}")
        else:
            plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS
            lines.append(f"{indent}{key}: {value if plain else json.dumps(value)}\n")
    return "".join(lines)
