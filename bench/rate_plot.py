"""The plot of sends per second: an SVG, and a PNG of it made by the browser of the browser tests."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from bench.rate_measures import Sent

WIDTH: Final = 860
PANEL: Final = 150
LEFT, TOP, HEIGHT = 70, 28, 90
STYLE: Final = (
    "text{font:12px sans-serif;fill:#333}.t{font-weight:bold}.a{text-anchor:end;fill:#666}"
    ".c{fill:#4878a8}.l{fill:none;stroke:#c04030;stroke-width:1.5;stroke-dasharray:5 3}.x{stroke:#aaa}"
)


def svg(series: Sequence[Sent]) -> str:
    """One panel per measurement: bars of emails per second at the provider, and the limit as a dashed line."""
    height = PANEL * len(series) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
        *(_panel(sent, PANEL * number) for number, sent in enumerate(series)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(sent: Sent, top: int) -> str:
    seconds, highest = len(sent.counts), max(*sent.counts, *sent.limits) * 1.05
    step = (WIDTH - LEFT - 20) / seconds
    base = top + TOP + HEIGHT

    def x(second: float) -> str:
        return f"{LEFT + second * step:.1f}"

    def y(count: float) -> str:
        return f"{base - count / highest * HEIGHT:.1f}"

    bars = " ".join(
        f"M{x(second)} {base}V{y(count)}H{x(second + 0.85)}V{base}z" for second, count in enumerate(sent.counts)
    )
    limit = " ".join(
        f"{'L' if second else 'M'}{x(second)} {y(one)}H{x(second + 1)}" for second, one in enumerate(sent.limits)
    )
    ticks = "".join(
        f'<text class="a" x="{x(second)}" y="{base + 15}">{second}</text>' for second in range(0, seconds + 1, 15)
    )
    return (
        f'<text class="t" x="{LEFT}" y="{top + 18}">{escape(sent.title)}: emails per second at the provider</text>'
        f'<path class="c" d="{bars}"/><path class="l" d="{limit}"/>'
        f'<path class="x" d="M{LEFT} {base}H{WIDTH - 20}"/>{ticks}'
        f'<text class="a" x="{LEFT - 6}" y="{float(y(highest / 1.05)) + 4:.0f}">{highest / 1.05:,.0f}</text>'
        f'<text class="a" x="{LEFT - 6}" y="{base}">0</text>'
    )


def save(series: Sequence[Sent], directory: Path) -> list[Path]:
    """Write `sends-per-second.svg`, and `.png` if Chromium is installed."""
    directory.mkdir(parents=True, exist_ok=True)
    vector, raster = directory / "sends-per-second.svg", directory / "sends-per-second.png"
    vector.write_text(svg(series), encoding="utf-8")
    browser = shutil.which("chromium")
    if browser is None:
        return [vector]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": WIDTH, "height": PANEL * len(series) + 10})
        page.set_content(f"<style>body{{margin:0}}</style>{svg(series)}")
        page.screenshot(path=raster)
        chromium.close()
    return [vector, raster]
