"""A list of any format through dry run, parsing, status, export and prefetch: all tell the same."""

from __future__ import annotations

import gzip
import threading
from typing import Any

import pytest
from redis import Redis

from campaigns import keys
from campaigns.models import Status
from lists.list_options import ListOptions
from lists.reading import read_list
from mail.message import Message
from tests.corpus.generate import EXPORTS, FOLDER
from tests.support.app_harness import AppHarness
from tests.support.delivered import delivered, prefetched
from tests.support.list_agreement import check_agreement, dry_run, status_of
from tests.support.spreadsheets import with_table_of_texts, xlsx

#: Sure by its number of lines; and too short to be sure.
RUSSIAN = "имя,email\n" + "".join(f"Екатерина Соколова {n},r{n}@shop.test\n" for n in range(1, 60))
GREETING = {"subject": "Hello", "text": "Hi {{ email }}"}


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_goes_through_the_whole_parse(app: AppHarness, name: str) -> None:
    """Given an export, then it is recognised, and each of its people gets an email with their name and city."""
    export = EXPORTS[name]
    app.make(subject="Hello", text=export.template)
    status = check_agreement(app, (FOLDER / name).read_bytes(), start=False)
    assert status["format"] == export.format
    assert status["encoding"] in export.encodings
    assert (status["status"], status["unaccepted"]) == ("ready", [])
    emails = [email for email in delivered(app).values() if isinstance(email, Message)]
    assert [(email.to, email.text) for email in emails] == export.expected


def test_the_cells_of_a_converted_list_reach_the_templates(app: AppHarness) -> None:
    """Given a list in cp1251, then its converted copy is read, its values are as they were written, and the uploaded
    object stays.
    """
    app.make(subject="{{ имя }}", text="Hi")
    check_agreement(app, RUSSIAN.encode("cp1251"))
    campaign = app.harness.catalog.get("c1")
    assert campaign.list_key == keys.converted_list("c1", campaign.list_version)
    assert app.store.objects[campaign.list_key].decode() == RUSSIAN
    assert app.store.objects[campaign.object_key] == RUSSIAN.encode("cp1251")
    assert prefetched(app)[0].values == ["Екатерина Соколова 1"]


def test_a_named_encoding_counts(app: AppHarness) -> None:
    app.make(**GREETING)
    status = check_agreement(app, RUSSIAN.encode("koi8-r"), "&encoding=koi8-r")
    assert (status["encoding"], status["samples"][1]) == ("koi8-r", "Екатерина Соколова 1")


def test_a_sheet_can_be_named(app: AppHarness) -> None:
    def add(book: Any) -> None:
        sheet = book.create_sheet("People")
        sheet.append(["Name", "E-Mail"])
        sheet.append(["Ann", "ann@shop.test"])

    app.make(**GREETING)
    status = check_agreement(app, xlsx([["nothing"]], add), "&sheet=people")
    assert (status["format"], status["total"], status["email_column"]) == ("xlsx", 1, "E-Mail")


def test_a_named_delimiter_and_column(app: AppHarness) -> None:
    app.make(**GREETING)
    data = b"email^other mail\nx^ann@shop.test\n"
    status = check_agreement(app, data, "&delimiter=%5E&email_column=other%20mail")
    assert (status["delimiter"], status["email_column"], status["total"]) == ("^", "other mail", 1)


def test_what_is_no_list_is_refused_in_words(app: AppHarness) -> None:
    """Given a PDF, then the dry run and the parser say the same."""
    app.make(**GREETING)
    data = b"%PDF-1.7\n" + b"x" * 100
    answer = app.upload(data, query="?dry_run=true")
    assert answer.status == 422
    app.upload(data)
    assert app.parse().status == Status.REJECTED
    assert app.harness.report().reason == answer.detail


def test_a_dry_run_keeps_nothing(app: AppHarness) -> None:
    app.make(**GREETING)
    found = dry_run(app, b"Name;E-Mail\nAnn;ann@shop.test\nBob;bob\nAnn;ANN@shop.test\n")
    assert (found["rows"], found["accepted"], found["rejected"]) == (3, 1, 2)
    assert (found["delimiter"], found["email_column"], found["columns"]) == (";", "E-Mail", ["name", "e_mail"])
    assert found["reasons"] == {"invalid_email": 1, "duplicate": 1}
    assert found["sample"] == [{"name": "Ann", "e_mail": "ann@shop.test"}]
    assert app.store.objects == {}
    assert app.harness.catalog.get("c1").status == Status.DRAFT


