"""Makes Python's garbage collector look for unreachable cycles rarely in a worker."""

from __future__ import annotations

import gc
from typing import Final

import dramatiq

#: The arguments of `gc.set_threshold`: the surplus of allocations over deallocations before a collection, and the
#: number of collections of a generation before one of the next generation. Hundreds of concurrent sends keep tens of
#: thousands of objects alive; with its default of 700, Python would examine them again and again.
THRESHOLDS: Final = (100_000, 5, 5)


class GcTuning(dramatiq.Middleware):
    """Saves the fifth of a worker's CPU time that cycle collection took (`docs/benchmarks.md`).

    Sending leaves no cycles behind, and the objects that modules have created by the boot live on anyway.
    """

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
