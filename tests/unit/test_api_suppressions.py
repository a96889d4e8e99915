"""The suppression list over HTTP."""

from __future__ import annotations

import csv
import io

import pytest
from redis import Redis
from structlog.testing import capture_logs

from api import suppressions as handlers
from campaigns import keys
from consent import importing, suppressions as module
from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Answer, Web


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


@pytest.fixture
def web(app: AppHarness) -> Web:
    return app.web


def rows(answer: Answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.body.decode(), newline="")))


def test_addresses_are_added_asked_and_removed(web: Web) -> None:
    added = web.post("/suppressions", {"emails": ["Ann@Müller.test", "bob@x.test"], "reason": "bounced"})
    assert (added.status, added.json()) == (200, {"added": 2, "already": 0})
    assert web.post("/suppressions", {"emails": ["bob@x.test"], "reason": "bounced"}).json()["already"] == 1
    assert web.post("/suppressions", {"emails": ["eve@x.test"]}).json() == {"added": 1, "already": 0}
    found = web.get("/suppressions?email=ann@xn--mller-kva.test").json()
    assert (found["email"], found["suppressed"], found["all_email"]) == ("ann@xn--mller-kva.test", True, True)
    assert [entry["what"] for entry in found["entries"]] == ["bounced"]
    assert web.get("/suppressions?email=EVE@x.test").json()["all_email"] is False
    assert web.request("DELETE", "/suppressions/ANN%40xn--mller-kva.test?reason=typo").json() == {"removed": True}
    assert web.request("DELETE", "/suppressions/ann%40xn--mller-kva.test").json() == {"removed": False}
    found = web.get("/suppressions?email=ann@xn--mller-kva.test").json()
    assert found["suppressed"] is False
    assert [(entry["what"], entry["note"]) for entry in found["entries"]] == [("removed", "typo")]


def test_an_address_that_was_never_there(web: Web) -> None:
    assert web.get("/suppressions?email=a@x.test").json()["suppressed"] is False
    assert "email is missing" in web.get("/suppressions").detail
    assert "'nonsense'" in web.get("/suppressions?email=nonsense").detail
    assert web.request("DELETE", "/suppressions/nonsense").status == 422


def test_one_invalid_address_adds_none(web: Web) -> None:
    answer = web.post("/suppressions", {"emails": ["ann@x.test", "nope"]})
    assert answer.status == 422
    assert "emails[1]: 'nope'" in answer.detail
    assert web.get("/suppressions?email=ann@x.test").json()["suppressed"] is False
    assert web.post("/suppressions", {"emails": ["a@x.test"], "reason": "bored"}).status == 422
    assert web.post("/suppressions", {}).status == 422
    assert web.post("/suppressions", {"emails": []}).json() == {"added": 0, "already": 0}


@pytest.mark.parametrize(
    "text",
    [
        "email\nann@x.test\nnope\n\nbob@x.test\n",
        "Name;E-Mail\nA;Ann@x.test\nB;nope\nC;bob@X.test\n",
        "ann@x.test\nnope\nbob@x.test",
        "\ufeffreason,Email Address\r\n,ann@x.test\r\nmanual,nope\r\n,bob@x.test\r\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_csv_is_taken_with_and_without_a_header(web: Web, text: str, encoding: str) -> None:
    if encoding == "utf-16":
        text = text.removeprefix("\ufeff")
    answer = web.post("/suppressions/upload", text.encode(encoding), {"Content-Type": "text/csv"})
    assert (answer.status, answer.json()) == (200, {"added": 2, "already": 0, "invalid": 1})
    assert web.get("/suppressions?email=bob@x.test").json()["suppressed"] is True


def test_reasons_come_by_row_or_for_the_whole_file(web: Web) -> None:
    body = b"email,reason\na@x.test,Bounced\nb@x.test,\n"
    web.post("/suppressions/upload?reason=complained", body)
    assert [row[:2] for row in sorted(rows(web.get("/suppressions.csv")))] == [
        ["a@x.test", "bounced"],
        ["b@x.test", "complained"],
        ["email", "reason"],
    ]
    assert web.post("/suppressions/upload?reason=bored", body).status == 422


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"name,town\nAnn,Ulm\n", "No column holds addresses; the first row is: name, town"),
        (b"email\n\xff\xff\n", "not in UTF-8"),
        (b"email,reason\na@x.test,bored\n", "'bored' is unknown"),
        (b'email\n"' + b"a" * 2_200_000, "cannot be read"),
    ],
)
def test_a_csv_that_cannot_be_used_says_why(web: Web, body: bytes, detail: str) -> None:
    answer = web.post("/suppressions/upload", body)
    assert answer.status == 422
    assert detail in answer.detail


def test_a_list_comes_out_as_it_went_in(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a list that is stored in several segments on its way."""
    monkeypatch.setattr(module, "FLUSH_RECORDS", 400)
    monkeypatch.setattr(importing, "BLOCK_ROWS", 100)
    people = sorted(f"r{number}@x.test" for number in range(2_000))
    body = "\n".join(["email", *people]).encode()
    chunks: list[bytes | None] = [body[at : at + 777] for at in range(0, len(body), 777)]
    assert web.request("POST", "/suppressions/upload", chunks).json() == {"added": 2_000, "already": 0, "invalid": 0}
    head, *found = rows(web.get("/suppressions.csv"))
    assert head == list(handlers.HEADER)
    assert sorted(row[0] for row in found) == people
    assert web.request("HEAD", "/suppressions.csv").status == 200


def test_the_journal_is_stored_once_it_is_long(
    app: AppHarness, web: Web, monkeypatch: pytest.MonkeyPatch, fake_redis: Redis
) -> None:
    monkeypatch.setattr(module, "FLUSH_RECORDS", 3)
    web.post("/suppressions", {"emails": ["a@x.test", "b@x.test"]})
    assert fake_redis.llen(keys.SUPPRESSIONS_JOURNAL) == 2
    web.post("/suppressions", {"emails": ["c@x.test"]})
    assert fake_redis.llen(keys.SUPPRESSIONS_JOURNAL) == 0
    app.store.away = True
    with capture_logs() as lines:
        assert web.post("/suppressions", {"emails": ["d@x.test", "e@x.test", "f@x.test"]}).status == 200
    assert "suppressions_not_stored" in {line["event"] for line in lines}
    assert web.get("/suppressions.csv").status == 503


def test_no_cell_of_the_download_is_a_formula(web: Web) -> None:
    web.post("/suppressions", {"emails": ["=cmd@x.test"]})
    assert rows(web.get("/suppressions.csv"))[1][0] == "'=cmd@x.test"


def test_no_log_line_has_an_address(web: Web) -> None:
    with capture_logs() as lines:
        web.post("/suppressions", {"emails": ["ann@x.test"]})
        web.get("/suppressions?email=ann@x.test")
        web.request("DELETE", "/suppressions/ann%40x.test?reason=x")
        web.post("/suppressions/upload", b"ann@x.test")
        web.get("/suppressions.csv")
    assert "ann" not in str(lines)
