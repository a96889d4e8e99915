"""The stack of every measurement: all components as real processes, and the resources that each of them has used.

The other modules measure, and print the figures.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import statistics
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.lists import CONTENT
from embedded import s3
from storage import ObjectStore
from tests.support.doubles.certificate import Certificate
from tests.support.doubles.sendgrid import SendGridDouble
from tests.support.program import Program
from tests.support.services import S3_ACCESS_KEY, S3_SECRET_KEY
from tests.support.stack import Stack

#: A rate above every speed here, in emails per minute.
UNLIMITED: Final = 10_000_000
#: The number of processes of every measured worker.
PROCESSES: Final = 2
#: The share of the machine that other programs may use while something is measured.
QUIET: Final = 0.1
#: A list longer than this goes up in parts.
DIRECT_BYTES: Final = 8 << 20
#: The longest that parsing may take, in seconds.
PARSE_PATIENCE_S: Final = 600.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class BenchStack(Stack):
    """The components of `tests.support.stack`: Valkey, S3, the SendGrid double and the web process. Workers come and
    go.
    """

    def prepare(self, campaign_id: str, csv: bytes, tpm: int = UNLIMITED) -> None:
        """Make a campaign with a list, and wait until it can start."""
        self.put(campaign_id, **CONTENT, tpm=tpm)
        if len(csv) > DIRECT_BYTES:
            self.upload_in_parts(campaign_id, csv)
        else:
            self.upload(campaign_id, csv)
        wait_until(lambda: self.status(campaign_id)["status"] == "ready", PARSE_PATIENCE_S)

    def first_arrival_s(self) -> float:
        """When the first email came, in seconds since the epoch."""
        moment: float = self.double._ask("/_arrivals?since=0")["rows"][0][1]  # noqa: SLF001 - one page, not all of them
        return moment

    def object_store(self) -> ObjectStore:
        """The bucket of this stack."""
        os.environ.update(s3.client_environment(S3_ACCESS_KEY, S3_SECRET_KEY))
        return ObjectStore("my-bucket", self.s3_url)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far, user and system: of the workers, of Valkey, of the web process, of the double."""
        parts = {"redis": [self.redis], "web": [self.web], "double": [self.sendgrid]}
        parts["worker"] = [worker for worker in self.workers if worker.alive]
        return {name: cpu_of(found) for name, found in parts.items()}


class TlsBenchStack(BenchStack):
    """The same with a double that speaks TLS.

    One file holds its certificate authority together with the system's authorities, so that a client that reads them
    anew for each connection pays the usual price.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        super().__init__(directory, settings)
        authority = Certificate.make(directory / "tls").authority
        self.sendgrid.command = [*self.sendgrid.command, "--tls", str(authority.parent)]
        self.double = SendGridDouble(self.double.url.replace("http:", "https:"), self.double.control)
        self._authority = authority
        self._bundle = directory / "authorities.pem"
        self.environment |= {"SENDGRID_API_URL": self.double.url, "SSL_CERT_FILE": str(self._bundle)}

    def add_worker(self, *args: Any, **settings: Any) -> Program:
        # The double makes its authority when it starts; it listens by now.
        system = ssl.get_default_verify_paths().cafile or ssl.get_default_verify_paths().openssl_cafile
        known = Path(system).read_bytes() if Path(system).exists() else b""
        self._bundle.write_bytes(known + self._authority.read_bytes())
        return super().add_worker(*args, **settings)


def cpu_of(programs: Iterable[Program]) -> float:
    """CPU seconds of these programs so far, with their children."""
    return sum(_cpu_s(pid) for program in programs for pid in program.members())


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _idle_and_all() -> tuple[int, int]:
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def until_quiet(patience_s: float = 60.0) -> float:
    """Wait for a while until no other program uses the machine; return the share that others still use, 0 to 1.

    Other programs slow down a side that is limited by the CPU, but not a side that waits for something else: a ratio
    measured on a busy machine says little.
    """
    deadline = time.monotonic() + patience_s
    while True:
        idle, all_ = _idle_and_all()
        time.sleep(1.0)
        idle_then, all_then = _idle_and_all()
        used = 1 - (idle_then - idle) / max(1, all_then - all_)
        if used < QUIET or time.monotonic() > deadline:
            return used


def wait_until(condition: Any, timeout_s: float, every_s: float = 0.01) -> float:
    """Ask until the condition is met; return that time, in seconds since the epoch.

    Raises:
        TimeoutError: the condition is not met in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return time.time()
        time.sleep(every_s)
    raise TimeoutError(f"not within {timeout_s:g} s")


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)
