"""Tests of the SendGrid double itself: what it finds wrong, what it records, how it responds."""

from __future__ import annotations

import copy
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.doubles.sendgrid import ROOT, Arrival, SendGridDouble
from tests.support.doubles.sendgrid_arrivals import digest
from tests.support.doubles.sendgrid_rules import problems

GOOD: dict[str, Any] = {
    "personalizations": [{"to": [{"email": "jane@example.com"}]}],
    "from": {"email": "news@example.org", "name": "News"},
    "subject": "Hello",
    "content": [{"type": "text/plain", "value": "Hi"}, {"type": "text/html", "value": "<p>Hi</p>"}],
    "custom_args": {"campaign_id": "c1", "row": "7"},
}


def with_substitutions(substitutions: dict[str, Any]) -> dict[str, Any]:
    return {**GOOD["personalizations"][0], "substitutions": substitutions}


HEADERS = {"Authorization": "Bearer SG.x", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def running() -> Iterator[SendGridDouble]:
    with SendGridDouble.running(keep_content=True) as double:
        yield double


@pytest.fixture
def double(running: SendGridDouble) -> SendGridDouble:
    running.behave(answer="202", statuses={}, rules=[], limit=None, retry_after_s=None, html_errors=False)
    running.reset()
    return running


def changed(**changes: Any) -> dict[str, Any]:
    """The good request with other fields; None leaves a field out."""
    made = copy.deepcopy(GOOD) | changes
    return {name: value for name, value in made.items() if value is not None}


def post(
    double: SendGridDouble, body: Any = GOOD, *, path: str = "/v3/mail/send", headers: dict[str, str] = HEADERS
) -> tuple[int, dict[str, str], bytes]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(double.url + path, data, headers)  # noqa: S310 - the double's own address
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def to(address: str, row: int = 7) -> dict[str, Any]:
    args = {"campaign_id": "c1", "row": str(row)}
    return changed(personalizations=[{"to": [{"email": address}]}], custom_args=args)


def test_a_good_request_is_accepted_and_recorded(double: SendGridDouble) -> None:
    status, headers, body = post(double)
    assert (status, body) == (202, b"")
    assert headers["X-Message-Id"]
    (arrival,) = double.arrivals()
    found = arrival._replace(time_s=0.0)
    content = digest("Hi", "<p>Hi</p>")
    assert found == Arrival(0, 0.0, True, "202", "c1", 7, "jane@example.com", "Hello", content, GOOD)
    assert double.violations() == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"personalizations": None}, "personalizations"),
        ({"personalizations": [{}]}, "personalizations.0.to"),
        ({"personalizations": [{"to": []}]}, "personalizations.0.to"),
        ({"personalizations": GOOD["personalizations"] * 2}, "personalizations.1.to.0.email"),
        ({"personalizations": GOOD["personalizations"] * 1001}, "personalizations"),
        ({"personalizations": [GOOD["personalizations"][0] | {"subject": ""}]}, "personalizations.0.subject"),
        ({"personalizations": [with_substitutions({"-a-": 1})]}, "personalizations.0.substitutions"),
        ({"personalizations": [with_substitutions({"-a-": "é" * 4999})]}, "personalizations.0.substitutions"),
        ({"personalizations": [{"to": [{"email": "a@b.test"}, {"email": "c@d.test"}]}]}, "personalizations.0.to"),
        ({"personalizations": [{"to": [{"email": "a@b.test"}], "bcc": []}]}, "personalizations.0.to"),
        ({"personalizations": [{"to": [{"email": "a@b.test"}], "x": 1}]}, "personalizations.0.x"),
        ({"personalizations": [{"to": [{"email": "a@b.test\r\nBcc: x@y.test"}]}]}, "personalizations.0.to.0.email"),
        ({"from": None}, "from"),
        ({"from": {"email": "nobody"}}, "from.email"),
        ({"from": {"email": "a@b.test", "name": None}}, "from.name"),
        ({"reply_to": "a@b.test"}, "reply_to"),
        ({"subject": None}, "subject"),
        ({"subject": ""}, "subject"),
        ({"content": None}, "content"),
        ({"content": GOOD["content"][::-1]}, "content"),
        ({"content": GOOD["content"][:1] * 2}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        ({"custom_args": None}, "custom_args"),
        ({"custom_args": {"campaign_id": "c1", "row": 7}}, "custom_args"),
        ({"custom_args": {"campaign_id": "c1", "row": "7", "email": "a@b.test"}}, "custom_args"),
        ({"custom_args": {"campaign_id": "c1", "row": "00"}}, "custom_args"),
        ({"custom_args": {"campaign_id": "c" * 10_000, "row": "7"}}, "custom_args"),
        ({"headers": {"Reply-To": "a@b.test"}}, "headers.Reply-To"),
        ({"headers": {"X-A": "1\r\nBcc: x@y.test"}}, "headers.X-A"),
        ({"headers": {"X A": "1"}}, "headers.X A"),
        ({"headers": {"X-A": 1}}, "headers.X-A"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_broken_rule_is_found_in_its_field(changes: dict[str, Any], field: str) -> None:
    assert field in {problem.field for problem in problems(changed(**changes))}


def test_a_broken_rule_is_answered_400_and_recorded(double: SendGridDouble) -> None:
    status, _, body = post(double, changed(subject=None))
    assert status == 400
    expected = {"field": "subject", "message": "The subject is required"}
    assert json.loads(body) == {"errors": [expected | {"help": None}]}
    assert double.violations()[0]["problems"] == [expected]
    assert double.arrivals() == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"path": "/v3/mail/sent"}, 404),
        ({"headers": {"Content-Type": "application/json"}}, 401),
        ({"headers": HEADERS | {"Content-Type": "text/plain"}}, 415),
        ({"body": b"no json"}, 400),
        ({"body": b"[]"}, 400),
        ({"body": b"x" * 30_000_000}, 413),
    ],
)
def test_a_request_can_be_refused_before_its_body_is_read(
    double: SendGridDouble, request_: dict[str, Any], status: int
) -> None:
    assert post(double, **request_)[0] == status
    assert double.stats()["violations"] == 1


