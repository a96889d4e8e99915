r"""Postrider's components as real processes on free ports: Valkey, S3, the SendGrid double, the web process, workers.

For tests that start, stop, freeze and kill components one by one. `tests/support/make_run.py` is `make run` as users
start it.

    with Stack.open(tmp_path, SEND_TIMEOUT_S="2") as stack:     # servers, double and web; no worker yet
        worker = stack.add_worker(processes=1, threads=8)
        stack.put("c1", tpm=6000)
        stack.upload("c1", b"email\na@shop.test\n")
        stack.start("c1")
        worker.kill()                                           # kill -9 of the whole command
        worker.start()                                          # the same command again
        stack.redis.kill(); stack.redis.start()                 # its data and its port stay
        stack.double.behave(answer="503")
        stack.until_status("c1", "completed")
        stack.double.arrivals()

No process outlives the block or the test's process, whatever the test does.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import redis

from embedded import ports, s3, valkey
from tests.support.client import Client
from tests.support.doubles.sendgrid import SendGridDouble
from tests.support.program import Program
from tests.support.services import S3_ACCESS_KEY, S3_SECRET_KEY, clean_environment
from tests.support.waiting import PATIENCE_S, until

SENDGRID_KEY: Final = "SG.key-of-the-double"
#: Ports below those of outgoing connections, so that no other program takes the port of a server that is away.
PORTS: Final = range(20_000, 32_000)


#: Those ports that this process has not given away yet, in random order, as other processes choose too.
_untouched: Final = random.sample(PORTS, len(PORTS))


def free_port() -> int:
    """A free port that no outgoing connection takes while its server is away; each port once per process."""
    return next(port for port in iter(_untouched.pop, None) if ports.is_free(port))


class Stack(Client):
    """All components over one directory. `open` makes one; `settings` are variables of web and workers, over the
    defaults.

    Components: `redis`, `s3`, `sendgrid` (the double's process), `web`, `workers` (each one `dramatiq` command).
    `double` tells the double how to behave and what has arrived; `redis_client()` makes a Redis client.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self.var = directory / "var"
        super().__init__(free_port())
        #: The most recipients of one request to the provider.
        self.batch = int(settings.get("SENDGRID_BATCH") or os.environ.get("SENDGRID_BATCH", "1"))
        redis_port, s3_port, double_port, control_port = (free_port() for _ in range(4))
        self.redis_url = f"redis://{ports.LOOPBACK}:{redis_port}/0"
        self.s3_url = f"http://{ports.LOOPBACK}:{s3_port}"
        self.double = SendGridDouble(
            f"http://{ports.LOOPBACK}:{double_port}", f"http://{ports.LOOPBACK}:{control_port}"
        )
        self.environment = clean_environment(self._defaults() | dict(settings))
        server = clean_environment(s3.environment(S3_ACCESS_KEY, S3_SECRET_KEY))
        valkey_command = valkey.command(redis_port, self._data("redis"))
        self.redis = self._program("redis", valkey_command, server, _listens(redis_port))
        self.s3 = self._program("s3", s3.command(s3_port, self._data("s3")), server, _listens(s3_port))
        double = [
            sys.executable,
            "-m",
            "tests.support.doubles.sendgrid",
            "--port",
            str(double_port),
            "--control-port",
            str(control_port),
        ]
        double += ["--key", SENDGRID_KEY, "--log", str(directory / "arrivals.jsonl")]
        self.sendgrid = self._program("sendgrid", double, server, _listens(control_port))
        web = [sys.executable, "-m", "uvicorn", "api:app", "--host", ports.LOOPBACK, "--port", str(self.port)]
        web += ["--timeout-graceful-shutdown", "3"]
        self.web = self._program("web", web, dict(self.environment), _listens(self.port))
        self.workers: list[Program] = []

    def _defaults(self) -> dict[str, str]:
        return s3.client_environment(S3_ACCESS_KEY, S3_SECRET_KEY) | {
            "PORT": str(self.port),
            "REDIS_URL": self.redis_url,
            "S3_ENDPOINT_URL": self.s3_url,
            "SENDGRID_API_KEY": SENDGRID_KEY,
            "SENDGRID_API_URL": self.double.url,
            # So that `SENDGRID_BATCH=64 make chaos` breaks everything with requests to several recipients too.
            "SENDGRID_BATCH": str(self.batch),
            "VAR_DIR": str(self.var),
            "PYTHONUNBUFFERED": "1",
        }

    def _data(self, name: str) -> Path:
        directory = self.directory / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def _program(
        self, name: str, command: Sequence[str], environment: dict[str, str], ready: Callable[[Program], bool]
    ) -> Program:
        return Program(name, command, environment, self.directory / f"{name}.log", ready)

    @classmethod
    @contextlib.contextmanager
    def open(cls, directory: Path, *, web: bool = True, **settings: str) -> Iterator[Self]:
        """Servers, double and, unless told otherwise, web process, started and ready; all end with the block."""
        stack = cls(directory, settings)
        try:
            for program in (stack.redis, stack.s3, stack.sendgrid):
                program.start(wait=False)
            for program in (stack.redis, stack.s3, stack.sendgrid):
                program.until_ready()
            if web:
                stack.web.start()
                until(stack.ready, "readyz")
            yield stack
        finally:
            stack.close()

    def close(self) -> None:
        """End everything: workers first, each cleanly if possible, and by SIGKILL whatever is left of it then."""
        started = [part for part in (*self.workers, self.web, self.sendgrid, self.s3, self.redis) if part._process]
        for group in ([part for part in started if part in self.workers], started):
            for part in group:
                if part.alive:
                    part.thaw()
                part.terminate()
            for part in group:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    part.wait(PATIENCE_S / 3)
                part.kill()

    def add_worker(
        self, processes: int = 1, threads: int = 8, *, wait: bool = True, module: str = "actors", **settings: str
    ) -> Program:
        """Start one more `dramatiq actors --processes P --threads T`, with its variables if any are given.

        `module`: a module to use instead of `actors`, which imports them and breaks something.
        """
        command = [sys.executable, "-m", "dramatiq", module, "--processes", str(processes), "--threads", str(threads)]
        name = f"worker-{len(self.workers) + 1}"
        worker = self._program(
            name,
            [*command, "--skip-logging", "--worker-fork-timeout", "2000"],
            self.environment | settings,
            lambda program: len(program.logged("worker_started")) >= processes,
        )
        self.workers.append(worker)
        return worker.start(wait)

    def redis_client(self) -> redis.Redis:
        """A new Redis client; replies are bytes."""
        return redis.Redis.from_url(self.redis_url)


def _listens(port: int) -> Callable[[Program], bool]:
    return lambda _program: ports.answers(port)
