"""Names as an inventory writes them: ``w[01:40]``, ``w[a:f:2]``, ``w1:2222``, ``[2001:db8::7]:22``."""

from __future__ import annotations

import ipaddress
import itertools
import re
import string

MAX_HOSTS = 200_000
_RANGE = re.compile(r"\[([0-9a-zA-Z]*):([0-9a-zA-Z]*)(?::([0-9]+))?\]")
_WITH_PORT = re.compile(r"(?P<name>[^:\s]+|\[[^\]\s]+\]|(?:[^\[\]:\s]|\[[^\]\s]*\])+):(?P<port>[0-9]{1,5})")


class RangeError(ValueError):
    """A name that cannot be expanded; the message says why."""


def host_names(key: str) -> tuple[list[str], int | None]:
    """Every host name that a key under ``hosts:`` stands for, and the port it carries.

    Raises:
        RangeError: a malformed or enormous range, or a name with blanks.
    """
    if not key or key != key.strip() or re.search(r"\s", key):
        raise RangeError("is no host name: a name has no blanks")
    if is_ipv6(key):
        return [key], None
    port: int | None = None
    if found := _WITH_PORT.fullmatch(key):
        key, port = found["name"], int(found["port"])
        if not 0 < port < 65536:
            raise RangeError(f"has the port {port}: ports go from 1 to 65535")
    if key.startswith("[") and key.endswith("]") and is_ipv6(key[1:-1]):
        return [key[1:-1]], port
    return expand(key), port


def is_ipv6(text: str) -> bool:
    """Whether it is an IPv6 address without brackets."""
    if ":" not in text:
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def expand(pattern: str) -> list[str]:
    """The names of a pattern with any number of ranges, the last range running fastest.

    Raises:
        RangeError: a bracket that is no range, an empty range, or more than `MAX_HOSTS` names.
    """
    parts: list[list[str]] = []
    end, total = 0, 1
    for found in _RANGE.finditer(pattern):
        parts.append([_literal(pattern[end : found.start()], pattern)])
        values = _values(found[1], found[2], found[3], pattern)
        total *= len(values)
        if total > MAX_HOSTS:
            raise RangeError(f"is a range of more than {MAX_HOSTS} hosts: surely one digit too many")
        parts.append(values)
        end = found.end()
    parts.append([_literal(pattern[end:], pattern)])
    return ["".join(words) for words in itertools.product(*parts)]


def _literal(text: str, pattern: str) -> str:
    if "[" in text or "]" in text:
        raise RangeError(f"is no range that Ansible knows: write {_example(pattern)}")
    return text


def _example(pattern: str) -> str:
    head = pattern.split("[", 1)[0].strip("]") or "w"
    return f"{head}[01:40] or {head}[a:f] or {head}[0:10:2]"


def _values(first: str, last: str, step: str | None, pattern: str) -> list[str]:
    stride = int(step) if step else 1
    if stride < 1:
        raise RangeError("is a range with step 0: use 1 or more")
    if not last:
        raise RangeError(f"is a range without an end: write {_example(pattern)}")
    first = first or "0"
    letters = string.ascii_letters
    if len(first) == len(last) == 1 and first in letters and last in letters:
        low, high = letters.index(first), letters.index(last)
        found = list(letters[low : high + 1 : stride])
    elif first.isdigit() and last.isdigit():
        width = len(first) if first[0] == "0" and len(first) > 1 else 0
        if width and width != len(last):
            raise RangeError(f"is a range whose ends have different lengths: write {last.zfill(width)} for the end")
        if len(last) > 9:
            raise RangeError(f"is a range of more than {MAX_HOSTS} hosts: surely one digit too many")
        numbers = range(int(first), int(last) + 1, stride)
        if len(numbers) > MAX_HOSTS:
            raise RangeError(f"is a range of more than {MAX_HOSTS} hosts: surely one digit too many")
        found = [str(number).zfill(width) for number in numbers]
    else:
        raise RangeError(f"is a range between {first} and {last}: both must be numbers, or both single letters")
    if not found:
        raise RangeError(f"is a range that ends before it begins: write [{last}:{first}]")
    return found