def test_a_change_of_another_field_does_not_restart_the_rules(double: SendGridDouble) -> None:
    """Given a test that changes the latency while a retry is on its way, then the retry gets its second response."""
    double.behave(rules=[{"to": "*@slow.test", "answers": ["503", "202"]}])
    body = to("a@slow.test")
    assert post(double, body)[0] == 503
    double.behave(latency_ms=1)
    assert post(double, body)[0] == 202
    double.behave(rules=[{"to": "*@slow.test", "answers": ["503", "202"]}], latency_ms=0)
    assert post(double, body)[0] == 503


def test_rules_give_each_address_its_sequence(double: SendGridDouble) -> None:
    double.behave(rules=[{"to": "*@slow.test", "answers": ["429", "accept-500", "202"]}])
    addresses = ["a@slow.test", "a@slow.test", "b@slow.test", "a@slow.test", "a@slow.test", "a@fast.test"]
    answers = [post(double, to(address, row))[0] for row, address in enumerate(addresses, 1)]
    assert answers == [429, 500, 429, 202, 202, 202]
    assert [arrival.row for arrival in double.arrivals() if arrival.accepted] == [2, 4, 5, 6]


def test_statuses_are_given_to_their_shares_of_the_requests(double: SendGridDouble) -> None:
    double.behave(statuses={"429": 0.3, "503": 0.1})
    found = Counter(post(double)[0] for _ in range(300))
    assert 50 < found[429] < 130
    assert 10 < found[503] < 60
    assert found[202] == double.stats()["accepted"] == 300 - found[429] - found[503]


def test_requests_above_the_limit_are_answered_429(double: SendGridDouble) -> None:
    double.behave(limit=2, window_s=100_000)
    answers = [post(double) for _ in range(3)]
    assert [status for status, _, _ in answers] == [202, 202, 429]
    assert answers[2][1]["X-RateLimit-Remaining"] == "0"


def test_the_same_row_twice_is_a_duplicate(double: SendGridDouble) -> None:
    for row in (1, 2, 1):
        post(double, to("a@b.test", row))
    assert double.stats()["duplicates"] == 1
    double.reset()
    assert double.stats()["requests"] == double.stats()["duplicates"] == 0


def test_arrivals_can_be_read_from_a_number_on(double: SendGridDouble) -> None:
    for row in (1, 2, 3):
        post(double, to("a@b.test", row))
    assert [arrival.row for arrival in double.arrivals(since=1)] == [2, 3]


def test_a_wrong_behaviour_is_refused(double: SendGridDouble) -> None:
    for wrong in (
        {"nonsense": 1},
        {"answer": "maybe"},
        {"rules": [{"to": "*", "answers": []}]},
        {"statuses": {"x": 1}},
    ):
        with pytest.raises(ValueError, match="error"):
            double.behave(**wrong)
    assert post(double)[0] == 202


def test_requests_in_pieces_and_several_in_one_write_are_answered_in_order(double: SendGridDouble) -> None:
    body = json.dumps(GOOD).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    one = f"POST /v3/mail/send HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    host, port = double.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(one[:50])
        connection.sendall(one[50:] + one + one)
        read = b""
        while read.count(b"202 Accepted") < 3:
            read += connection.recv(65_536)
    assert double.stats()["accepted"] == 3


def test_the_log_is_complete_once_the_double_has_ended(tmp_path: Path) -> None:
    """Given a double started by hand with a log, when its standard input ends, then the double ends, and the log is
    complete.
    """
    log = tmp_path / "arrivals.jsonl"
    command = [sys.executable, "-m", "tests.support.doubles.sendgrid", "--until-eof", "--log", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        post(SendGridDouble(**json.loads(process.stdout.readline())))
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    (line,) = log.read_text().splitlines()
    assert json.loads(line)[4:8] == ["c1", 7, "jane@example.com", "Hello"]
