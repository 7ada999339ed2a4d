"""What a plain scalar means under YAML 1.1, which Ansible reads, and under YAML 1.2, which most people mean."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache

_TRUE = re.compile(r"(?:yes|Yes|YES|true|True|TRUE|on|On|ON)\Z")
_FALSE = re.compile(r"(?:no|No|NO|false|False|FALSE|off|Off|OFF)\Z")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
_BASED = re.compile(r"([-+]?)0(?:(b)([01_]+)|(x)([0-9a-fA-F_]+)|([0-7_]+))\Z")
_SIXTIES = re.compile(r"[-+]?(?:[1-9][0-9_]*(?::[0-5]?[0-9])+|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)\Z")
_FLOAT = re.compile(r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?\Z")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF|(?<![-+]\.)(?:nan|NaN|NAN))\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d")
_INT_12 = re.compile(r"[-+]?[0-9]+\Z")
_BASED_12 = re.compile(r"0(?:o([0-7]+)|x([0-9a-fA-F]+))\Z")
_FLOAT_12 = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")


@lru_cache(maxsize=4096)
def as_ansible(text: str) -> object:
    """The value under YAML 1.1: None, bool, int, float, date, datetime, or the text itself."""
    if _NULL.match(text):
        return None
    first = text[0]
    if first in "yYtToO" and _TRUE.match(text):
        return True
    if first in "nNfFoO" and _FALSE.match(text):
        return False
    return _number(text) if first in "+-.0123456789" else text


def _number(text: str) -> object:
    if _INT.match(text):
        return int(text.replace("_", ""))
    if found := _BASED.match(text):
        sign, binary, bits, _, digits, octal = found.groups()
        base, body = (2, bits) if binary else (8, octal) if octal else (16, digits)
        body = body.replace("_", "")
        return int(sign + (body or "0"), base)
    if _SIXTIES.match(text):
        total = 0.0
        for part in text.lstrip("+-").replace("_", "").split(":"):
            total = total * 60 + float(part)
        total = -total if text.startswith("-") else total
        return total if "." in text else int(total)
    if _FLOAT.match(text):
        return float(text.replace("_", ""))
    if found := _SPECIAL.match(text):
        return float(found[1] + found[2])
    return _day(text)


def _day(text: str) -> object:
    try:
        if _DATE.match(text):
            return date.fromisoformat(text)
        if _TIME.match(text):
            return datetime.fromisoformat(text.replace(" ", "T", 1) if "T" not in text.upper() else text)
    except ValueError:
        pass
    return text


def as_yaml12(text: str) -> object:
    """The value under YAML 1.2's core schema; a date is text there."""
    if _NULL.match(text):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT_12.match(text):
        return int(text)
    if found := _BASED_12.match(text):
        return int(found[1], 8) if found[1] else int(found[2], 16)
    if _FLOAT_12.match(text):
        return float(text)
    if found := _SPECIAL.match(text):
        return float(found[1] + found[2])
    return text


def disputed(text: str) -> bool:
    """Whether the two versions of YAML read a plain scalar differently (``no``, ``022``, ``1:30``, ``1e3``)."""
    old, new = as_ansible(text), as_yaml12(text)
    return type(old) is not type(new) or (old != new and old == old)
