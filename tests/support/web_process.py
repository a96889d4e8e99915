"""A web process that a test has started, and direct calls of its API."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: The longest that anything here may take, in seconds.
PATIENCE_S: Final = 60.0


@dataclass
class WebProcess:
    """A running web process."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("localhost", self.port, timeout=PATIENCE_S)

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send a request; return the status, and the response's JSON, or its bytes if it is no JSON."""
        connection = self.connection()
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, dict(headers or {}))
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        return answer.status, json.loads(raw) if "json" in answer.headers.get("Content-Type", "") else raw

    def wait_for(self, path: str, status: int) -> Any:
        """Ask until the response has this status."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.call("GET", path))[0] != status:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found[1]

    def lines(self) -> list[dict[str, Any]]:
        """Its log: every line is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def rss_bytes(pid: int) -> int:
    """The resident memory of a process, or, if a parent watches it, of that parent's child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = Path(f"/proc/{children[0] if children else pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
