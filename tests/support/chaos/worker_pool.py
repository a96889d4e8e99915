"""Workers under a supervisor, which restarts `dramatiq` commands that end, as supervisors in production do.

When one process of a command dies, Dramatiq stops the others of that command and the command ends.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from campaigns import keys
from tests.support.program import Program
from tests.support.stack import Stack
from tests.support.waiting import until

#: How often the supervisor checks its commands, in seconds.
LOOK_S: Final = 0.05
#: How long a worker process must have sent heartbeats before it may be killed at random, in seconds. A process that is
#: killed in the millisecond in which it tells Dramatiq's main process that it is ready can leave the main process
#: waiting for a lock forever; a separate test covers a death before that.
READY_S: Final = 0.5
#: How long after a kill the last command of the dead process may still be on the way to Redis, in seconds.
UNDER_WAY_S: Final = 0.1


class Kill(NamedTuple):
    """A worker process ended by SIGKILL. `time_s`: since the epoch; `claims`: the number of its rows in flight.

    `survivors`: the number of worker processes of commands that have lost no process yet, and so continue.
    """

    worker_id: str
    time_s: float
    claims: int
    survivors: int


class WorkerPool:
    """Keeps this number of commands running until the block ends. All of them are ready when it begins.

    Args:
        settings: variables of the workers, which override those of the stack.
    """

    def __init__(self, stack: Stack, commands: int = 2, processes: int = 1, threads: int = 8, **settings: str) -> None:
        self._stack = stack
        self._options: dict[str, Any] = {"processes": processes, "threads": threads, "wait": False, **settings}
        self._wanted = commands
        self._ending = threading.Event()
        # The kernel ends a program with the thread that started it, so this thread lives as long as the commands.
        self._thread = threading.Thread(target=self._run, name="pool", daemon=True)
        self._redis: Any = stack.redis_client()
        self._hit: set[int | None] = set()
        self._seen: dict[str, float] = {}
        self.commands: list[Program] = []
        self.restarts = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.until_ready(self._wanted * self._options["processes"])
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(90)
        self._redis.close()

    def until_ready(self, processes: int) -> None:
        """Wait until this number of worker processes sends heartbeats."""
        until(lambda: len(self.alive()) >= processes, f"{processes} worker processes")

    def alive(self) -> dict[str, int]:
        """Worker id -> pid, of the live worker processes that have told Redis that they work."""
        groups = {command.pid for command in self.commands if command.alive}
        found = {}
        for raw in self._redis.zrange(keys.WORKERS, 0, -1):
            worker_id = raw.decode()
            pid = int(worker_id.rsplit("-", 2)[1])
            if _group(pid) in groups:
                found[worker_id] = pid
                self._seen.setdefault(worker_id, time.monotonic())
        return found

    def ready(self) -> list[str]:
        """The ids of the worker processes that have been alive for a moment."""
        return [worker_id for worker_id in self.alive() if time.monotonic() - self._seen[worker_id] > READY_S]

    def kill_one(self, campaign_id: str) -> Kill:
        """SIGKILL to a random worker process, as soon as there is one; return the kill."""
        return self.kill(random.choice(until(self.ready, "a worker to kill")), campaign_id)

    def kill(self, worker_id: str, campaign_id: str) -> Kill:
        """SIGKILL to this worker process."""
        alive = self.alive()
        self._hit.add(_group(alive[worker_id]))
        survivors = sum(_group(pid) not in self._hit for pid in alive.values())
        time_s = time.time()
        os.kill(alive[worker_id], 9)
        time.sleep(UNDER_WAY_S)
        claims = self._redis.hvals(keys.of(campaign_id, "in_flight"))
        mine = sum(claim.startswith(worker_id.encode() + b"|") for claim in claims)
        return Kill(worker_id, time_s, mine, survivors)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """All commands' log lines of one event, from their first start on."""
        return [line for command in self.commands for line in command.logged(event, whole=True)]

    def _run(self) -> None:
        self.commands += [self._stack.add_worker(**self._options) for _ in range(self._wanted)]
        while not self._ending.wait(LOOK_S):
            for command in self.commands:
                if not command.alive:
                    command.start(wait=False)
                    self.restarts += 1
        for command in self.commands:
            command.terminate()
        for command in self.commands:
            try:
                command.wait(30)
            except Exception:  # noqa: BLE001 - whatever happened, it has to end
                command.kill()


def _group(pid: int) -> int | None:
    """The process group of a live process."""
    try:
        state, _parent, group, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else int(group)
