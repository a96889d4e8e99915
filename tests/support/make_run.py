"""`make run` as a user starts it, with separate data, and the API as a user calls it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from embedded import ports
from embedded.parent_death import ends_with_parent
from tests.support.services import ROOT, clean_environment
from tests.support.waiting import PATIENCE_S, until

CONTENT = {"from": "News <news@example.com>", "subject": "Hello {{ name }}", "text": "Dear {{ name }}"}


@dataclass(frozen=True)
class MakeRun:
    """A running `make run`."""

    process: subprocess.Popen[bytes]
    port: int
    var: Path
    log: Path

    def output(self) -> str:
        """What it and its web process and workers have printed so far."""
        return self.log.read_text(errors="replace")

    def until_ready(self) -> None:
        """Wait until it has said that it can be used."""
        until(lambda: "ready: http://" in self.output() or self.process.poll() is not None, "ready")
        assert self.process.poll() is None, self.output()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API with JSON; return its response."""
        data = None if body is None else json.dumps(body).encode()
        return self._request(method, path, data, "application/json")

    def send_campaign(self, campaign_id: str, rows: int, tpm: int) -> None:
        """Start a campaign with this number of recipients."""
        self.call("PUT", f"/campaigns/{campaign_id}", CONTENT | {"tpm": tpm})
        lines = "".join(f"reader{row}@example.com,Reader {row}\n" for row in range(1, rows + 1))
        self._request("POST", f"/campaigns/{campaign_id}/upload", ("email,name\n" + lines).encode(), "text/csv")
        self.call("POST", f"/campaigns/{campaign_id}/start")

    def _request(self, method: str, path: str, data: bytes | None, content_type: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = Request(url, data, {"Content-Type": content_type}, method=method)
        try:
            with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def status(self, campaign_id: str) -> dict[str, Any]:
        """A campaign's status."""
        found: dict[str, Any] = self.call("GET", f"/campaigns/{campaign_id}/status")
        return found

    def until_status(self, campaign_id: str, wanted: str) -> dict[str, Any]:
        """Wait until a campaign has this status."""
        until(lambda: self.status(campaign_id)["status"] == wanted, f"{campaign_id} {wanted}\n{self.output()[-2000:]}")
        return self.status(campaign_id)

    def emails(self, campaign_id: str) -> list[str]:
        """The names of a campaign's emails in the outbox."""
        return [file.name for file in (self.var / "outbox" / campaign_id).glob("*.eml")]

    def programs(self, words: str = "") -> list[int]:
        """The processes that it has started, directly or not, and that have `words` in their command line."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                mine = f"VAR_DIR={self.var}\0".encode() in (directory / "environ").read_bytes()
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # the process has ended meanwhile
                continue
            if mine and words in command and int(directory.name) != self.process.pid:
                found.append(int(directory.name))
        return sorted(found)

    def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(directory: Path, **settings: str) -> Iterator[MakeRun]:
    """A `make run` over `directory`, which ends with the block at the latest."""
    settings = {"PORT": str(ports.free_port()), "WORKER_PROCESSES": "1", "VAR_DIR": str(directory / "var")} | settings
    log = directory / f"output-{len(list(directory.glob('output-*')))}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ends_with_parent([sys.executable, "run.py"]),
            cwd=ROOT,
            env=clean_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o022,  # as most users have it: files are readable for all unless the program says otherwise
        )
    run = MakeRun(process, int(settings["PORT"]), Path(settings["VAR_DIR"]), log)
    try:
        yield run
    finally:
        if process.poll() is None:
            run.stop()
