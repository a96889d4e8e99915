"""How often Python looks for unreachable cycles in a worker."""

from __future__ import annotations

import gc
from typing import Final

import dramatiq

#: How many more objects are made than given back before Python looks for cycles, and how many looks at the young ones
#: before one at older ones. Hundreds of sends under way are tens of thousands of live objects; by its own 700, Python
#: would look at them again and again.
THRESHOLDS: Final = (100_000, 5, 5)


class GcTuning(dramatiq.Middleware):
    """Sees to it that hardly any time goes into looking for cycles: a fifth of a worker's CPU before
    (`docs/benchmarks.md`). What is sent leaves none behind, and what modules have made by the boot lives on anyway.
    """

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
