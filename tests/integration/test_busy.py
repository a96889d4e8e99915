"""The processes that `make test-busy` starts end with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import busy
from tests.support.services import ROOT
from tests.support.waiting import until

SCRIPT = """
import time
from tests import busy
with busy.burning(2) as burners:
    print(*(burner.pid for burner in burners), flush=True)
    time.sleep(600)
"""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_burners_end_with_the_block() -> None:
    with busy.burning(2) as burners:
        assert [burner.poll() for burner in burners] == [None, None]
    assert all(burner.returncode == -signal.SIGKILL for burner in burners)


def test_burners_end_when_their_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert all(map(lives, pids))
        parent.kill()
    until(lambda: not any(map(lives, pids)), "the burners' end")


def test_the_first_run_that_fails_ends_the_series(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([(0, "9 passed in 1.00s"), (1, "1 failed, 8 passed in 2.00s"), (0, "")])
    asked: list[list[str]] = []

    def run(options: list[str]) -> tuple[int, str]:
        asked.append(options)
        return next(answers)

    monkeypatch.setattr(busy, "run", run)
    assert busy.main(["--runs", "3", "--cores", "1", "--", "-k", "name"]) == 1
    assert asked == [["-k", "name"]] * 2
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("run 1 of 3 beside 1 burners, ")
    assert first.endswith(" s: 9 passed in 1.00s")
    assert second.endswith(" s: 1 failed, 8 passed in 2.00s")


@pytest.mark.parametrize(
    ("line", "closing"),
    [
        ("===== 3 passed, 1 skipped in 12.34s =====", "3 passed, 1 skipped in 12.34s"),
        (
            "1 failed, 1074 passed, 249 deselected in 146.25s (0:02:26)",
            "1 failed, 1074 passed, 249 deselected in 146.25s (0:02:26)",
        ),
        ("took 3 in 4.5 steps", None),
    ],
)
def test_the_closing_line_of_pytest_is_recognised(line: str, closing: str | None) -> None:
    found = busy.CLOSING.match(line)
    assert (found and found[1]) == closing
