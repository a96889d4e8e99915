"""A lock file that allows one supervisor at a time per `var/` directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

#: How long the servers of a killed supervisor may take to end, in seconds.
LEFTOVERS_S = 15.0
#: How often to try to take the lock, in seconds.
POLL_S = 0.1


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Hold the lock and give its file descriptor.

    The embedded servers inherit the descriptor, so that the lock stays held while one of them lives.

    Raises:
        SystemExit: another supervisor holds the lock, or its servers are still ending.
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
            raise SystemExit(f"postrider: already running here (process {holder}); stop it first")
        if time.monotonic() > deadline:
            raise SystemExit("postrider: servers of an earlier run are still ending; try again in a few seconds")
        time.sleep(POLL_S)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
