"""A command as a real process that a test starts, stops, freezes and kills, again and again. Linux only (`/proc`)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from embedded.parent_death import ends_with_parent
from tests.support.services import ROOT
from tests.support.waiting import PATIENCE_S, until


class Program:
    """One command that can be started again and again, with the same settings and the same log.

    Args:
        name: its name in messages.
        environment: all of its environment variables; changes take effect at the next start.
        log: the file to which its output is appended.
        ready: tells whether it is ready; `start` waits for it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: dict[str, str],
        log: Path,
        ready: Callable[[Program], bool],
    ) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.log = log
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._printed_before = 0

    def start(self, wait: bool = True) -> Program:
        """Start it, or start it again; return once it is ready, or at once.

        Raises:
            AssertionError: it ended, or is not ready in time; the message has its output.
        """
        assert not self.alive, f"{self.name} runs already"
        self.log.touch()
        self._printed_before = self.log.stat().st_size
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                ends_with_parent(self.command),
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.until_ready()
        return self

    def until_ready(self) -> None:
        """Wait until it is ready. Raises as `start`."""
        until(lambda: not self.alive or self._ready(self), f"{self.name} ready: {self.output()[-4000:]}")
        assert self.alive, f"{self.name} ended:\n{self.output()[-4000:]}"

    @property
    def pid(self) -> int:
        """The main process of the command: for `dramatiq`, the one that keeps the worker processes."""
        assert self._process, f"{self.name} has not been started"
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the command's main process runs."""
        return self._process is not None and self._process.poll() is None

    def members(self) -> list[int]:
        """All live processes of the command, the main one first: for `dramatiq`, the worker processes too."""
        return sorted(pid for pid, group in _groups() if group == self.pid)

    def terminate(self) -> None:
        """SIGTERM to the command's main process, as a supervisor does. Does not wait."""
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait until it has ended; return the exit code, negative if a signal ended it."""
        assert self._process, f"{self.name} has not been started"
        return self._process.wait(timeout_s)

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """SIGTERM, and wait; return the exit code."""
        self.terminate()
        return self.wait(timeout_s)

    def kill(self, pid: int | None = None) -> None:
        """SIGKILL to the whole command at once, as a power cut, or to one of `members()`; gone when this returns."""
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            until(lambda: pid not in self.members(), f"the end of a process of {self.name}")
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        until(lambda: not self.members(), f"the end of {self.name}")

    def freeze(self) -> None:
        """Send SIGSTOP to all processes of the command: they stay alive, but no longer respond."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT after `freeze`."""
        os.killpg(self.pid, signal.SIGCONT)

    def output(self, whole: bool = False) -> str:
        """What it has printed since its last start, or since its first."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(0 if whole else self._printed_before)
            return file.read().decode(errors="replace")

    def logged(self, event: str, whole: bool = False) -> list[dict[str, Any]]:
        """Its log lines of one event, since its last start or its first."""
        found = []
        for line in self.output(whole).splitlines():
            if f'"{event}"' in line:
                with contextlib.suppress(json.JSONDecodeError):
                    found.append(json.loads(line))
        return [line for line in found if line.get("event") == event]

    def until_logged(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait for log lines of an event, counted since the last start."""
        until(lambda: len(self.logged(event)) >= times, f"{times} x {event} by {self.name}")
        return self.logged(event)


def _groups() -> Iterator[tuple[int, int]]:
    """Each live process with its process group; a process that has ended and waits for its parent is not alive."""
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _parent, group, *_ = (directory / "stat").read_text().rpartition(")")[2].split()
            if state != "Z":
                yield int(directory.name), int(group)
