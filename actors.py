"""The entry point of a worker process: `dramatiq actors` imports this module, and that builds the worker.

Nothing else imports it, except what stands in for Dramatiq's command.
"""

from __future__ import annotations

from typing import Final

import settings
from worker.composition import build_worker

broker: Final = build_worker(settings.current())
