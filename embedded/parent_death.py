"""Runs a command that ends when its parent process ends, even if `kill -9` ended the parent.

This is also a script: `python parent_death.py PARENT_PID COMMAND...`. It asks the kernel for SIGTERM at its parent's
death (Linux's PR_SET_PDEATHSIG, which survives exec) and then becomes the command. The same two lines in a `preexec_fn`
could deadlock when the parent has threads. macOS has no such call: there the command outlives its parent.

The kernel sends the signal once more for each further thread of the dying parent, and a second SIGTERM makes Dramatiq
drop its work and hang. The parent of such commands must therefore have one thread only.

The script imports nothing of the project, so that it starts in a few milliseconds.
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
    """The command line that runs `command` as a child that ends with the calling thread of this process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def adopt_orphans() -> None:
    """Make this process the parent of its children's orphans, so that it can wait for them to end.

    Without this call (macOS) orphans fall to init, and the first process of a container may not be an init.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def main(parent_pid: int, command: list[str]) -> None:
    """Become `command`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # the parent died before the call above
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
