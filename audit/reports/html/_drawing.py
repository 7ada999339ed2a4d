"""The templates' environment: what they may call, and that nothing leaves them unescaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from audit import __version__, inert
from audit.reports._text import shown
from audit.reports.html import _css, _js
from audit.reports.html._charts import moment
from audit.reports.html._templates import TEMPLATES, TEXTURES
from audit.reports.html._view import HostLink, View

if TYPE_CHECKING:
    from jinja2 import Environment  # noqa: TID251 - this is the room the ban points to

GENERATOR = "fleet-audit"
"""What the head of every page of ours says; a site's folder is told from a foreign one by it."""
BRIEF = 60
_BUFFER = 400
"""Pieces of a template that are handed over as one."""
_QUOTED = re.compile(r"(`[^`]+`)")
_MARKED = re.compile(r"""[^A-Za-z0-9:/?#@!$&*+,;=._~%-]""")


def draw(template: str, js: str, **values: Any) -> Iterator[str]:
    """One page in pieces; the last ends with a newline."""
    scripts = {"theme_js": _js.THEME.strip(), "js": js.strip()}
    css = _css.style_sheet()
    policy = (
        f"default-src 'none'; style-src '{_digest(css)}'; "
        f"script-src {' '.join(repr(_digest(text)) for text in scripts.values())}; base-uri 'none'; form-action 'none'"
    )
    stream = _environment().get_template(template).stream(
        policy=policy, generator=GENERATOR, css=css, **scripts, **values
    )  # fmt: skip
    stream.enable_buffering(_BUFFER)
    yield from stream


def drawn_by() -> str:
    """Sixteen digits that change with the version, and with whatever a page is made of besides its run."""
    parts = (__version__, *TEMPLATES.values(), _css.style_sheet(), _js.THEME, _js.REPORT, _js.SWITCH)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _digest(text: str) -> str:
    """How a page names the one script or style sheet that it allows."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _environment() -> Environment:
    # here, since only this report needs the library, and every verb lists the formats
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: TID251 - this is the room the ban points to

    made = Environment(
        loader=DictLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "brief": _brief, "host_link": _host_link, "iso": _iso, "moment": moment, "prose": _prose,
        "split_said": _split_said,
    }  # fmt: skip
    made.globals["textures"] = TEXTURES
    made.tests["plain_link"] = _is_plain_link
    return made


def _inert(value: Any) -> Any:
    """What is printed: texts are made inert and of a bearable length, unless they are markup of ours already."""
    return shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _prose(text: str) -> Any:
    """A sentence with its `quoted` parts as code."""
    from markupsafe import Markup, escape

    text = shown(text)
    if "`" not in text:
        return escape(text)
    parts = _QUOTED.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part[1:-1]) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def _split_said(text: str) -> Any:
    """A pool's cell: that its members differ is said loudly."""
    from markupsafe import Markup

    if text.startswith("SPLIT "):
        return Markup('<span class="split">SPLIT</span> {}').format(shown(text.removeprefix("SPLIT ")))
    return text


def _brief(text: str) -> str:
    return text if len(text) <= BRIEF else f"{text[:BRIEF]}…"


def _host_link(name: str, view: View) -> HostLink:
    return HostLink(name, view.hosts.get(name, ""))


def _iso(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return ""


def _is_plain_link(text: str) -> bool:
    return text.startswith("https://") and inert.terminal(text) == text and not _MARKED.search(text)


TOOL_VERSION = __version__
