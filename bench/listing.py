"""The list of campaigns: how long `GET /campaigns` takes with 10 campaigns and with 1,000, asked in turns, and how long
the metrics take beside it.

    python -m bench.listing
"""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.control import Route, p99
from bench.lists import CONTENT
from bench.report import line, table
from bench.stack import BenchStack, median

FEW: Final = 10
MANY: Final = 1000
#: The samples of each, and the repetitions; the figure is the median of the repetitions' p99.
SAMPLES: Final = 300
REPEAT: Final = 3
#: A template of a usual size, in bytes.
TEMPLATE_BYTES: Final = 50_000
PATHS: Final = ("/campaigns", f"/campaigns?limit={FEW}")


def measure(few: BenchStack, many: BenchStack) -> None:
    """Ask both installations in turns."""
    for stack, count in ((few, FEW), (many, MANY)):
        for number in range(count):
            stack.put(f"c{number}", **CONTENT | {"html": "x" * TEMPLATE_BYTES})
    asked = {(path, count): Route(stack, "GET", path) for path in PATHS for stack, count in ((few, FEW), (many, MANY))}
    found: dict[tuple[str, int], list[list[float]]] = {key: [] for key in asked}
    for _ in range(REPEAT):
        for samples in found.values():
            samples.append([])
        for _ in range(SAMPLES):
            for key, route in asked.items():
                found[key][-1].append(route.ask_ms())
    slowest = {key: median(p99(samples) for samples in rounds) for key, rounds in found.items()}
    middle = {key: median(statistics.median(samples) for samples in rounds) for key, rounds in found.items()}
    rows = [
        [
            f"`GET {path}`",
            *(f"{middle[path, count]:.2f} / {slowest[path, count]:.2f}" for count in (FEW, MANY)),
            f"**{slowest[path, MANY] / slowest[path, FEW]:.1f}**",
            "3",
        ]
        for path in PATHS
    ]
    line("  median / p99 in ms")
    table(["route", f"{FEW} campaigns", f"{MANY:,} campaigns", "p99, ratio", "goal"], rows)


def main() -> None:
    """Measure and print."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        few, many = (stack.enter_context(BenchStack.open(directory / name)) for name in ("few", "many"))
        measure(few, many)


if __name__ == "__main__":
    main()
