"""The rate, the pause and fairness, measured with real processes on this machine; `make bench-rate`.

Run from the repository root: `python -m bench.rate [POINT ...] [--short] [--to DIRECTORY]`. `docs/rate.md` has the
figures of one machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bench import rate_fairness, rate_idle, rate_pause, rate_plot, rate_window
from bench.rate_measures import Finding, Sent

Point = Callable[[], Iterator[Finding | Sent]]
DIRECTORY: Final = Path(__file__).parents[1] / "var" / "bench"


def points(short: bool) -> dict[str, Point]:
    """The points by name, in the order of their runs, at full or short length."""
    return {
        "window": partial(rate_window.window, 75 if short else 180),
        "change": partial(rate_window.change, 33 if short else 120),
        "pause": partial(rate_pause.pause, 80 if short else 400),
        "idle": partial(rate_idle.idle, 10 if short else 20),
        "late": rate_fairness.late,
        "many": partial(rate_fairness.many, 1 if short else 2),
        "trouble": partial(rate_fairness.trouble, 10 if short else 30),
        "limits": partial(rate_fairness.limits, 65 if short else 120),
        "ramp": partial(rate_fairness.ramp, 20 if short else 60),
    }


def main() -> int:
    """Measure, print the table, and write the plot; return 0 if everything holds."""
    names = list(points(short=True))
    parser = argparse.ArgumentParser(prog="python -m bench.rate", description=__doc__.split("\n")[0])
    parser.add_argument("point", nargs="*", help=f"which to run: {', '.join(names)}; none: all")
    parser.add_argument("--short", action="store_true", help="less time for each")
    parser.add_argument("--to", type=Path, default=DIRECTORY, help="where the table and the plot go")
    options = parser.parse_args()
    if wrong := set(options.point) - set(names):
        parser.error(f"no such point: {', '.join(sorted(wrong))}")
    findings: list[Finding] = []
    series: list[Sent] = []
    for name in options.point or names:
        started = time.monotonic()
        for item in points(options.short)[name]():
            if isinstance(item, Sent):
                series.append(item)
            else:
                findings.append(item)
                _say(_line(item))
        _say(f"-- {name}: {time.monotonic() - started:.0f} s, load {os.getloadavg()[0]:.1f}")
    _write(findings, series, options.to)
    return 0 if all(finding.holds for finding in findings) else 1


def _write(findings: list[Finding], series: list[Sent], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    head = "| point | what | measured | asked for | |\n|---|---|---|---|---|\n"
    rows = [f"| {' | '.join(finding[:4])} | {'yes' if finding.holds else '**no**'} |\n" for finding in findings]
    (directory / "rate.md").write_text(head + "".join(rows), encoding="utf-8")
    written = rate_plot.save(series, directory) if series else []
    _say("written: " + ", ".join(str(path) for path in (directory / "rate.md", *written)))


def _line(finding: Finding) -> str:
    mark = "ok" if finding.holds else "NO"
    return f"{mark}  {finding.point:14} {finding.what:60} {finding.measured:>24}   {finding.wanted}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
