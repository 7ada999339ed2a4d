"""One file a format of a batch's report: a module with ``name``, ``about`` and ``render(report, style)``.

As in `audit.reports`, a report is pure, and whatever a registry or a plan said goes through `audit.inert` on its way
into the text. Files that begin with ``_`` are what the formats share, and the forecast's two forms.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Literal, Protocol, cast

from audit.batch.forecast import BatchForecast
from audit.batch.model import BatchReport
from audit.batch.reports import _forecast
from audit.reports._style import Style


class Format(Protocol):
    """What every module of this folder is."""

    name: str
    """What ``--report`` calls it; its file's name."""
    about: str
    """One line for ``--help``."""

    def render(self, report: BatchReport, style: Style) -> str:
        """The report, whole, ending with a newline."""


@cache
def all_formats() -> Mapping[str, Format]:
    """Every format by name, in name order, by listing the folder."""
    found: dict[str, Format] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        if name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{name}")
        if getattr(module, "name", None) != name or not isinstance(getattr(module, "about", None), str):
            raise TypeError(f"audit/batch/reports/{name}.py needs `name = {name!r}` and `about`")
        if not callable(getattr(module, "render", None)):
            raise TypeError(f"audit/batch/reports/{name}.py has no render(report, style)")
        found[name] = cast(Format, module)
    return found


def render_forecast(forecast: BatchForecast, style: Style, form: Literal["text", "json"] = "text") -> str:
    """What is to be expected, for a person or for a program; ends with a newline."""
    return _forecast.as_json(forecast) if form == "json" else _forecast.text(forecast, style)


__all__ = ["Format", "Style", "all_formats", "render_forecast"]
