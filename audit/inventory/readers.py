"""Trees to typed values, refusing what YAML did to a value that was meant as something else."""

from __future__ import annotations

import re
import shlex
from datetime import date, datetime

from audit.inventory.place import Tree
from audit.inventory.scalars import as_ansible, disputed

_OWN_NAME = re.compile(r"\{\{\s*inventory_hostname(_short)?\s*\}\}")
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")
_DURATION = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+(?:\.[0-9]+)?)s)?\Z")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9_.]+)?\Z")
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,254}\Z")
_ARCHITECTURES = {
    "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armv8": "arm64", "ppc64el": "ppc64le", "armhf": "arm/v7",
    "armv7": "arm/v7", "armv7l": "arm/v7", "i386": "386", "i686": "386", "x86": "386",
}  # fmt: skip
_KNOWN = {"amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le", "ppc64"}
_YES = {"yes", "true", "on", "1", "y", "t"}
_NO = {"no", "false", "off", "0", "n", "f", ""}
_CONNECTIONS = {"ssh": "ssh", "smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh", "local": "local"}


def _no_template(tree: Tree) -> None:
    if tree.encrypted:
        raise tree.place.error(
            "is encrypted with ansible-vault, and fleet-audit uses this variable: write it unencrypted, "
            "or have ansible-core installed and the vault's password configured"
        )
    if not isinstance(tree.value, str) or tree.literal:
        return
    if _TEMPLATE.search(_OWN_NAME.sub("", tree.value)):
        raise tree.place.error(
            f"is a Jinja template ({tree.value[:60]}), which only Ansible itself can fill in, in a play "
            "(ansible-inventory does not either): write the value out"
        )


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"{value!r}"


def text(tree: Tree) -> str:
    """One line of text; a number, a boolean or a date that YAML made of it is refused."""
    _no_template(tree)
    value = tree.value
    if tree.loose and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        if tree.raw is not None and disputed(tree.raw):
            raise tree.place.error(f'means one thing in YAML 1.1 and another in 1.2: write it in quotes, "{tree.raw}"')
        if not value.strip():
            raise tree.place.error("is empty: give it a value, or delete the key")
        if found := _CONTROL.search(value):
            raise tree.place.error(f"holds the control character {found[0]!r}: write one line of plain text")
        return value
    if value is None:
        raise tree.place.error("is empty: give it a value, or delete the key")
    if isinstance(value, dict | list):
        raise tree.place.error(f"must be text, and is {_kind(value)}")
    what = "boolean" if isinstance(value, bool) else "date" if isinstance(value, date) else "number"
    raise tree.place.error(f'is read by YAML as the {what} {value}: write it in quotes, "{tree.shown}"')


def word(tree: Tree) -> str:
    """Text without blanks that does not begin with ``-`` (ssh would take it for an option)."""
    value = text(tree)
    if re.search(r"\s", _OWN_NAME.sub("", value)):
        raise tree.place.error(f"must be one word, and is {value!r}")
    if value.startswith("-"):
        raise tree.place.error(f"may not begin with a dash, as {value!r} does: ssh would read it as an option")
    return value


def boolean(tree: Tree) -> bool:
    """A YAML boolean (``yes`` and ``on`` are some, as Ansible reads them)."""
    _no_template(tree)
    if isinstance(tree.value, bool):
        return tree.value
    if tree.loose:
        return ansible_boolean(tree)
    raise tree.place.error(f"must be true or false, without quotes, and is {_kind(tree.value)}")


def ansible_boolean(tree: Tree) -> bool:
    """A boolean of Ansible's own variables: text and 0 or 1 count too."""
    _no_template(tree)
    if isinstance(tree.value, bool):
        return tree.value
    shown = str(tree.value).lower()
    if shown in _YES | _NO and not isinstance(tree.value, dict | list):
        return shown in _YES
    raise tree.place.error(f"must be true or false, and is {_kind(tree.value)}")


def port(tree: Tree) -> int:
    """A TCP port; quoted digits count, as they do for Ansible."""
    _no_template(tree)
    shown = tree.raw if tree.raw is not None else str(tree.value)
    if isinstance(tree.value, bool | dict | list) or tree.value is None or not shown.isascii() or not shown.isdigit():
        raise tree.place.error(f"must be a port number from 1 to 65535, and is {_kind(tree.value)}")
    if len(shown) > 1 and shown.startswith("0"):
        raise tree.place.error(f"begins with 0, which YAML 1.1 reads as octal ({tree.value}): write {int(shown)}")
    if not 0 < int(shown) < 65536:
        raise tree.place.error(f"must be a port number from 1 to 65535, and is {shown}")
    return int(shown)


