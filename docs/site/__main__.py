"""Builds the site: `python -m docs.site [directory]`. The Markdown files of `docs/` stay as they are.

Zensical (https://zensical.org) makes the pages from a copy of them, with the REST reference, an index of the decisions,
and pictures in place of diagrams. The copy exists only while this runs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from docs.site import diagrams, rest_pages

ROOT: Final = Path(__file__).parents[2]
#: Where the web process looks for the pages (`api/manual.py`).
OUTPUT: Final = ROOT / "docs" / "site" / "html"
CONFIG: Final = Path(__file__).parent / "zensical.toml"

#: The last entry of the navigation.
LAST: Final = '  { "Changelog" ='

_COPIED: Final = ("*.md", "adr/*.md", "rate/*", "images/*")
_ROOT_FILES: Final = ("CHANGELOG.md", "CONTRIBUTING.md")


def build(output: Path) -> None:
    """Build the site into a directory, which is replaced.

    Raises:
        SystemExit: Zensical failed, or a link leads nowhere.
    """
    with tempfile.TemporaryDirectory(prefix="postrider-docs-") as made:
        stage = Path(made)
        _stage(stage / "docs")
        _write(stage / "zensical.toml", configuration())
        command = [sys.executable, "-m", "zensical", "build", "--strict"]
        done = subprocess.run(command, cwd=stage, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"docs: {_without_colours(done.stdout + done.stderr)}")
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(stage / "site", output)


def configuration() -> str:
    """Zensical's configuration. Documents that its navigation does not name yet come last in it."""
    text = CONFIG.read_text(encoding="utf-8")
    names = {file.name for file in (ROOT / "docs").glob("*.md")} - set(re.findall(r'= "([\w.-]+\.md)"', text))
    more = "".join(
        f'    {{ "{name.removesuffix(".md").replace("-", " ").capitalize()}" = "{name}" }},\n' for name in sorted(names)
    )
    return text.replace(LAST, f'  {{ "More" = [\n{more}  ] }},\n{LAST}') if names else text


def _stage(docs: Path) -> None:
    for pattern in _COPIED:
        for file in sorted((ROOT / "docs").glob(pattern)):
            _copy(file, docs / file.relative_to(ROOT / "docs"))
    for name in _ROOT_FILES:
        _copy(ROOT / name, docs / name)
    for name, text in rest_pages.pages().items():
        _write(docs / "rest" / name, text)
    _write(docs / "adr" / "index.md", _decisions())


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix != ".md":
        shutil.copy(file, target)
        return
    text = diagrams.BLOCK.sub(lambda found: _picture(found[1], target), file.read_text(encoding="utf-8"))
    text = re.sub(r"\]\((?:\.\./)*docs/", "](", text)
    text = text.replace("](adr)", "](adr/index.md)").replace("](../README.md)", "](index.md)")
    _write(target, text)


def _picture(source: str, page: Path) -> str:
    """The picture of a diagram, or its source if there is none."""
    picture = diagrams.picture_of(source)
    if not picture.exists():
        return f"```text\n{source}```"
    shutil.copy(picture, page.parent / picture.name)
    return f"![A diagram; the source of this page has it as text.]({picture.name})"


def _decisions() -> str:
    lines = ["# Decisions", "", "Why Postrider is built as it is, one decision per page.", ""]
    for file in sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")):
        title = file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"- [{title}]({file.name})")
    return "\n".join([*lines, ""])


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)
