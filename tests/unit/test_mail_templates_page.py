"""The page about templates names tests that exist, and every finding that there is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "templates.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    tests = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) > 25
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_the_page_has_every_code() -> None:
    sources = "\n".join((ROOT / "mail" / f"{name}.py").read_text() for name in (
        "checks", "column_checks", "envelope_checks", "file_checks", "html_checks", "source_checks",
    ))  # fmt: skip
    codes = set(re.findall(r"""(?:_check|Check)\(\s*"(\w+)",""", sources))
    codes |= set(re.findall(r"""code(?:, message)? = \(?"(\w+)\"""", sources))
    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()
