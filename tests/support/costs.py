"""What a piece of work costs on this machine: CPU time that other programs do not lengthen, and memory at its peak."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable

#: How often work that took too long is measured in all.
_TRIES = 5


def cpu_s(work: Callable[[], object], limit_s: float) -> float:
    """The CPU time of this thread in s: the first of five measurements that is below the limit, otherwise the least of
    them.

    On a busy machine any of them can take longer than it has to, as other programs empty the processor's caches.
    """
    taken = _cpu_s(work)
    for _ in range(_TRIES - 1):
        if taken < limit_s:
            break
        taken = min(taken, _cpu_s(work))
    return taken


def _cpu_s(work: Callable[[], object]) -> float:
    gc.disable()  # collecting the garbage of other tests is not part of the work
    try:
        started = time.thread_time()
        work()
        return time.thread_time() - started
    finally:
        gc.enable()


def peak_bytes(work: Callable[[], object]) -> int:
    """How much more memory Python held at the work's peak than before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
