"""`make bench`: every measurement of `docs/benchmarks.md` except those of the rate (`bench.rate`), one after another.

python -m bench [large]
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from bench.report import line
from tests.support.services import ROOT


def main() -> None:
    """Run each measurement in a separate process; stop at the first that fails."""
    large = sys.argv[1:] == ["large"]
    model = next((row for row in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in row), ": unknown")
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    line(f"{os.cpu_count()} cores,{model.partition(':')[2]}, {platform.system()} {platform.release()}")
    line(f"Python {platform.python_version()}; load before: {load}")
    for module, *arguments in (
        ("sending",),
        ("slope", *(["large"] if large else [])),
        ("parsing",),
        ("control",),
        ("listing",),
    ):
        line(f"\n## {module}")
        subprocess.run([sys.executable, "-m", f"bench.{module}", *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
