"""The entry point of a worker process: `dramatiq actors` imports this package, and the import builds the worker.

The actors ParseCsv, SendEmail and Reconcile are classes in `worker/`, so that importing one of them builds nothing.
Only Dramatiq's command, and programs that replace it, import this package.
"""

from __future__ import annotations

from typing import Final

import settings
from worker.composition import build_worker

broker: Final = build_worker(settings.current())
