"""Engines found by listing a folder: a module with ``name``, ``about``, ``able`` and ``actions`` is the plugin."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType


def listed(package: str, path: Iterable[str]) -> dict[str, ModuleType]:
    """Every engine of a package by name, in name order; files that begin with ``_`` are what the engines share.

    Raises:
        TypeError: one lacks what every engine has; said at the first use, as a bug of ours.
    """
    found: dict[str, ModuleType] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(path)):
        if name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{name}")
        where = f"{module.__name__.replace('.', '/')}.py"
        if getattr(module, "name", None) != name or not isinstance(getattr(module, "about", None), str):
            raise TypeError(f"{where} needs `name = {name!r}` and `about`")
        if not callable(getattr(module, "able", None)) or not callable(getattr(module, "actions", None)):
            raise TypeError(f"{where} has no able() and actions()")
        found[name] = module
    return found
