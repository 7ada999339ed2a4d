"""One file a format: a module with ``name``, ``about`` and ``render(run, style)`` is the plugin; this lists the folder.

A report is pure: the same run and style give the same bytes. Whatever a worker or an inventory said goes through
`audit.inert` on its way into the text. Files that begin with ``_`` are what the formats share.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Protocol, cast

import audit.reports._manual as manual
from audit.reports._style import Style
from audit.run import Run


class Format(Protocol):
    """What every module of this folder is."""

    name: str
    """What ``--report`` calls it; its file's name."""
    about: str
    """One line for ``--help``."""

    def render(self, run: Run, style: Style) -> str:
        """The report, whole, ending with a newline."""


def pieces_of(report: Format, run: Run, style: Style) -> Iterator[str]:
    """The report in pieces: a large format has a function `pieces`, so that a large fleet need not be held as text."""
    pieces = getattr(report, "pieces", None)
    return pieces(run, style) if pieces is not None else iter((report.render(run, style),))


@cache
def all_formats() -> Mapping[str, Format]:
    """Every format by name, in name order, by listing the folder."""
    found: dict[str, Format] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        if name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{name}")
        if getattr(module, "name", None) != name or not isinstance(getattr(module, "about", None), str):
            raise TypeError(f"audit/reports/{name}.py needs `name = {name!r}` and `about`")
        if not callable(getattr(module, "render", None)):
            raise TypeError(f"audit/reports/{name}.py has no render(run, style)")
        found[name] = cast(Format, module)
    return found


__all__ = ["Format", "Style", "all_formats", "manual", "pieces_of"]
