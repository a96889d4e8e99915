"""The corpus of exports: each is recognised, and its people come out as they were written."""

from __future__ import annotations

import re

import pytest

from lists.encodings import SURE
from lists.formats import Recognised, recognised
from tests.corpus.generate import EXPORTS, FOLDER


def read(name: str) -> tuple[str, Recognised]:
    """A file's content as text, and what it was recognised as."""
    data = (FOLDER / name).read_bytes()
    with recognised([data]) as found:
        content = b"".join(found.chunks)
    return content.decode("utf-8-sig" if found.encoding == "utf-8" or found.converted else "utf-16"), found


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_recognised(name: str) -> None:
    export = EXPORTS[name]
    _, found = read(name)
    assert found.format == export.format
    assert found.encoding in export.encodings
    assert found.confidence >= SURE
    assert found.warnings == []


@pytest.mark.parametrize("name", [name for name in EXPORTS if name != "excel-macintosh.csv"])
def test_the_people_are_as_they_were_written(name: str) -> None:
    text, _ = read(name)
    cities = {"polish": "Łódź", "russian": "Екатеринбург", "japanese": "江戸川区"}
    expected = next((city for language, city in cities.items() if language in name), "Köln")
    assert expected in text
    assert re.search(r"contact1@example\.com", text)


def test_the_files_are_what_the_script_writes() -> None:
    """Given the script / Then the texts in the folder are its output, byte for byte."""
    texts = {name for name in EXPORTS if name.endswith((".csv", ".txt", ".zip"))}
    assert [name for name in sorted(texts) if (FOLDER / name).read_bytes() != EXPORTS[name].make()] == []
    assert {path.name for path in FOLDER.iterdir() if path.suffix not in {".py", ""}} == set(EXPORTS)
