"""The documentation's links lead somewhere, and its lines are short enough to read in a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
#: The longest line, in characters; tables and code may be longer.
WIDTH = 120

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
#: Paths of the repository that a text names in backquotes.
PATH = re.compile(
    r"`((?:docs|tests|campaigns|lists|api|actors|middleware|mail|embedded|bench)/[\w/.-]+\.(?:py|lua|md|js|css))`"
)
FENCE = re.compile(r"^\s*```")


def prose(file: Path) -> list[str]:
    """The lines outside code."""
    lines, code = [], False
    for line in file.read_text(encoding="utf-8").splitlines():
        if FENCE.match(line):
            code = not code
        elif not code:
            lines.append(line)
    return lines


def anchors(file: Path) -> set[str]:
    """The headings of a file as GitHub names them."""
    titles = [line.lstrip("#").strip() for line in prose(file) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(file: Path, target: str) -> bool:
    """Whether a link leads nowhere in this repository; links to other places are not checked."""
    if re.match(r"\w+:", target):
        return False
    path, _, anchor = target.partition("#")
    found = file.parent / path if path else file
    return not found.exists() or bool(anchor and found.suffix == ".md" and anchor not in anchors(found))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file: Path) -> None:
    targets = [first or second for first, second in LINK.findall("\n".join(prose(file)))]
    assert [target for target in targets if broken(file, target)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_that_the_docs_name_exists(file: Path) -> None:
    named = PATH.findall("\n".join(prose(file)))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_lines_are_short(file: Path) -> None:
    long = [line for line in prose(file) if len(line) > WIDTH and not line.lstrip().startswith(("|", "![", "["))]
    assert long == []
