"""A first hosts.yml out of what a machine knows: ssh_config, docker contexts, buildx nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audit.errors import InventoryError
from audit.inventory.readers import as_yaml_text
from audit.inventory.sshconfig import entries
from audit.inventory.targets import ad_hoc

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Entry:
    """A host that was found.

    Attributes:
        name: its name in the inventory.
        address: what to connect to; None for the name itself.
        user: login, where known.
        port: TCP port, where known.
        key_file: private key, where known.
        ssh_args: arguments for ssh, as one line.
        platform: the first platform that its buildx node names.
        origin: where it was found, for the comment.
    """

    name: str
    address: str | None = None
    user: str | None = None
    port: int | None = None
    key_file: str | None = None
    ssh_args: str | None = None
    platform: str | None = None
    origin: str = ""


def from_ssh_config(path: Path, home: Path | None = None) -> list[Entry]:
    """Every Host name without wildcards; Include is followed, values of wildcard entries apply.

    Args:
        path: the ssh_config.
        home: whose ``~`` it means; None is this user's.

    Raises:
        InventoryError: it cannot be read, or holds what ssh would refuse.
    """
    found = []
    for name, values, place in entries(path, home):
        first = {keyword: words[0] for keyword, words in values.items() if words}
        address = first.get("hostname", name).replace("%h", name).replace("%%", "%")
        port = first.get("port", "")
        if port and not (port.isdigit() and 0 < int(port) < 65536):
            raise place.error(f"Host {name} has the port {port!r}: ports go from 1 to 65535")
        found.append(
            Entry(
                name=name,
                address=address if address != name else None,
                user=first.get("user"),
                port=int(port) if port else None,
                key_file=first.get("identityfile"),
                ssh_args=_ssh_args(first),
                origin=f"ssh_config {place.file}:{place.line}",
            )
        )
    return found


def _ssh_args(first: dict[str, str]) -> str | None:
    """What else the host needs to be reached, as ``-o`` options; ssh itself fills in %h and %p."""
    options = []
    for keyword, option in (
        ("proxyjump", "ProxyJump"),
        ("proxycommand", "ProxyCommand"),
        ("hostkeyalias", "HostKeyAlias"),
    ):
        value = first.get(keyword)
        if value and value.lower() != "none":
            word = f"{option}={value}"
            options.append(f"-o {word}" if not re.search(r"[\s'\"\\$]", word) else f"-o '{_single(word)}'")
    return " ".join(options) or None


def _single(word: str) -> str:
    return word.replace("'", "'\"'\"'")


def from_docker_contexts(text: str) -> list[Entry]:
    """The ssh:// contexts of ``docker context ls --format json`` (one JSON object a line).

    Raises:
        InventoryError: not such lines.
    """
    found = []
    for data in _objects(text, "docker context ls"):
        entry = _from_url(str(data.get("DockerEndpoint") or ""), str(data.get("Name") or ""))
        if entry is not None:
            found.append(replace(entry, origin=f"docker context {data.get('Name')}"))
    return found


def from_buildx(text: str) -> list[Entry]:
    """The ssh:// nodes of ``docker buildx ls --format json`` (one JSON object a line).

    Raises:
        InventoryError: not such lines.
    """
    found = []
    for data in _objects(text, "docker buildx ls"):
        nodes = data.get("Nodes")
        for node in nodes if isinstance(nodes, list) else []:
            if not isinstance(node, dict):
                continue
            entry = _from_url(str(node.get("Endpoint") or ""), str(node.get("Name") or ""))
            if entry is not None:
                origin = f"buildx node {node.get('Name')} of {data.get('Name')}"
                found.append(replace(entry, platform=_platform(node.get("Platforms")), origin=origin))
    return found


def _objects(text: str, program: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise InventoryError("is no JSON object: give it `--format json`", file=f"<{program}>", line=number)
        yield data


def _from_url(url: str, name: str) -> Entry | None:
    if not url.startswith("ssh://"):
        return None
    plain = url.removeprefix("ssh://").split("/", 1)[0]
    host = ad_hoc([plain]).hosts[0]
    return Entry(name or host.address, host.address, host.user, host.port)


def _platform(platforms: object) -> str | None:
    """The first platform of a node, which buildx lists as text or as an object."""
    first = platforms[0] if isinstance(platforms, list) and platforms else None
    if isinstance(first, dict):
        first = "/".join(str(first[key]) for key in ("os", "architecture", "variant") if first.get(key))
    if isinstance(platforms, str):
        first = platforms.split(",")[0].strip()
    return first.rstrip("*") if isinstance(first, str) and first.count("/") in (1, 2) else None


def hosts_yml(found: Iterable[Entry], group: str = "builders") -> str:
    """An inventory of these hosts in one group; the same login in several origins is one host, names are made unique.

    Returns:
        YAML that `audit.inventory.load` and Ansible read alike.
    """
    lines = [
        "# Written by `fleet-audit inventory import`: check it, then add platform, pool and build_unit.",
        "all:",
        "  children:",
        f"    {as_yaml_text(group)}:",
        "      hosts:",
    ]
    for entry in _merged(list(found)):
        variables = {
            "ansible_host": entry.address if entry.address != entry.name else None,
            "ansible_port": entry.port,
            "ansible_user": entry.user,
            "ansible_ssh_private_key_file": entry.key_file,
            "ansible_ssh_common_args": entry.ssh_args,
            "platform": entry.platform,
        }
        lines.append(f"        {as_yaml_text(entry.name)}:  # {_comment(entry.origin)}")
        for name, value in variables.items():
            if value is not None:
                lines.append(f"          {name}: {value if isinstance(value, int) else as_yaml_text(value)}")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _merged(found: Sequence[Entry]) -> list[Entry]:
    by_login: dict[tuple[str, str | None, int], Entry] = {}
    for entry in found:
        login = (entry.address or entry.name, entry.user, entry.port or 22)
        old = by_login.get(login)
        if old is None:
            by_login[login] = entry
        else:
            by_login[login] = replace(
                old, platform=old.platform or entry.platform, origin=f"{old.origin}; {entry.origin}"
            )
    taken: set[str] = set()
    result = []
    for entry in by_login.values():
        plain = _FORBIDDEN.sub("-", entry.name).strip("-.") or "host"
        name, count = plain, 1
        while name in taken:
            count += 1
            name = f"{plain}-{count}"
        taken.add(name)
        result.append(replace(entry, name=name, address=entry.address or entry.name))
    return result
