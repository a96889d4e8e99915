"""The entry point of a worker process: `dramatiq actors` imports this package, and that builds the worker.

The actors ParseCsv, SendEmail and Reconcile are classes in `worker/`, so that importing one of them builds nothing.
Nothing imports this package but Dramatiq's command and what stands in for it.
"""

from __future__ import annotations

from typing import Final

import settings
from worker.composition import build_worker

broker: Final = build_worker(settings.current())
