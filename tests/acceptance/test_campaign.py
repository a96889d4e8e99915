"""The main job, end to end: a real-looking list through real processes to a SendGrid that checks every request.

Given 20,000 rows as a shop exports them, uploaded in parts; two workers; a provider that fails some rows for a moment
and refuses some for good.
When the campaign is started, paused, resumed and speeded up, and loses one worker to SIGTERM and gains another.
Then each valid recipient has got the right email exactly once, and every count is right, at every moment.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.support import realistic_list as realistic
from tests.support.client import Watch
from tests.support.doubles.sendgrid import Arrival
from tests.support.doubles.sendgrid_arrivals import digest
from tests.support.realistic_list import EMAIL_COLUMN, Export, Person
from tests.support.stack import Stack
from tests.support.waiting import until

ROWS: Final = 20_000
MAX_RETRIES: Final = 2
#: How long nothing may arrive while the campaign is paused, in s.
QUIET_S: Final = 2.0

#: Rows that the provider fails or refuses: row -> local part of the address.
HOPELESS: Final = {4_321: "hopeless"}
REFUSED: Final = {row: f"refused.{row}" for row in range(500, ROWS, 1_900)}
FLAKY: Final = {row: f"flaky.50{row % 2 * 3}.{row}" for row in range(333, ROWS, 1_801)}
RULES: Final = [
    {"to": "hopeless@*", "answers": ["500"]},
    {"to": "refused.*", "answers": ["400"]},
    {"to": "flaky.500.*", "answers": ["500", "202"]},
    {"to": "flaky.503.*", "answers": ["503", "202"]},
]

CONTENT: Final = {
    "from": '"Müller & Sons" <news@shop.test>',
    "reply_to": "office@shop.test",
    "subject": "{{ vorname }}, your order {{ kunden_nr }} \u2014 {{ notiz }}",
    "html": "<p>Dear {{ vorname }} {{ nachname }} of {{ ort }},</p><pre>{{ notiz }}</pre><a href='?to={{ email }}'>",
    "text": "Dear {{ vorname }} {{ nachname }} of {{ ort }},\n{{ notiz }}\n{{ email }}",
    "headers": {"X-Campaign": "spring"},
}


def test_a_large_real_looking_list_through_pause_rate_change_and_lost_worker(tmp_path: Path) -> None:
    export = realistic.export(ROWS, special={**HOPELESS, **REFUSED, **FLAKY}, row_bytes=480)
    tries = str(MAX_RETRIES)
    with Stack.open(tmp_path, MAX_RETRIES=tries, RETRY_MIN_BACKOFF_S="0.2", RETRY_MAX_BACKOFF_S="0.5") as stack:
        # Slow at first, so that at the pause many rows are in flight and more wait on the queue.
        stack.double.behave(rules=RULES, latency_ms=500, jitter_ms=100)
        first = stack.add_worker()
        stack.add_worker()
        stack.put("spring", **CONTENT, tpm=24_000)
        assert stack.upload_in_parts("spring", export.csv, email_column=EMAIL_COLUMN) == 2
        stack.until_status("spring", "ready")
        with stack.watch("spring") as watch:
            assert stack.start("spring") == "running"
            _sent(stack, 1_000)
            _pause_holds(stack)
            stack.double.behave(latency_ms=30, jitter_ms=30)
            stack.resume("spring")
            _sent(stack, 2_000)
            stack.rate("spring", 1_000_000)
            _sent(stack, 6_000)
            stack.add_worker()
            assert first.stop() == 0
            report = stack.until_status("spring", "completed")
        assert first.logged("worker_stopped")

        _counts_are_exact(report, export)
        _no_report_is_wrong(watch)
        _each_recipient_got_the_right_email_once(stack, export)
        _the_export_agrees(stack, export)
        _the_hopeless_row_is_dead_lettered(stack)
        assert stack.reconcile("spring")["repaired"] == {}


def _sent(stack: Stack, done: int) -> None:
    stack.until("spring", lambda report: report["done"] >= done, f"{done} done")


def _pause_holds(stack: Stack) -> None:
    """After the pause has returned, only the rows arrive that it counted as in flight."""
    in_flight = stack.pause("spring")
    paused_at = time.time()
    paused = stack.status("spring")
    assert paused["status"] == "paused"
    until(lambda: time.time() > paused_at + QUIET_S, "the end of the quiet time")
    arrivals = stack.double.arrivals()
    late = [arrival for arrival in arrivals if arrival.time_s > paused_at]
    assert len(late) <= in_flight, f"{len(late)} arrivals after a pause with {in_flight} in flight"
    arrived = {arrival.row for arrival in arrivals} - FLAKY.keys()
    assert len(arrived) <= paused["done"] + paused["failed"] + paused["in_flight"]
    report = stack.until("spring", lambda found: found["in_flight"] == 0, "nothing in flight")
    assert report["status"] == "paused"
    assert 0 < report["done"] < report["total"]


def _counts_are_exact(report: dict[str, object], export: Export) -> None:
    failed = len(REFUSED) + len(HOPELESS)
    wanted = {
        "total": len(export.people),
        "done": len(export.people) - failed,
        "failed": failed,
        "pending": 0,
        "rejected": len(export.rejected),
        "unknown": 0,
        "in_flight": 0,
        "retries": len(FLAKY) + MAX_RETRIES + 1,
        "rate_limit": 1_000_000,
    }
    assert {name: report[name] for name in wanted} == wanted


def _no_report_is_wrong(watch: Watch) -> None:
    """Ten samples per second, each of which adds up and has no unknown row, and the counts only ever grow."""
    watch.check()
    reports = [report for _, report in watch.samples]
    assert watch.missed == 0
    assert {report["unknown"] for report in reports} == {0}
    for name in ("done", "failed", "retries"):
        figures = [report[name] for report in reports]
        assert figures == sorted(figures), name
    seconds = watch.samples[-1][0] - watch.samples[0][0]
    assert len(reports) > 4 * seconds  # ten per second, less what a busy machine takes


def _each_recipient_got_the_right_email_once(stack: Stack, export: Export) -> None:
    stats = stack.double.stats()
    assert stats["violations"] == 0, stack.double.violations()[:3]
    assert stats["duplicates"] == 0
    arrivals = stack.double.arrivals()
    taken = Counter(arrival.row for arrival in arrivals if arrival.accepted)
    assert taken == Counter(export.people.keys() - REFUSED.keys() - HOPELESS.keys())
    # The provider got each failed row as often as the retries demand, and every other row at most once.
    asked = Counter(arrival.row for arrival in arrivals)
    again = dict.fromkeys(FLAKY, 2) | dict.fromkeys(HOPELESS, MAX_RETRIES + 1)
    assert {row: times for row, times in asked.items() if times > 1} == again
    for arrival in arrivals:
        assert arrival.campaign_id == "spring"
        _is_right(arrival, export.people[arrival.row])


def _is_right(arrival: Arrival, person: Person) -> None:
    """The content is compared by digest, for every row."""
    cells = {**person.cells, "email": person.address}
    assert arrival.to == person.address
    assert arrival.subject == _subject(cells["vorname"], cells["kunden_nr"], cells["notiz"])
    plain = [cells[name] for name in ("vorname", "nachname", "ort", "notiz", "email")]
    vorname, nachname, ort, notiz, email = plain
    text = f"Dear {vorname} {nachname} of {ort},\n{notiz}\n{email}"
    vorname, nachname, ort, notiz, email = map(_escaped, plain)
    html = f"<p>Dear {vorname} {nachname} of {ort},</p><pre>{notiz}</pre><a href='?to={email}'>"
    assert arrival.digest == digest(text, html), arrival


def _subject(vorname: str, number: str, notiz: str) -> str:
    return " ".join(f"{vorname}, your order {number} \u2014 {notiz}".split())


def _escaped(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ('"', "&#34;")):
        text = text.replace(character, entity)
    return text


def _the_export_agrees(stack: Stack, export: Export) -> None:
    """`recipients.csv`: all rows of the file in order, each with what became of it."""
    rows = list(csv.DictReader(io.StringIO(stack.recipients("spring").decode())))
    assert [int(row["row"]) for row in rows] == list(range(1, export.rows + 1))
    for entry in rows:
        row = int(entry["row"])
        found = (entry["email"], entry["state"])
        if row in export.rejected:
            email, reason = export.rejected[row]
            assert (*found, entry["reason"]) == (email, "rejected", reason)
        elif row in REFUSED or row in HOPELESS:
            assert found == (export.people[row].address, "failed")
            assert ("400" if row in REFUSED else "500") in entry["reason"]
        else:
            assert (*found, entry["reason"]) == (export.people[row].address, "done", "")
    failed = csv.DictReader(io.StringIO(stack.recipients("spring", "failed").decode()))
    assert [int(entry["row"]) for entry in failed] == sorted([*REFUSED, *HOPELESS])


def _the_hopeless_row_is_dead_lettered(stack: Stack) -> None:
    with stack.redis_client() as redis:
        letters = redis.hvals("dramatiq:send_email.XQ.msgs")
    assert [[recipient[0] for recipient in json.loads(letter)["args"][2]] for letter in letters] == [[*HOPELESS]]
