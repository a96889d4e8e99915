"""The pages of the documentation: no broken link, all of them in the navigation, and nothing fetched from elsewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.endpoints import ENDPOINTS
from api.operations import operation
from docs.site import __main__ as site, diagrams
from tests.support.services import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site. A link that leads nowhere fails the build."""
    output = tmp_path_factory.mktemp("docs") / "html"
    site.build(output)
    return output


class Loads(HTMLParser):
    """What a page makes a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img", "iframe", "source"} and values.get("src"):
            self.found.append(values["src"] or "")
        if tag == "link" and values.get("rel") not in {"canonical", "prev", "next"} and values.get("href"):
            self.found.append(values["href"] or "")


def loads(page: Path) -> Iterator[str]:
    parser = Loads()
    parser.feed(page.read_text(encoding="utf-8"))
    yield from parser.found


def test_no_page_loads_anything_from_elsewhere(built: Path) -> None:
    pages = list(built.rglob("*.html"))
    assert len(pages) > 40
    assert [(page.name, url) for page in pages for url in loads(page) if re.match(r"(https?:)?//", url)] == []
    styles = "".join(file.read_text() for file in built.rglob("*.css"))
    assert re.findall(r"url\(\s*['\"]?(?:https?:)?//", styles) == []


def test_every_document_is_in_the_navigation(built: Path) -> None:
    start = (built / "index.html").read_text()
    documents = [file.stem for file in (ROOT / "docs").glob("*.md") if file.stem != "index"]
    assert [name for name in documents if f'href="{name}/"' not in start and f'href="./{name}/"' not in start] == []


def test_a_document_that_the_navigation_does_not_name_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "brand-new.md").write_text("# New")
    monkeypatch.setattr(site, "ROOT", tmp_path)
    found = tomllib.loads(site.configuration())["project"]["nav"]
    assert found[-2] == {"More": [{"Brand new": "brand-new.md"}]}


def test_every_operation_has_its_place_in_the_reference(built: Path) -> None:
    overview = (built / "rest" / "index.html").read_text()
    assert [operation(one).name for one in ENDPOINTS if f"#{operation(one).name}" not in overview] == []
    start = (built / "rest" / "controls" / "index.html").read_text()
    assert 'id="start_campaign"' in start
    assert "accept_warnings" in start


def test_diagrams_are_pictures_or_text_but_no_script(built: Path) -> None:
    text = "".join(page.read_text() for page in built.rglob("*.html"))
    assert 'class="mermaid"' not in text
    drawn = [source for source in diagrams.sources() if diagrams.picture_of(source).exists()]
    assert drawn
    assert all("<script" not in diagrams.picture_of(source).read_text() for source in drawn)


def test_the_sources_stay_as_they_are() -> None:
    assert not (ROOT / "docs" / "rest").exists()
    assert not (ROOT / "docs" / "adr" / "index.md").exists()
