"""A real browser, for the tests of pages: the system's own Chromium, or else the one that
Playwright has fetched, driven by Playwright.

`make test-browser` collects this folder, with what it needs installed first; nothing else does.
Give ``--screenshots DIR`` to look at what it saw.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""A browser that runs as root, in a container, and calls nobody."""
PATIENCE = 120_000
"""Milliseconds for one step, on a machine that has much else to do."""
MOMENT = 5_000
"""Milliseconds for a page to say what it shows, when a test has failed."""
MOST_SHOWN = 4_000
"""Characters of it."""
PAGES = pytest.StashKey[list[Page]]()
"""What a test has opened."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, help="a folder for pictures of the pages")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each page is a fresh visitor to it."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=found, headless=True, args=QUIET)
        except Error as error:
            pytest.fail(
                f"{found or 'no chromium is installed, and the one that Playwright fetches'} does "
                "not start, and pages are tested in a real browser. Run: apt install chromium\n"
                f"{error.message}",
                pytrace=False,
            )
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed tells what its pages showed then."""
    report = yield
    if call.excinfo is not None:
        for page in item.stash.get(PAGES, []):
            report.sections.append((f"page at {page.url}", _shown(page)))
    return report


def _shown(page: Page) -> str:
    try:
        return page.inner_text("body", timeout=MOMENT)[:MOST_SHOWN]
    except Error as error:  # the browser itself may be what failed
        return f"It cannot be read: {error}"


@pytest.fixture
def open_page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Callable[..., Page]]:
    """``open_page(url, **context)``: a page of a new visitor, on which no script may fail.

    Keywords are Playwright's for a context, such as ``java_script_enabled=False`` or
    ``color_scheme="dark"``.
    """
    contexts, complaints = [], []
    pages = request.node.stash.setdefault(PAGES, [])

    def opened(url: str, **context: object) -> Page:
        contexts.append(browser.new_context(**context))
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        pages.append(page)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda told: (
                complaints.append(f"{page.url}: {told.text}")
                if told.type in ("error", "warning")
                else None
            ),
        )
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """``screenshot(page, name)``: the whole page as a picture, where ``--screenshots`` asks."""
    folder: Path | None = request.config.getoption("--screenshots")

    def taken(page: Page, name: str) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}.png", full_page=True)

    return taken
