"""One supervisor at a time over one `var/` directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

#: How long the servers of a supervisor that was killed may take to end.
LEFTOVERS_S = 15.0
POLL_S = 0.1


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Hold the lock file; its descriptor, which the embedded servers inherit: while one of them lives, it is held.

    Raises:
        SystemExit: somebody else holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int) -> None:
    deadline = time.monotonic() + LEFTOVERS_S
    while True:
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder = int(os.pread(descriptor, 20, 0) or 0)
        if holder and _lives(holder):
            raise SystemExit(f"postrider: already running here (process {holder}); stop that one first")
        if time.monotonic() > deadline:
            raise SystemExit("postrider: servers of an earlier run are still ending; try again in a moment")
        time.sleep(POLL_S)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
