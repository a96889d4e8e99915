"""`make demo` as a newcomer runs it, and its books, which can be wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

import demo
from demo import Demo, View, WrongBooks
from embedded.demo_people import PEOPLE, people
from embedded.demo_provider import DROPPED_ONE_IN, FAILS_AFTER, SILENT_ONE_IN, THROTTLES_AFTER, Provider
from tests.support.services import ROOT, clean_environment
from tests.support.waiting import PATIENCE_S, until


def started(directory: Path, log: Path) -> subprocess.Popen[bytes]:
    """The demo, with settings of a user's own around it, which it must not touch."""
    environment = clean_environment({
        "TMPDIR": str(directory), "REDIS_URL": "redis://127.0.0.1:9/0", "SENDGRID_API_KEY": "SG.real", "PORT": "8080",
        "SENDGRID_API_URL": "http://127.0.0.1:9", "VAR_DIR": str(directory / "users"), "API_TOKEN": "t" * 20,
    })  # fmt: skip
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "demo.py")],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip


def test_the_demo_ends_with_the_right_books_and_leaves_nothing(tmp_path: Path) -> None:
    # Given the demo
    (tmp_path / "tmp").mkdir()
    process = started(tmp_path / "tmp", tmp_path / "out")
    # When it has run to its end
    code = process.wait(timeout=demo.PATIENCE_S + PATIENCE_S)
    # Then the whole story was told, and nothing is left of it
    out = (tmp_path / "out").read_text()
    assert code == 0, out
    for words in (
        "throttles",
        "fails",
        "forgets",
        "kill -9",
        "sent again",
        "No one was lost, and no one got two emails",
    ):
        assert words in out
    assert f"{'done, says Postrider':34}{PEOPLE:>7,}" in out
    assert list((tmp_path / "tmp").iterdir()) == []


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    # Given a demo that sends
    (tmp_path / "tmp").mkdir()
    process = started(tmp_path / "tmp", tmp_path / "out")
    until(lambda: "two workers." in (tmp_path / "out").read_text(), "the start of the campaign")
    mine = children(process.pid)
    assert len(mine) > 3
    # When Ctrl-C is pressed
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=PATIENCE_S)
    # Then it ends within its workers' time, and no program and no file is left
    assert code == 130
    assert time.monotonic() - began < 60
    assert "Traceback" not in (tmp_path / "out").read_text()
    until(lambda: not any(alive(pid) for pid in mine), "the end of all programs")
    assert list((tmp_path / "tmp").iterdir()) == []


def children(pid: int) -> list[int]:
    """All processes below a process."""
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [below for child in found for below in children(child)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


STATUS = {"done": PEOPLE, "failed": 0, "pending": 0, "unknown": 0, "total": PEOPLE}


def closed(accepted: Counter[int], status: dict[str, Any], states: str = "done") -> None:
    """Close books that hold this."""

    class Told(Demo):
        def _status(self) -> dict[str, Any]:
            return status

        def _books(self) -> dict[str, Any]:
            return {"accepted": {str(row): times for row, times in accepted.items()}, "answers": {"202": 1}}

        def _recipients(self) -> str:
            return "row,email,state,reason\n" + f"1,a,{states},\n" * PEOPLE

    Told(cast("Any", None), View(), 0, "")._close_books()


def test_books_that_are_right_are_closed() -> None:
    closed(Counter(range(1, PEOPLE + 1)), STATUS)


@pytest.mark.parametrize(
    ("accepted", "status", "states"),
    [
        (Counter(range(2, PEOPLE + 1)), STATUS, "done"),
        (Counter([*range(1, PEOPLE + 1), 7]), STATUS, "done"),
        (Counter(range(1, PEOPLE + 1)), STATUS | {"done": PEOPLE - 1, "pending": 1}, "done"),
        (Counter(range(1, PEOPLE + 1)), STATUS, "unknown"),
    ],
    ids=["lost", "twice", "pending", "another list"],
)
def test_books_that_are_wrong_fail_the_demo(accepted: Counter[int], status: dict[str, Any], states: str) -> None:
    with pytest.raises(WrongBooks):
        closed(accepted, status, states)


def test_the_provider_makes_every_kind_of_trouble_and_counts_what_it_has() -> None:
    # Given a provider whose clock does not matter
    provider = Provider()
    # When it gets more requests than its troubles begin with
    requests = max(FAILS_AFTER, THROTTLES_AFTER, DROPPED_ONE_IN * SILENT_ONE_IN) + 500
    answers = Counter(
        provider.answer({"personalizations": [{}], "custom_args": {"campaign_id": "c", "row": str(row)}})
        for row in range(requests)
    )
    # Then it has done everything, and has what it accepted
    assert set(answers) == {"202", "429", "503", "silent", "dropped"} - ({"503"} - set(answers))
    assert sum(provider.accepted.values()) == answers["202"] + answers["silent"]
    provider.calm = True
    assert {provider.answer({"personalizations": [{}], "custom_args": {"campaign_id": "c", "row": "1"}})
            for _ in range(500)} == {"202"}  # fmt: skip


def test_the_list_has_as_many_people_as_it_says() -> None:
    rows = people().splitlines()
    assert len(rows) == PEOPLE + 1
    assert len(set(rows)) == PEOPLE + 1
