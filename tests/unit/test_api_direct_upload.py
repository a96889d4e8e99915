"""A small list in one request, as the body or in a form: never too large, never half stored."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.support.app_harness import CSV, AppHarness
from tests.support.doubles.web import Answer

MIB = 1024 * 1024
LIMIT = 10 * MIB
BOUNDARY = "xyz"


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    made = AppHarness(fake_redis)
    made.make()
    return made


def form(*fields: tuple[str, str | None, bytes]) -> bytes:
    """A multipart form of fields (name, file name or None, value)."""
    parts = []
    for name, filename, value in fields:
        file = f'; filename="{filename}"' if filename is not None else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        parts.append(head.encode() + value + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def send_form(app: AppHarness, body: bytes | list[bytes], query: str = "") -> Answer:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return app.web.post(f"/campaigns/c1/upload{query}", body, headers)


def untouched(app: AppHarness) -> bool:
    return app.store.objects == {} and app.web.get("/campaigns/c1").json()["status"] == "draft"


@pytest.mark.parametrize(
    "media_type", ["text/csv", "Text/CSV; charset=ISO-8859-1", "application/octet-stream", "application/vnd.ms-excel"]
)
def test_a_csv_body_becomes_the_list(app: AppHarness, media_type: str) -> None:
    answer = app.web.post("/campaigns/c1/upload?filename=people.csv", CSV, {"Content-Type": media_type})
    assert (answer.status, answer.json()) == (202, {"status": "parsing"})
    campaign = app.web.get("/campaigns/c1").json()
    assert (campaign["status"], campaign["size"], campaign["filename"]) == ("parsing", len(CSV), "people.csv")
    assert list(app.store.objects.values()) == [CSV]


def test_a_file_in_a_form_becomes_the_list(app: AppHarness) -> None:
    answer = send_form(app, form(("email_column", None, b"mail"), ("file", "../people.csv", CSV)))
    assert answer.status == 202
    campaign = app.web.get("/campaigns/c1").json()
    assert (campaign["email_column"], campaign["filename"]) == ("mail", "people.csv")
    assert list(app.store.objects.values()) == [CSV]


def test_the_query_can_name_the_email_column(app: AppHarness) -> None:
    assert app.upload(query="?email_column=E-Mail%20Adresse").status == 202
    assert app.web.get("/campaigns/c1").json()["email_column"] == "E-Mail Adresse"


@pytest.mark.parametrize(
    "query",
    ["email_column=" + "x" * 201, "encoding=klingon", "delimiter=ab", "delimiter=x", "sheet=" + "x" * 201, "dry_run=x"],
)
def test_an_invalid_parameter_is_422(app: AppHarness, query: str) -> None:
    assert app.upload(query=f"?{query}").status == 422
    assert untouched(app)


def test_a_body_of_exactly_the_limit_is_accepted(app: AppHarness) -> None:
    body = CSV.ljust(LIMIT, b"\n")
    assert app.upload(body).status == 202
    assert send_form(app, form(("file", "a.csv", body))).status == 202
    assert list(app.store.objects.values()) == [body]


def test_one_byte_more_is_413_naming_the_other_way_to_upload(app: AppHarness) -> None:
    chunks = [b"x" * MIB] * 10 + [b"x"]
    for answer in (
        app.web.post("/campaigns/c1/upload", b"", {"Content-Type": "text/csv", "Content-Length": str(LIMIT + 1)}),
        app.web.post("/campaigns/c1/upload", chunks, {"Content-Type": "text/csv"}),
        send_form(app, form(("file", "a.csv", b"".join(chunks)))),
        send_form(app, [form(("file", "a.csv", b"".join(chunks[:5])))[:-9], *chunks, b"x" * MIB]),
    ):
        assert answer.status == 413
        assert "/upload/init" in answer.detail
    assert untouched(app)


def test_a_declared_size_above_the_limit_is_refused_before_the_body_is_read(app: AppHarness) -> None:
    # Given a client that disconnects as soon as its body is read
    headers = {"Content-Type": "text/csv", "Content-Length": str(LIMIT + 1)}
    assert app.web.post("/campaigns/c1/upload", [None], headers).status == 413


@pytest.mark.parametrize(
    "body",
    [
        form(("file", "a.csv", b"")),
        form(("list", "a.csv", CSV)),
        form(("file", None, CSV)),
        form(("file", "a.csv", CSV), ("file", "b.csv", CSV)),
        form(("file", "a.csv", CSV), ("email_column", None, b"x" * 5000)),
        form(("file", "a.csv", CSV), ("email_column", "b.csv", b"x")),
        b"no form at all",
        b"",
    ],
)
def test_a_form_without_a_usable_file_is_422(app: AppHarness, body: bytes) -> None:
    assert send_form(app, body).status == 422
    assert untouched(app)


def test_an_empty_body_is_422(app: AppHarness) -> None:
    assert app.upload(b"").status == 422
    assert untouched(app)


@pytest.mark.parametrize("media_type", ["application/json", "application/x-www-form-urlencoded", "image/png"])
def test_another_content_type_is_422_saying_what_to_send(app: AppHarness, media_type: str) -> None:
    refused = app.web.post("/campaigns/c1/upload", CSV, {"Content-Type": media_type})
    assert refused.status == 422
    assert "text/csv" in refused.detail


def test_a_client_that_disconnects_half_way_leaves_nothing_behind(app: AppHarness) -> None:
    app.web.post("/campaigns/c1/upload", [CSV, None], {"Content-Type": "text/csv"})
    head = form(("file", "a.csv", CSV))[:-20]
    app.web.post("/campaigns/c1/upload", [head, None], {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    assert untouched(app)


def test_an_unknown_campaign_is_404_before_the_body_is_read(app: AppHarness) -> None:
    assert app.web.post("/campaigns/nobody/upload", [None], {"Content-Type": "text/csv"}).status == 404


def test_nothing_changes_while_the_store_is_away(app: AppHarness) -> None:
    app.store.away = True
    assert app.upload().status == 503
    app.store.away = False
    assert untouched(app)


def test_a_start_during_an_upload_wins(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a parsed list, and an upload that is under way when the campaign is started
    app.upload()
    app.parse()
    put_file = app.store.put_file
    monkeypatch.setattr(app.store, "put_file", lambda *args: (app.harness.controls.start("c1"), put_file(*args)))
    before = set(app.store.objects)
    # When the upload arrives, then it is refused and its object is gone
    assert app.upload(CSV + b"Eve,eve@shop.test\n").status == 409
    assert set(app.store.objects) == before


def test_a_second_list_before_the_start_replaces_the_first(app: AppHarness) -> None:
    app.upload()
    app.parse()
    assert app.upload(CSV + b"Eve,eve@shop.test\n").status == 202
    app.parse()
    assert app.web.get("/campaigns/c1/status").json()["total"] == 3
