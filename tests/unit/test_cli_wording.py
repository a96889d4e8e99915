"""What the command line says of figures, and which campaigns it calls well ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from cli import wording

NOW: Final = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
STATUS: Final[dict[str, Any]] = {
    "done": 1_200, "failed": 45, "pending": 3_800, "total": 5_045, "rate_limit": 1_000, "limit_now": 1_000,
    "status": "running", "rejected": 0, "unknown": 0, "in_flight": 64, "retries": 0, "sent_last_minute": 998,
    "eta_s": 1_200, "reason": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (185, "3 min 5 s"), (3_600, "1 h"), (3_661, "1 h 1 min"),
     (90_000, "1 d 1 h"), (86_460, "1 d")],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (12_582_912, "12.0 MiB")]
)
def test_sizes(count: int, words: str) -> None:
    assert wording.size(count) == words


def test_a_status_in_one_line() -> None:
    assert wording.line("c1", STATUS, NOW) == (
        "c1 running: done 1,200, failed 45, pending 3,800, in flight 64 of 5,045; "
        "998 sent in the last minute, limit 1,000 per minute; about 20 min left, until 14:20"
    )


def test_a_limit_that_is_not_in_force_yet_is_named() -> None:
    assert "limit 1,000 per minute (now 50)" in wording.line("c1", STATUS | {"limit_now": 50}, NOW)


def test_a_paused_campaign_has_a_reason_and_no_time_left() -> None:
    line = wording.line("c1", STATUS | {"status": "paused", "reason": "401 from the provider"}, NOW)
    assert line.endswith("of 5,045; 401 from the provider")


def test_the_end_on_another_day_has_its_date() -> None:
    assert wording.time_left(STATUS | {"eta_s": 86_400}, NOW) == "about 1 d left, until 2026-11-25 14:00"


def test_counts_that_a_server_does_not_know_yet_are_not_needed() -> None:
    older = {name: STATUS[name] for name in ("done", "failed", "pending", "total", "rate_limit", "status")}
    assert wording.line("c1", older, NOW)


def test_texts_of_the_server_cannot_control_the_terminal() -> None:
    assert wording.plain("a\x1b[31mb\r\u202ec") == "a\ufffd[31mb\ufffd\ufffdc"


@pytest.mark.parametrize(
    ("status", "good"),
    [({"status": "completed", "done": 5_045}, True), ({"status": "completed"}, False),
     ({"status": "cancelled", "done": 5_045}, False)],
)  # fmt: skip
def test_only_a_campaign_that_reached_everyone_has_ended_well(status: dict[str, Any], good: bool) -> None:
    assert wording.reached_all(STATUS | status) is good
