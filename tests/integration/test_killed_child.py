"""The one moment in which Dramatiq's main process does not notice that its worker process died, and how the supervisor
does.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from embedded import processes
from embedded.processes import Program, Supervisor
from tests.support.stack import Stack
from tests.support.waiting import PATIENCE_S


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not tell whose children live")
def test_a_worker_killed_while_it_holds_dramatiqs_lock_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Given a worker process that is killed while it reports that it is ready and holds the lock of that message.
    Then its main process waits for the lock without end, and the supervisor starts it again.
    """
    monkeypatch.setattr(processes, "CHILDLESS_S", 2.0)
    with Stack.open(tmp_path, web=False) as stack:
        log = tmp_path / "worker.log"
        options = ("--processes", "1", "--threads", "2", "--skip-logging", "--worker-fork-timeout", "60000")
        worker = Program(
            "worker",
            [sys.executable, "-m", "dramatiq", "tests.support.chaos.broken_worker", *options],
            stack.environment | {"DIE_WITH_LOCK": str(tmp_path / "died")},
            log=log,
            keeps_children=True,
        )

        async def supervised() -> None:
            supervisor = Supervisor()
            supervisor.start(worker)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    while log.read_text().count("worker_started") < 2 if log.exists() else True:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
            finally:
                await supervisor.stop()

        asyncio.run(supervised())
    assert "worker has not noticed that its child process is gone: killing it" in capfd.readouterr().out
