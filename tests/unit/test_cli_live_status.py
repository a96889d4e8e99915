"""The event stream as the command line reads it, and the lines of a watch whose output is piped."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, Self

import pytest
from rich.console import Console

from cli.connection import Connection
from cli.live_status import decoded, statuses
from cli.output import Output
from cli.profile import Profile
from cli.progress_view import LINE_EVERY_S, Lines, picture


def test_only_data_counts() -> None:
    stream = b'retry: 2000\n\n: still here\n\nid: 1\ndata: {"a": 1}\n\ndata:{"a":\r\ndata: 2}\r\n\r\ndata: {"cut'
    assert list(decoded(stream.splitlines(keepends=True))) == [{"a": 1}, {"a": 2}]


class Stream:
    """A response whose connection is reset after its lines."""

    def __init__(self, *lines: bytes) -> None:
        self._lines = lines
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def __iter__(self) -> Iterator[bytes]:
        yield from self._lines
        raise ConnectionResetError


def test_a_reset_connection_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a stream that is reset, and a second one
    streams = [Stream(b'data: {"status": "running"}\n', b"\n"), Stream(b'data: {"status": "completed"}\n', b"\n")]
    left, notes, waits_s = list(streams), list[str](), list[float]()
    monkeypatch.setattr(Connection, "open", lambda *_: left.pop(0))
    connection = Connection(Profile("http://localhost"), 0, notes.append, waits_s.append)
    # When the campaign is followed
    seen = [status["status"] for status in statuses(connection, "c1")]
    # Then it goes on to the end, says so, and leaves nothing open
    assert seen == ["running", "completed"]
    assert (len(notes), len(waits_s)) == (1, 1)
    assert all(stream.closed for stream in streams)


def status(state: str, done: int) -> dict[str, Any]:
    return {"status": state, "done": done, "failed": 0, "pending": 9 - done, "total": 9, "rate_limit": 60}


def test_a_piped_watch_prints_changes_of_state_and_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, LINE_EVERY_S, LINE_EVERY_S + 1])
    lines = Lines("c1", Output(), lambda: next(clock))
    for shown in (status("running", 1), status("running", 2), status("running", 3), status("completed", 9)):
        lines.show(shown)
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in printed] == [
        "c1 running: done 1", "c1 running: done 3", "c1 completed: done 9",
    ]  # fmt: skip


def test_json_lines_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.as_json = True
    output.result(status("running", 1), ["not this"])
    assert json.loads(capsys.readouterr().out) == status("running", 1)


def test_a_picture_has_its_bar_and_its_counts_on_lines_of_their_own() -> None:
    status = {"status": "running", "done": 1_500, "failed": 1, "pending": 499, "total": 2_000, "unknown": 2,
              "rate_limit": 600, "limit_now": 600, "sent_last_minute": 590, "eta_s": 50,
              "reason": "it waits"}  # fmt: skip
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(picture("spring", status))
    lines = [line.rstrip() for line in console.export_text().splitlines() if line.strip()]
    assert lines[0] == "spring  running  1,501 of 2,000  75 %"
    assert set(lines[1]) <= {"━", "╸", "╺", "-", " "}
    assert lines[2].split() == ["done", "failed", "pending", "unknown"]
    assert lines[4].split() == ["1,500", "1", "499", "2"]
    assert lines[-1] == "it waits"
