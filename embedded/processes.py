"""Keeps programs running and stops them in order. Knows nothing of what they do.

Each program runs in a separate session, so that Ctrl-C at the terminal reaches only the supervisor, which then stops
the programs, the last started first. The supervisor restarts a program that ends, after a pause that grows while the
program keeps ending.

This module starts no thread, so it uses neither asyncio's subprocesses nor `to_thread`: see `embedded/parent_death.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded.parent_death import adopt_orphans, ends_with_parent

#: The pause before a restart, in seconds. It doubles each time, and starts anew once a program has run for STEADY_S.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
STEADY_S = 30.0
#: How often to check whether a program is ready, has ended, or has left processes behind, in seconds.
POLL_S = 0.05
#: How long a program that keeps children may take to notice that they have ended, in seconds.
CHILDLESS_S = 10.0
#: How long to wait for its first child, in seconds. A child that is killed at once may never be seen.
FIRST_CHILD_S = 120.0
#: How long the kernel may take to carry out a SIGKILL, in seconds.
KILL_S = 5.0


def say(text: str) -> None:
    """Print a line at the terminal, which may be closed by now."""
    with contextlib.suppress(OSError):
        print(f"postrider: {text}", flush=True)  # noqa: T201 - printing is this function's job


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run.

    Args:
        name: its name in messages.
        command: its command line.
        environment: all of its environment variables.
        stop_s: how long it may take to end after SIGTERM, in seconds; then it is killed.
        log: the file for its output; None: it shares this process's output.
        inherits: file descriptors that it keeps open.
        keeps_children: it only supervises child processes, and should end when they do. The supervisor checks this,
            because a Dramatiq main process hangs if its child is killed while holding the lock that both share.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)  # it holds keys and passwords
    stop_s: float = 10.0
    log: Path | None = None
    inherits: tuple[int, ...] = ()
    keeps_children: bool = False


class StartError(Exception):
    """A program cannot be started, or ended before it was ready."""


class Child:
    """Keeps one program running from construction until `stop`. Needs a running event loop."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ends = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = asyncio.Event()
        self._kept = asyncio.create_task(self._keep())

    @property
    def pid(self) -> int | None:
        """The program's process, which leads a group of its own; None: it has not been started yet."""
        return self._process.pid if self._process else None

    async def until(self, probe: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the probe says that the program is ready.

        Raises:
            StartError: the program ended before it was ready.
        """
        while not await probe():
            if self.ends:
                where = f"; see {self.program.log}" if self.program.log else ""
                raise StartError(f"{self.program.name} did not start{where}")
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """Send SIGTERM; after `stop_s`, send SIGKILL to the program and all processes that it started."""
        self._stopping.set()
        self._signal()
        done, _ = await asyncio.wait({self._kept}, timeout=self.program.stop_s)
        if not done and self._process:
            say(f"{self.program.name} did not end within {self.program.stop_s:g} s: killing it")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._kept

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            started = time.monotonic()
            ending = await self._life()
            if self._stopping.is_set():
                return
            self.ends += 1
            pause_s = FIRST_PAUSE_S if time.monotonic() - started > STEADY_S else pause_s
            say(f"{self.program.name} ended ({ending}): restarting it in {pause_s:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _life(self) -> str:
        """Run the program once; return how it ended.

        An unexpected error here counts as an end too. Otherwise the exception would stay hidden in this task, `until`
        would wait forever, and the program would never be restarted.
        """
        try:
            return _reason(await self._run())
        except Exception as error:  # noqa: BLE001 - see the docstring
            if self._process and self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            return f"the supervisor failed: {type(error).__name__}: {error}"

    async def _run(self) -> int:
        self._process = self._start()
        had_children, childless_at = False, None
        while (code := self._process.poll()) is None:
            await asyncio.sleep(POLL_S)
            if not self.program.keeps_children or _has_children(self._process.pid):
                had_children, childless_at = True, None
                continue
            childless_at = childless_at or time.monotonic()
            if time.monotonic() - childless_at > (CHILDLESS_S if had_children else FIRST_CHILD_S):
                say(f"{self.program.name} has not noticed that its child process is gone: killing it")
                self._process.kill()
                childless_at = None
        await _end_group(self._process.pid, self.program.stop_s)
        return code

    def _start(self) -> subprocess.Popen[bytes]:
        with contextlib.ExitStack() as files:
            output = files.enter_context(self.program.log.open("ab")) if self.program.log else None
            return subprocess.Popen(
                ends_with_parent(self.program.command),
                env=self.program.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=self.program.inherits,
            )

    def _signal(self) -> None:
        # Only the direct child gets the signal: Dramatiq passes it on, and a second one makes it drop its work.
        if self._process:
            self._process.terminate()


class Supervisor:
    """Starts programs, and stops them in the reverse order of their start."""

    def __init__(self) -> None:
        adopt_orphans()
        self._stages: list[list[Child]] = []

    def start(self, *programs: Program) -> list[Child]:
        """Start programs. `stop` will stop them together, before those that were started earlier."""
        stage = [Child(program) for program in programs]
        self._stages.append(stage)
        return stage

    async def stop(self) -> None:
        """Stop all programs, the last started first."""
        while self._stages:
            await asyncio.gather(*(child.stop() for child in self._stages.pop()))


def _has_children(pid: int) -> bool:
    """Whether a process has living children. Without /proc (macOS) this is unknown, and the answer is True."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return True
    return any(_lives(child) for child in children)


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _reason(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _signal_group(group: int, number: int) -> bool:
    """Send a signal (0: only check) to a process group whose leader is gone; False: the group has no process left."""
    with contextlib.suppress(ChildProcessError):  # dead adopted members count as group members until they are reaped
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


async def _end_group(group: int, stop_s: float) -> None:
    """End the processes that a group's leader left behind: workers go on when Dramatiq's main process is killed."""
    for number, patience_s in ((signal.SIGTERM, stop_s), (signal.SIGKILL, KILL_S)):
        deadline = time.monotonic() + patience_s
        left = _signal_group(group, number)
        while left and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            left = _signal_group(group, 0)
        if not left:
            return
