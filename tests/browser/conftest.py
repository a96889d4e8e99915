"""A real browser and the real processes, once for all tests here; each test has a separate visit."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.stack import Stack
from tests.support.visit import PATIENCE_MS, Visit

#: Debian's. Playwright's own download of a browser is not used.
CHROMIUM = "/usr/bin/chromium"
#: As root it runs without its sandbox; the other options keep it from calling the outside.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Valkey, S3, the SendGrid double, the web process and a worker."""
    with Stack.open(tmp_path_factory.mktemp("stack"), SEND_TIMEOUT_S="2") as stack:
        stack.add_worker(threads=8)
        yield stack


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Makes visits to `http://localhost:{port}`. At the end of the test, none of them may have had an error."""
    visits: list[Visit] = []

    def visit(port: int, **options: object) -> Visit:
        context = browser.new_context(base_url=f"http://localhost:{port}", **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        visits.append(Visit(context.new_page()))
        return visits[-1]

    yield visit
    complaints = list(itertools.chain.from_iterable(visit.complaints for visit in visits))
    for made in visits:
        made.page.context.close()
    assert complaints == []


@pytest.fixture
def visit(visitor: Callable[..., Visit], stack: Stack) -> Visit:
    """A visit to the stack."""
    return visitor(stack.port)
