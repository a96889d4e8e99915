"""Pictures of the Mermaid diagrams: the site shows a picture, so that no page needs Mermaid's 3 MB of script.

`python -m docs.site.diagrams mermaid.min.js` draws the pictures anew, with the browser of the browser tests. The name
of a picture is the hash of its source: a diagram that has changed since is shown as text until its picture is drawn.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[1]
PICTURES: Final = Path(__file__).parent / "pictures"
BLOCK: Final = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Debian's browser.
CHROMIUM: Final = "/usr/bin/chromium"


def picture_of(source: str) -> Path:
    """Where the picture of a diagram is, if it has been drawn."""
    return PICTURES / f"{hashlib.sha256(source.encode()).hexdigest()[:16]}.svg"


def sources() -> Iterator[str]:
    """All diagrams of the documentation."""
    for file in sorted(DOCS.glob("**/*.md")):
        yield from BLOCK.findall(file.read_text(encoding="utf-8"))


def draw(script: Path) -> None:
    """Draw every diagram that has no picture, and remove the pictures of others."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a tool of development

    PICTURES.mkdir(exist_ok=True)
    wanted = {picture_of(source): source for source in sources()}
    for file in PICTURES.iterdir():
        if file not in wanted:
            file.unlink()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content("<div></div>")
        page.add_script_tag(path=script)
        page.evaluate("mermaid.initialize({startOnLoad: false, theme: 'neutral', htmlLabels: false})")
        for file, source in wanted.items():
            if not file.exists():
                file.write_text(
                    page.evaluate("async (s) => (await mermaid.render('d', s)).svg", source), encoding="utf-8"
                )
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