def test_a_dry_run_of_an_unknown_campaign_is_404(app: AppHarness) -> None:
    assert app.upload(b"email\na@shop.test\n", query="?dry_run=true").status == 404


def test_dry_runs_at_once_are_bounded(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.uploads.dry_run._slots", threading.BoundedSemaphore(1))
    from api.uploads import dry_run as module  # noqa: PLC0415 - the semaphore of this test

    app.make()
    with module._slots:
        answer = app.upload(query="?dry_run=true")
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    assert app.upload(query="?dry_run=true").status == 200


def test_a_dry_run_that_takes_too_long_is_refused(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a small archive of a long list, when its time is over, then the dry run ends."""
    monkeypatch.setattr("api.uploads.dry_run.LONGEST_S", -1.0)
    app.make()
    packed = gzip.compress(b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(100_000)))
    answer = app.upload(packed, query="?dry_run=true")
    assert (answer.status, "without dry_run" in answer.detail) == (422, True)


def guessed() -> bytes:
    """A list whose encoding cannot be certain: it has one letter beyond ASCII."""
    return "name,email\nZoë,a@shop.test\n".encode("cp1252")


def test_a_guessed_encoding_must_be_accepted_before_the_start(app: AppHarness) -> None:
    """Given a list with a guessed encoding, then the status shows values of it, and a start is refused until the
    warning is accepted.
    """
    app.ready(guessed())
    status = status_of(app)
    assert (status["status"], status["unaccepted"]) == ("ready", ["encoding_guessed"])
    assert len(status["samples"]) == 1
    assert [warning["code"] for warning in status["warnings"]] == ["encoding_guessed"]
    refused = app.web.post("/campaigns/c1/start")
    assert (refused.status, refused.json()["campaign_status"]) == (409, "ready")
    assert "encoding_guessed" in refused.detail
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": False}).status == 409
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": True}).json() == {"status": "running"}
    assert app.web.post("/campaigns/c1/start").status == 200


@pytest.mark.parametrize(("body", "status"), [({}, "ready"), ({"accept_warnings": True}, "running")])
def test_a_start_during_parsing_waits_for_warnings(app: AppHarness, body: dict[str, bool], status: str) -> None:
    app.make()
    app.upload(guessed())
    assert app.web.post("/campaigns/c1/start", body).json() == {"status": "parsing"}
    assert app.parse().status == status
    assert ("encoding_guessed" in (status_of(app)["reason"] or "")) == (status == "ready")


def test_a_new_list_must_be_accepted_anew(app: AppHarness) -> None:
    """Given a start with acceptance during parsing, when another list replaces the first, then neither start nor
    acceptance holds for it, and a list without warnings needs none.
    """
    app.make()
    app.upload(guessed())
    app.web.post("/campaigns/c1/start", {"accept_warnings": True})
    app.upload(guessed() + b"Zoe,z@shop.test\n")
    assert app.parse().status == "ready"
    assert app.web.post("/campaigns/c1/start").status == 409
    app.upload()
    assert app.parse().status == "ready"
    assert status_of(app)["unaccepted"] == []
    assert app.web.post("/campaigns/c1/start").status == 200


def test_a_killed_parser_leaves_nothing_that_the_next_one_does_not_replace(app: AppHarness) -> None:
    """Given the converted object of a parser that died half-way, then the next parser replaces it."""
    app.make(**GREETING)
    app.upload(RUSSIAN.encode("cp1251"))
    key = keys.converted_list("c1", app.harness.catalog.get("c1").list_version)
    app.store.objects[key] = b"half"
    app.parse()
    assert app.store.objects[key].decode() == RUSSIAN


def test_reading_a_large_table_of_texts_reports_progress() -> None:
    """Given a workbook whose texts are read before its first row, then progress is reported meanwhile."""
    data = with_table_of_texts(xlsx([["email"], *([f"{hash(row):x}{row}@shop.test"] for row in range(60_000))]))
    reports: list[tuple[int, int]] = []
    with read_list([data], ListOptions(), on_progress=lambda read, rows: reports.append((read, rows))) as found:
        assert found.result.total == 60_000
    assert reports.count((len(data), 0)) > 1


def test_a_stop_while_texts_are_read_is_no_damage() -> None:
    """Given a worker that stops while the texts of a workbook are read, then the list is not refused as damaged."""
    data = with_table_of_texts(xlsx([["email"], *([f"{hash(row):x}{row}@shop.test"] for row in range(60_000))]))
    reports: list[int] = []

    def stop(_read: int, rows: int) -> None:
        reports.append(rows)
        if len(reports) > 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        read_list([data], ListOptions(), on_progress=stop)
    assert reports[:2] == [0, 0]
