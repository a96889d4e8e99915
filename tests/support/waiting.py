"""Waiting for a condition, with a deadline; a test never waits for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: How long a step may take, in seconds. This is generous, since other programs may use the machine too.
PATIENCE_S = 240.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until the condition is met; return its value.

    Raises:
        AssertionError: it is not met in time.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE_S:g} s: {what}")
