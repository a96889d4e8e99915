"""Logs: one JSON object per line on stdout, whichever library writes it, and never an address."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from logs import masked

ROOT = Path(__file__).parents[2]

SCRIPT = """
import logging, sys
import dramatiq, structlog
import logs

logs.configure({level!r}, {log_format!r})
log = structlog.get_logger("own")
message = dramatiq.Message("q", "SendEmail", ("c1", "g", [[1, "ann@shop.test", []]]), {{}}, {{}})
{body}
"""


def lines(body: str, level: str = "info", log_format: str = "json") -> list[str]:
    """What a separate process writes to stdout; it must write nothing to stderr."""
    script = SCRIPT.format(body=body, level=level, log_format=log_format)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def events(body: str, level: str = "info") -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(body, level)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("to ann@shop.test", "to ***@shop.test"),
        ("<Ann.B+x@shop.test>, b@c.test", "<***@shop.test>, ***@c.test"),
        ('["zoë@shop.test"]', '["***@shop.test"]'),
        ("10 @ 5", "10 @ 5"),
        ("nothing", "nothing"),
    ],
)
def test_addresses_are_masked_to_their_domain(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_lines_of_the_project_are_json_with_level_and_time() -> None:
    (event,) = events('log.info("email_sent", row=1, reason="no ann@shop.test here")')
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "email_sent", "row": 1, "reason": "no ***@shop.test here", "level": "info"}


def test_lines_of_libraries_have_the_same_form() -> None:
    (event,) = events('logging.getLogger("uvicorn.error").info("up", extra={"color_message": "x"})')
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "up", "level": "info", "logger": "uvicorn.error"}


def test_dramatiqs_line_about_a_message_shows_its_id_and_no_recipient() -> None:
    """Given Dramatiq's line about a failed message, which shows the message's arguments, then the log shows only its
    id.
    """
    (event,) = events('logging.getLogger("dramatiq.worker").error("Failed to process message %s.", message)')
    assert "ann" not in json.dumps(event)
    assert event["event"].startswith("Failed to process message SendEmail ")


def test_dramatiqs_notice_of_a_skipped_message_is_dropped() -> None:
    assert events('logging.getLogger("dramatiq.worker").warning("Message %s was skipped.", message)') == []


def test_a_traceback_shows_no_address() -> None:
    body = """
try:
    raise ValueError("ann@shop.test is wrong")
except ValueError:
    log.exception("failed")
    logging.getLogger("other").exception("failed too")
"""
    found = events(body)
    assert [event["event"] for event in found] == ["failed", "failed too"]
    assert all("***@shop.test is wrong" in event["exception"] for event in found)
    assert "ann@" not in json.dumps(found)


def test_the_level_applies_to_every_logger() -> None:
    body = 'log.info("a"); logging.getLogger("x").info("b"); log.warning("c"); logging.getLogger("x").warning("d")'
    assert [event["event"] for event in events(body, level="warning")] == ["c", "d"]


def test_a_value_that_json_does_not_know_is_written_as_text() -> None:
    (event,) = events('log.info("odd", value=object(), raw=b"x")')
    assert event["value"].startswith("<object object")


def test_the_console_format_is_for_people() -> None:
    (line,) = lines('log.info("email_sent", row=1)', log_format="console")
    assert "email_sent" in line
    assert not line.startswith("{")


def test_lines_reach_stdout_even_if_dramatiq_has_replaced_sys_stdout() -> None:
    """Given a Dramatiq worker process, whose sys.stdout is a pipe to its parent, then lines still go to the real
    stdout.
    """
    (event,) = events('sys.stdout = open("/dev/null", "w"); logs.configure("info", "json"); log.info("there")')
    assert event["event"] == "there"


MANY = """
events = [dict(event="email_sent", row=row, reason="x" * 40 + " ann@shop.test") for row in range(300)]
logs.write(events)
"""


def test_lines_written_in_bulk_look_like_any_others() -> None:
    found = events(MANY)
    assert [event["row"] for event in found] == list(range(300))
    assert {event["reason"] for event in found} == {"x" * 40 + " ***@shop.test"}
    assert {event["level"] for event in found} == {"info"}
    assert all(event["timestamp"].endswith("Z") for event in found)


def test_lines_written_in_bulk_never_share_a_write_that_a_pipe_would_split() -> None:
    """Given lines of several lengths, one longer than a pipe takes at once, then each write holds whole lines."""
    body = """
class Out:
    def write(self, data):
        assert data.endswith(b"\\n")
        assert len(data) <= 4096 or data.count(b"\\n") == 1, len(data)
        sys.stdout.buffer.write(data)
logs._lines.stdout = Out()
logs.write([dict(event="e", row=row, reason="x" * (row * 37 % 500 + (5000 if row == 50 else 0))) for row in range(100)])
"""
    assert [event["row"] for event in events(body)] == list(range(100))


@pytest.mark.parametrize(
    ("written", "level", "count"),
    [("info", "info", 300), ("info", "warning", 0), ("debug", "info", 0), ("debug", "debug", 300)],
)
def test_lines_written_in_bulk_keep_to_level_and_format(written: str, level: str, count: int) -> None:
    body = MANY.replace("write(events)", f"write(events, {written!r})")
    assert [event["level"] for event in events(body, level)] == [written] * count
    assert len(lines(body, level, "console")) == count
