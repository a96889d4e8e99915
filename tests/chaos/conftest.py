"""Chaos: real processes, broken on purpose. `CHAOS=full` (`make chaos`) runs all of it at full size, `small` at a small
one.

Otherwise only the tests marked `short` run, at the small size, in every run of the tests. Each test reports what it
measured through `figures`; the lines appear at the end of the output and in `var/chaos/figures.jsonl`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

MODE: Final = os.environ.get("CHAOS", "short")
FULL: Final = MODE == "full"
HERE: Final = Path(__file__).parent
FIGURES: Final = HERE.parents[1] / "var" / "chaos" / "figures.jsonl"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones out, unless they are requested."""
    if MODE != "short":
        return
    left_out = [item for item in items if item.path.is_relative_to(HERE) and not item.get_closest_marker("short")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of this run. A test's report carries them here from the process that has run the test."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, line in report.user_properties:
                    if name == FIGURES.stem:
                        terminalreporter.write_line(line)


@pytest.fixture
def full() -> bool:
    """Whether this run is the full one."""
    return FULL


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Records what a test has measured, by name."""
    started = time.monotonic()

    def record(**measured: Any) -> None:
        took_s = round(time.monotonic() - started, 1)
        entry = {"test": request.node.name, "full": FULL, **measured, "took_s": took_s}
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        with FIGURES.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        shown = ", ".join(f"{name} {value}" for name, value in measured.items())
        request.node.user_properties.append((FIGURES.stem, f"{request.node.name}: {shown} ({took_s:g} s)"))

    return record
