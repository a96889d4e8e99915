"""Prints measurements: lines at once, and tables in the form that `docs/benchmarks.md` uses."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def line(text: str = "") -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown."""
    line()
    for cells in (head, ["---"] * len(head), *rows):
        line("| " + " | ".join(cells) + " |")
    line()
