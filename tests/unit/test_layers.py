"""Imports of the single files in the root, which import-linter takes for foreign packages.

The packages' own contracts are in pyproject.toml: `make contracts`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: File -> the modules of the project that it may import, including their contents.
MAY_IMPORT = {
    "logs": (),
    "storage": ("campaigns.models", "campaigns.errors"),
    "run": ("embedded", "settings"),
    "demo": ("embedded", "settings", "run", "cli.progress_view", "cli.wording"),
}


def imports_of(file: Path) -> Iterator[str]:
    """The project's modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from package import module` may name a module of the package.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if _is_own(name.partition(".")[0]))


def _is_own(name: str) -> bool:
    return (ROOT / name / "__init__.py").exists() or (ROOT / f"{name}.py").exists()


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_a_single_file_imports_downward_only(name: str) -> None:
    allowed = MAY_IMPORT[name]
    found = list(imports_of(ROOT / f"{name}.py"))
    assert [module for module in found if not f"{module}.".startswith(tuple(f"{part}." for part in allowed))] == []


def test_every_single_file_is_checked() -> None:
    assert {file.stem for file in ROOT.glob("*.py")} == MAY_IMPORT.keys()


def test_the_imports_are_found() -> None:
    assert {"embedded.lock", "settings.load"} <= set(imports_of(ROOT / "run.py"))
