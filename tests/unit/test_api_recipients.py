"""recipients.csv: every row once, in order, with its state; only the slices that hold requested rows are read."""

from __future__ import annotations

import csv
import io
import re

import pytest
from redis import Redis

from storage import StoreError
from tests.support.app_harness import AppHarness

LIST = (
    b"name,email\n"
    b"Ada,ada@shop.test\n"  # 1 done
    b"Bad,nobody\n"  # 2 rejected
    b"Bob,bob@shop.test\n"  # 3 failed
    b"Ada,ADA@shop.test\n"  # 4 rejected: duplicate
    b'"Cy\n the 2nd",cy@shop.test\n'  # 5 unknown
    b"Dan, dan@shop.test \n"  # 6 pending
    b"Eve,=cmd@x\n"  # 7 rejected
)


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    """A running campaign with a row in each state."""
    made = AppHarness(fake_redis)
    made.ready(LIST)
    made.web.post("/campaigns/c1/start")
    redis, key = made.redis, "postrider:{c1}:"
    redis.setbit(f"{key}done", 1, 1)
    redis.setbit(f"{key}failed", 3, 1)
    redis.zadd(f"{key}unknown", {"5": 1})
    redis.hset(f"{key}reasons", mapping={"3": "=mailbox full", "5": "no answer"})
    return made


def rows(app: AppHarness, state: str = "") -> list[list[str]]:
    answer = app.web.get(f"/campaigns/c1/recipients.csv{f'?state={state}' if state else ''}")
    assert answer.status == 200
    found = list(csv.reader(io.StringIO(answer.body.decode())))
    assert found[0] == ["row", "email", "state", "reason"]
    return found[1:]


def test_all_rows_are_listed_in_order(app: AppHarness) -> None:
    listed = rows(app)
    assert [row[0] for row in listed] == ["1", "2", "3", "4", "5", "6", "7"]
    assert [row[2] for row in listed] == ["done", "rejected", "failed", "rejected", "unknown", "pending", "rejected"]
    assert listed[0] == ["1", "ada@shop.test", "done", ""]
    assert listed[1] == ["2", "nobody", "rejected", "invalid_email"]
    assert listed[3][3] == "duplicate:1"
    assert listed[4] == ["5", "cy@shop.test", "unknown", "no answer"]
    assert listed[5][1] == "dan@shop.test"
    assert rows(app, "all") == listed


@pytest.mark.parametrize(
    ("state", "expected"),
    [("done", ["1"]), ("failed", ["3"]), ("unknown", ["5"]), ("pending", ["6"]), ("rejected", ["2", "4", "7"])],
)
def test_one_state_can_be_requested_alone(app: AppHarness, state: str, expected: list[str]) -> None:
    listed = rows(app, state)
    assert [row[0] for row in listed] == expected
    assert {row[2] for row in listed} == {state}


def test_no_cell_is_a_formula(app: AppHarness) -> None:
    cells = [cell for row in rows(app) for cell in row]
    assert "'=mailbox full" in cells
    assert "'=cmd@x" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_every_cell_is_quoted_wherever_it_comes_from(app: AppHarness) -> None:
    # Given reasons and addresses that a spreadsheet with another delimiter would split
    app.redis.hset("postrider:{c1}:reasons", "3", "full; =cmd|'/c calc'!A1\t\uff1d1")
    for state in ("all", "failed", "rejected"):
        header, *lines = app.web.get(f"/campaigns/c1/recipients.csv?state={state}").body.decode().split("\r\n")
        assert (header, lines.pop()) == ("row,email,state,reason", "")
        assert all(re.fullmatch(r'"([^"]|"")*"(,"([^"]|"")*"){3}', line) for line in lines)
    assert rows(app, "failed")[0][3] == "full;' =cmd|'/c calc'!A1\t'\uff1d1"
    assert rows(app, "rejected")[2][1] == "'=cmd@x"


def test_the_export_is_a_download(app: AppHarness) -> None:
    for method in ("GET", "HEAD"):
        headers = app.web.request(method, "/campaigns/c1/recipients.csv").headers
        assert headers["content-disposition"] == 'attachment; filename="c1-recipients.csv"'
        assert headers["content-type"] == "text/csv; charset=utf-8"
    assert app.web.request("HEAD", "/campaigns/c1/recipients.csv").body == b""


@pytest.mark.parametrize("state", ["sent", "DONE", "done,failed", ""])
def test_a_wrong_state_is_422_naming_the_right_ones(app: AppHarness, state: str) -> None:
    refused = app.web.get(f"/campaigns/c1/recipients.csv?state={state}")
    assert refused.status == 422
    assert "done, failed, unknown, pending, rejected or all" in refused.detail


def test_without_a_parsed_list_the_export_is_409(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    app.make()
    for status in ("draft", "parsing", "rejected"):
        refused = app.web.get("/campaigns/c1/recipients.csv")
        assert (refused.status, refused.json()["campaign_status"]) == (409, status)
        if status == "draft":
            app.upload(b"no,header\n")
        elif status == "parsing":
            app.parse()
    app.web.post("/campaigns/c1/cancel")
    assert app.web.get("/campaigns/c1/recipients.csv").status == 409


def test_only_slices_with_a_requested_row_are_read(fake_redis: Redis) -> None:
    # Given a list of several slices with one failed row in the last, and only rejected rows in the first
    app = AppHarness(fake_redis)
    people = b"".join(b"Ada,r%d@shop.test\n" % row for row in range(2001, 5001))
    app.ready(b"name,email\n" + b"Bad,nobody\n" * 2000 + people)
    index = app.harness.ledger.index(app.harness.catalog.get("c1"))
    assert len(index) > 3
    app.redis.setbit("postrider:{c1}:failed", 5000, 1)
    # When the failed rows are requested
    assert [row[0] for row in rows(app, "failed")] == ["5000"]
    # Then one slice was read
    assert len(app.store.reads) == 1
    # And a request for all rows reads no slice without a recipient
    app.store.reads.clear()
    assert [int(row[0]) for row in rows(app)] == list(range(1, 5001))
    assert len(app.store.reads) == sum(index[k].first_row + index[k].rows > 2001 for k in range(len(index)))


def test_a_store_that_is_away_is_503(app: AppHarness) -> None:
    app.store.away = True
    assert app.web.get("/campaigns/c1/recipients.csv").status == 503


def test_a_download_that_breaks_does_not_look_complete(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> bytes:
        raise StoreError("broken")

    monkeypatch.setattr(app.store, "read", fail)
    with pytest.raises(Exception, match="response already started"):  # the server closes the connection
        app.web.get("/campaigns/c1/recipients.csv")


@pytest.mark.parametrize("change", ["upload", "delete"])
def test_a_list_that_is_replaced_during_a_download_breaks_the_download(
    fake_redis: Redis, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Given a download under way, when the campaign gets another list, then no row of one list is shown with a state of
    the other.
    """
    app = AppHarness(fake_redis)
    app.ready(b"name,email\n" + b"".join(b"Ada,r%d@shop.test\n" % row for row in range(5000)))
    read = app.store.read

    def change_meanwhile(key: str, start: int, end: int) -> bytes:
        data = read(key, start, end)
        monkeypatch.setattr(app.store, "read", read)
        if change == "upload":
            app.upload(b"name,email\n" + b"".join(b"Eve,e%d@shop.test\n" % row for row in range(5000)))
            app.parse()
        else:
            app.harness.catalog.delete("c1")
        return data

    monkeypatch.setattr(app.store, "read", change_meanwhile)
    with pytest.raises(Exception, match="response already started"):
        app.web.get("/campaigns/c1/recipients.csv")
