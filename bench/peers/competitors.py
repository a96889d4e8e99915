"""The peers as programs: their tools, what they need before they run, and how they get their jobs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import redis

from bench.lists import cells
from embedded import valkey
from embedded.ports import LOOPBACK, answers
from tests.support.program import Program
from tests.support.services import ROOT, clean_environment
from tests.support.stack import free_port

HERE: Final = Path(__file__).parent
#: Where the peers are built.
BUILT: Final = ROOT / "var" / "bench"
#: How many emails each of them sends at the same time: over all processes, without latency and with 100 ms.
GO_WORKERS: Final = {0: 200, 100: 1000}
BULLMQ_PROCESSES: Final = 2
BULLMQ_CONCURRENCY: Final = {0: 50, 100: 200}
#: Jobs per round trip.
_AT_ONCE: Final = 1000


class Peer(Protocol):
    """A program that sends one email per job. `name`: in the tables."""

    name: str

    def enqueue(self, emails: int) -> None:
        """Put this many jobs on its queue."""

    def commands(self, url: str, latency_ms: int) -> list[Program]:
        """Its processes, not started yet, that send to a provider at this URL."""


class PlainRedis:
    """A Valkey in its own default configuration, without an append-only file, for the peers alone."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        directory.mkdir()
        command = [*valkey.command(self.port, directory), "--appendonly", "no"]
        self.program = Program(
            "peers-redis", command, clean_environment({}), directory / "log", lambda _program: answers(self.port)
        )

    def client(self) -> Any:
        """A client."""
        return redis.Redis(host=LOOPBACK, port=self.port)


class GoPool:
    """`go/main.go`: goroutines that take jobs from a Redis list."""

    name = "Go worker pool"

    def __init__(self, server: PlainRedis, directory: Path) -> None:
        self._server, self._directory = server, directory
        self._binary = BUILT / "go-pool"
        subprocess.run(["go", "build", "-o", self._binary, "."], cwd=HERE / "go", check=True)  # noqa: S607

    def enqueue(self, emails: int) -> None:
        """See `Peer`."""
        client = self._server.client()
        waiting: list[bytes] = []
        for job in jobs(emails):
            waiting.append(job)
            if len(waiting) == _AT_ONCE:
                client.rpush("jobs", *waiting)
                waiting.clear()
        if waiting:
            client.rpush("jobs", *waiting)

    def commands(self, url: str, latency_ms: int) -> list[Program]:
        """See `Peer`."""
        redis_address = f"{LOOPBACK}:{self._server.port}"
        command = [str(self._binary), "-workers", str(GO_WORKERS[latency_ms]), "-redis", redis_address, "-url", url]
        return [Program("go", command, clean_environment({}), self._directory / "go.log", lambda _program: True)]


class BullMq:
    """`bullmq/`: two Node.js processes."""

    name = "BullMQ"

    def __init__(self, server: PlainRedis, directory: Path) -> None:
        self._server, self._directory = server, directory
        self._source = BUILT / "bullmq"
        shutil.copytree(HERE / "bullmq", self._source, dirs_exist_ok=True)
        install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(install, cwd=self._source, check=True)

    def enqueue(self, emails: int) -> None:
        """See `Peer`."""
        subprocess.run(
            ["node", "enqueue.mjs"],  # noqa: S607
            cwd=self._source,
            env=self._environment(""),
            input=b"\n".join(jobs(emails)),
            check=True,
        )

    def commands(self, url: str, latency_ms: int) -> list[Program]:
        """See `Peer`."""
        command = ["node", str(self._source / "worker.mjs"), str(BULLMQ_CONCURRENCY[latency_ms])]
        return [
            Program(
                f"bullmq-{number}", command, self._environment(url), self._directory / "bullmq.log", lambda _one: True
            )
            for number in range(BULLMQ_PROCESSES)
        ]

    def _environment(self, url: str) -> dict[str, str]:
        return clean_environment({"REDIS_PORT": str(self._server.port), "PROVIDER_URL": url})


def jobs(emails: int) -> Iterator[bytes]:
    """One job per email, as JSON."""
    for row in range(1, emails + 1):
        address, name, _last, city, _number = cells(row)
        fields = {"first_name": name, "city": city}
        yield msgspec.json.encode({"campaign_id": "peer", "row": row, "email": address, "fields": fields})


def missing(peer: type[GoPool | BullMq]) -> str | None:
    """The tool that a peer lacks on this machine."""
    tools = ("go",) if peer is GoPool else ("node", "npm")
    return next((tool for tool in tools if shutil.which(tool) is None), None)
