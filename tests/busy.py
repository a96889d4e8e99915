"""The tests on a machine that has no core to spare: several runs, each beside processes that burn every core.

    python -m tests.busy --runs 3 -- -k name        # what follows `--` goes to pytest

The first run that fails ends the series. A burner ends with its run, whatever happens: it checks its parent all the
time, and the kernel ends it with its parent too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from embedded.parent_death import ends_with_parent
from tests.support.services import ROOT

#: Counts up as fast as it can while its parent lives.
BURN: Final = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    for _ in range(1_000_000): pass\n"
#: Pytest's closing line.
CLOSING: Final = re.compile(r"^=* ?(\d+ .* in [\d.]+s.*?) ?=*$")


@contextlib.contextmanager
def burning(cores: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Burn this many cores until the block ends."""
    command = [sys.executable, "-c", BURN, str(os.getpid())]
    burners = [subprocess.Popen(ends_with_parent(command), cwd=ROOT, stdin=subprocess.DEVNULL) for _ in range(cores)]
    try:
        yield burners
    finally:
        for burner in burners:
            burner.kill()
        for burner in burners:
            burner.wait()


def run(options: Sequence[str]) -> tuple[int, str]:
    """Run pytest and show what it prints; return its exit code and its closing line."""
    closing = ""
    command = ends_with_parent([sys.executable, "-m", "pytest", *options])
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as pytest:
        assert pytest.stdout
        for line in pytest.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if found := CLOSING.match(line.strip()):
                closing = found[1]
    return pytest.returncode, closing


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.busy", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 2, help="how many cores to burn")
    parser.add_argument("options", nargs="*", help="for pytest")
    asked = parser.parse_args(arguments)
    figures = []
    for number in range(1, asked.runs + 1):
        started = time.monotonic()
        with burning(asked.cores):
            code, closing = run(asked.options)
        took_s = time.monotonic() - started
        figures.append(f"run {number} of {asked.runs} beside {asked.cores} burners, {took_s:.0f} s: {closing}")
        if code:
            break
    sys.stdout.write("\n".join(figures) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