def number(tree: Tree) -> float:
    """A decimal number; octal, sexagesimal and the like are refused."""
    _no_template(tree)
    value = tree.value
    if isinstance(value, bool) or not isinstance(value, int | float) or (tree.raw and not _DECIMAL.match(tree.raw)):
        raise tree.place.error(f"must be a plain number, and is {tree.shown if tree.raw else _kind(value)}")
    if tree.raw and disputed(tree.raw):
        raise tree.place.error(f"is octal for YAML 1.1 ({value}): write {tree.raw.lstrip('0') or '0'}")
    return value


def seconds(tree: Tree) -> float:
    """A time limit: a number of seconds, or ``90s``, ``5m``, ``1h30m``."""
    value: float
    if isinstance(tree.value, str) and tree.raw is None and tree.loose is False and _DECIMAL.match(tree.value):
        value = float(tree.value)
    elif isinstance(tree.value, str):
        _no_template(tree)
        found = _DURATION.match(tree.value.replace(" ", ""))
        if not found or not tree.value.strip():
            raise tree.place.error(f"must be a number of seconds, or like 90s, 5m or 1h30m, and is {tree.value!r}")
        value = int(found[1] or 0) * 3600 + int(found[2] or 0) * 60 + float(found[3] or 0)
    elif tree.raw and ":" in tree.raw:
        raise tree.place.error(f"is read by YAML 1.1 as the number {tree.value}: write {tree.value}s")
    else:
        value = number(tree)
    if not 0 < value <= 86400:
        raise tree.place.error(f"must be more than 0 and at most a day (86400 seconds), and is {tree.shown}")
    return float(value)


def platform(tree: Tree) -> str:
    """An OCI platform such as ``linux/arm64`` or ``linux/arm/v7``."""
    value = text(tree)
    system, _, architecture = value.rpartition("/") if value.count("/") < 2 else value.partition("/")
    if architecture in _ARCHITECTURES:
        right = f"{system or 'linux'}/{_ARCHITECTURES[architecture]}"
        raise tree.place.error(f"is {value}, which images call {right}: write that")
    if value in _KNOWN:
        raise tree.place.error(f"lacks the system: write linux/{value}")
    if not _PLATFORM.match(value):
        raise tree.place.error(f"must be system/architecture, such as linux/arm64, and is {value!r}")
    return value


def unit(tree: Tree) -> str:
    """The name of a systemd unit."""
    value = text(tree)
    if not _UNIT.match(value):
        raise tree.place.error(f"must be the name of a systemd unit, such as builder.service, and is {value!r}")
    return value


def connection(tree: Tree) -> str:
    """``ssh`` or ``local``, by any of Ansible's names for them."""
    value = text(tree)
    if found := _CONNECTIONS.get(value.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")):
        return found
    raise tree.place.error(
        f"is {value!r}, and fleet-audit speaks ssh and local only: leave such hosts out of its inventory"
    )


def arguments(tree: Tree) -> tuple[str, ...]:
    """Arguments for ssh, split as a shell splits; empty text is none."""
    if tree.value is None or tree.value == "":
        return ()
    value = text(tree)
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise tree.place.error(f"cannot be split as a shell splits ({error}): check the quotes") from None


def day(tree: Tree) -> date:
    """A date, quoted or not."""
    value = tree.value
    if isinstance(value, datetime):
        raise tree.place.error(f"must be a date without a time, such as 2026-12-31, and is {tree.shown}")
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise tree.place.error(f"is no day of the calendar ({value}: {error})") from None
    raise tree.place.error(f"must be a date such as 2026-12-31, and is {_kind(value)}")


def filled(value: str, name: str) -> str:
    """The text with the host's own name in place of ``{{ inventory_hostname }}``."""
    if "{{" not in value:
        return value
    return _OWN_NAME.sub(lambda found: name.split(".", 1)[0] if found[1] else name, value)


def as_yaml_text(value: str) -> str:
    """A scalar that both versions of YAML read as this very text, quoted where it must be."""
    plain = re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*", value)
    if plain and isinstance(as_ansible(value), str) and not disputed(value):
        return value
    return '"' + "".join(_escaped(letter) for letter in value) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
