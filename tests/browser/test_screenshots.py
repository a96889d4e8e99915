"""The pictures of the documentation, taken from the real page: `make screenshots` writes them, each run takes them.

So that a picture stays true, its place is found as a person finds it: a page that has changed fails here first.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from rich.console import Console

from cli.progress_view import picture
from tests.support.services import ROOT
from tests.support.stack import Stack
from tests.support.visit import Visit, readers
from tests.support.waiting import until

IMAGES: Final = ROOT / "docs" / "images"
SIZE: Final = {"width": 1080, "height": 720}
#: The most colours of a picture, and the most bytes: pages of text need few of both.
COLOURS: Final = 96
MOST_BYTES: Final = 80_000

Shoot = Callable[[Page, str], None]


@pytest.fixture
def shoot(tmp_path: Path) -> Shoot:
    """Takes a picture of what a page shows; into the documentation where `SCREENSHOTS` is set."""
    directory = IMAGES if os.environ.get("SCREENSHOTS") else tmp_path

    def take(page: Page, name: str) -> None:
        image = Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide"))).convert("RGB")
        assert image.width == SIZE["width"]
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"{name}.png"
        image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
        assert 4_000 < file.stat().st_size < MOST_BYTES

    return take


@pytest.fixture
def page_of(visitor: Callable[..., Visit], stack: Stack) -> Visit:
    """A visit with a window of the pictures' size."""
    return visitor(stack.port, viewport=SIZE, color_scheme="light", reduced_motion="reduce")


def test_a_campaign_that_runs(page_of: Visit, stack: Stack, shoot: Shoot) -> None:
    stack.put("spring-offer", subject="Hello {{ name }}, it is spring", tpm=1_200)
    stack.upload("spring-offer", readers(4_000, "no address,Nobody\n"))
    until(lambda: stack.status("spring-offer")["status"] == "ready", "the list")
    stack.start("spring-offer")
    until(lambda: stack.status("spring-offer")["done"] > 120, "some emails")
    page_of.campaign("spring-offer")
    expect(page_of.status).to_have_text("Running")
    expect(page_of.figure("done")).to_have_text(re.compile("^[1-9]"))
    shoot(page_of.page, "campaign-running")


def test_the_list_of_campaigns(page_of: Visit, stack: Stack, shoot: Shoot) -> None:
    stack.put("summer-plans", subject="Plans for {{ name }}")
    page_of.open()
    expect(page_of.page.get_by_role("link", name="summer-plans").first).to_be_visible()
    shoot(page_of.page, "campaigns")


def test_the_steps_before_the_start(page_of: Visit, stack: Stack, shoot: Shoot) -> None:
    stack.put("autumn", subject="Hello {{ name }}", text="Dear {{ name }},\n\nit is autumn.\n")
    stack.upload("autumn", readers(300, "no address,Nobody\n"))
    until(lambda: stack.status("autumn")["status"] == "ready", "the list")
    page_of.campaign("autumn", "check")
    expect(page_of.page.get_by_text("Loading")).to_have_count(0)
    shoot(page_of.page, "campaign-check")


def test_the_terminal(page_of: Visit, shoot: Shoot) -> None:
    """What `postrider watch` draws, in a browser's window."""
    status = {
        "status": "running", "done": 1_212, "failed": 3, "pending": 785, "total": 2_000, "unknown": 2, "in_flight": 12,
        "retries": 9, "rate_limit": 6_000, "limit_now": 6_000, "sent_last_minute": 1_215, "eta_s": 8, "reason": None,
    }  # fmt: skip
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print("[bold green]$[/] postrider watch spring-offer\n", highlight=False)
    console.print(picture("spring-offer", status))
    style = "body { background: #1d1f21; color: #eee; padding: 32px; font-size: 17px } pre { font-family: monospace }"
    page_of.page.set_content(
        f"<style>{style}</style>{console.export_html(inline_styles=True, code_format='<pre>{code}</pre>')}"
    )
    page_of.page.set_viewport_size({"width": SIZE["width"], "height": 300})
    expect(page_of.page.get_by_text("postrider watch spring-offer")).to_be_visible()
    shoot(page_of.page, "terminal")
