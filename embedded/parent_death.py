"""Runs a command that ends when the process that asked for it ends, even by `kill -9`.

This is also a script: `python parent_death.py PARENT_PID COMMAND...`. It asks the kernel for SIGTERM at its parent's
death (Linux's PR_SET_PDEATHSIG, which survives exec) and then becomes the command. In a `preexec_fn` the same two lines
could deadlock under threads. Where the kernel has no such call (macOS) the command outlives its parent.

The kernel sends the signal again for each further thread that the dying parent still has, and a second SIGTERM makes
Dramatiq drop its work and hang. So a parent of such commands has one thread only.

Imports nothing of the project, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

#: Linux, `prctl(2)`: the signal that this process gets when its parent's thread ends.
PR_SET_PDEATHSIG = 1
#: Linux, `prctl(2)`: processes whose parent dies become children of this one, instead of init's.
PR_SET_CHILD_SUBREAPER = 36


def ends_with_parent(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` as a child that does not outlive this process's calling thread."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def adopt_orphans() -> None:
    """Become the parent of what this process's children leave behind, so that its end can be awaited.

    Without it (macOS) that is init's duty, and in a container the first process may be no init.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def main(parent_pid: int, command: list[str]) -> None:
    """Become `command`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # it died before the call above
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
