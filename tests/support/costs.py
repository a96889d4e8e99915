"""What a piece of work takes on this machine: CPU time that others' work does not lengthen, and memory at its peak."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable

#: How often a time that is too long is measured again.
_TRIES = 5


def cpu_s(work: Callable[[], object], limit_s: float) -> float:
    """The CPU time of this thread in s: the first of five measurements that is below the limit, else the least of them.
    On a busy machine each can take longer than it has to, as others empty the processor's caches meanwhile.
    """
    taken = _cpu_s(work)
    for _ in range(_TRIES - 1):
        if taken < limit_s:
            break
        taken = min(taken, _cpu_s(work))
    return taken


def _cpu_s(work: Callable[[], object]) -> float:
    gc.disable()  # a collection of all that the tests hold is not the work's
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
