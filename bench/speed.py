"""How fast this machine is at the moment: a process that does the same small piece of work again and again and tells
how much CPU time each took. Whoever shares the processor makes it slower without being seen in any load.

    with Speed() as speed: ...; speed.since(moment)
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Final, Self

from tests.services import ROOT

#: Between two pieces of work, in s: a hundredth of a core is used.
EVERY_S: Final = 0.1


def work_us() -> float:
    """CPU time that the piece of work takes now, in us (about a thousand)."""
    started = time.thread_time_ns()
    for number in range(100):
        text = json.dumps({"row": number, "words": [str(number)] * 20})
        sum(len(word) for word in json.loads(text)["words"])
    return (time.thread_time_ns() - started) / 1000


class Speed:
    """Watches until the block ends."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.speed", str(os.getpid())]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        os.set_blocking(self._process.stdout.fileno(), False)  # type: ignore[union-attr]
        self._seen: list[tuple[float, float]] = []
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def since(self, moment: float) -> float:
        """The mean of the work's CPU time since then, in us; the tenth that took longest left out."""
        if self._process.stdout:
            for row in self._process.stdout.readlines():
                time_s, took_us = row.split()
                self._seen.append((float(time_s), float(took_us)))
        found = sorted(took_us for time_s, took_us in self._seen if time_s >= moment)
        return statistics.fmean(found[: max(1, len(found) * 9 // 10)])


def main() -> None:
    """Tell the moment and the time of each piece of work, as long as whoever started this lives."""
    while os.getppid() == int(sys.argv[1]):
        print(time.time(), work_us(), flush=True)  # noqa: T201 - read by `Speed`
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main()
