"""A real browser, the distribution's own; a test is skipped with the reason where it is not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Route, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
SHOTS = Path(__file__).parents[2] / ".bench" / "html"
"""Where the screenshots are kept."""


@dataclass
class Seen:
    """A page that is open, and everything that it did which a report must not do.

    Attributes:
        page: the page.
        trouble: console errors and warnings, exceptions, dialogs, requests for anything but the page itself.
    """

    page: Page
    trouble: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        """Only what is wrong counts."""
        if message.type in ("error", "warning"):
            self.trouble.append(f"console {message.type}: {message.text}")

    def on_error(self, error: Error) -> None:
        """A script raised."""
        self.trouble.append(f"exception: {error}")

    def on_dialog(self, dialog: Dialog) -> None:
        """A script of somebody else's ran."""
        self.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(self, route: Route) -> None:
        """Nothing may be asked for but files."""
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            self.trouble.append(f"request: {route.request.url}")
            route.abort()

    def shot(self, name: str, *, full: bool = False) -> None:
        """Keep a picture."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=full)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser; it ends with the module, since its event loop would be in the way of other tests'."""
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: `apt-get install chromium`")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


Look = Callable[..., Seen]


@pytest.fixture
def look(browser: Browser, tmp_path: Path) -> Iterator[Look]:
    """A function that opens a text, or a file, as a page: ``look(text, at="#host-w1", color_scheme="dark")``.

    Whatever a page did that it must not do fails the test at its end.
    """
    opened: list[Seen] = []

    def at(page: str | Path, at: str = "", **options: Any) -> Seen:
        file = page if isinstance(page, Path) else tmp_path / "page.html"
        if isinstance(page, str):
            file.write_text(page, encoding="utf-8")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(15_000)
        seen = Seen(context.new_page())
        opened.append(seen)
        context.route("**/*", seen.on_request)
        seen.page.on("console", seen.on_console)
        seen.page.on("pageerror", seen.on_error)
        seen.page.on("dialog", seen.on_dialog)
        seen.page.goto(file.as_uri() + at)
        return seen

    yield at
    for seen in opened:
        seen.page.context.close()
    assert [trouble for seen in opened for trouble in seen.trouble] == []
