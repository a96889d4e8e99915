"""Attachments over HTTP, and how preview and test emails carry them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api.uploads.janitor import Janitor, Swept
from campaigns import attachments as limits
from mail import attachment
from mail.providers.capabilities import CAPABILITIES, Capabilities
from tests.support import mails
from tests.support.app_harness import AppHarness

PDF = b"%PDF-1.7 terms \x00\xff" * 50
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
HTML = '<p>{{ name }}</p><img src="cid:logo.png" alt="Logo">'


@pytest.fixture
def app(fake_redis: Redis, tmp_path: Path) -> AppHarness:
    return AppHarness(fake_redis, {"OUTBOX_DIR": str(tmp_path)})


def put(app: AppHarness, filename: str = "terms.pdf", data: bytes = PDF, content_type: str = "application/pdf") -> Any:
    headers = {"Content-Type": content_type} if content_type else {}
    return app.web.put(f"/campaigns/c1/attachments/{filename}", data, headers)


def listed(app: AppHarness) -> list[str]:
    return [file["filename"] for file in app.web.get("/campaigns/c1/attachments").json()["attachments"]]


def stored(app: AppHarness) -> list[bytes]:
    return [data for key, data in app.store.objects.items() if key.startswith("campaigns/c1/attachments/")]


def test_files_are_put_listed_replaced_and_removed(app: AppHarness) -> None:
    app.make(html=HTML)
    made = put(app)
    assert (made.status, made.json()) == (
        201, {"filename": "terms.pdf", "size": len(PDF), "content_type": "application/pdf", "inline": False},
    )  # fmt: skip
    assert put(app, "logo.png", PNG, "image/png").json()["inline"] is True
    assert put(app, data=b"other").status == 200
    assert app.web.get("/campaigns/c1/attachments").json() == {
        "attachments": [
            {"filename": "logo.png", "size": len(PNG), "content_type": "image/png", "inline": True},
            {"filename": "terms.pdf", "size": 5, "content_type": "application/pdf", "inline": False},
        ],
        "total_bytes": len(PNG) + 5,
        "limit_bytes": 25_000_000,
    }
    assert sorted(stored(app)) == sorted([PNG, b"other"])
    assert app.web.request("DELETE", "/campaigns/c1/attachments/terms.pdf").status == 204
    assert (listed(app), stored(app)) == (["logo.png"], [PNG])
    again = app.web.request("DELETE", "/campaigns/c1/attachments/terms.pdf")
    assert (again.status, "lists them" in again.detail) == (404, True)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET"])
def test_an_unknown_campaign_is_404(app: AppHarness, method: str) -> None:
    path = "/campaigns/c9/attachments" + ("" if method == "GET" else "/terms.pdf")
    assert app.web.request(method, path, b"x" if method == "PUT" else b"").status == 404
    assert app.store.objects == {}


def test_files_stay_as_they_are_once_the_campaign_has_been_started(app: AppHarness) -> None:
    app.ready()
    put(app)
    app.web.post("/campaigns/c1/start")
    refused = put(app, "late.pdf")
    assert (refused.status, refused.json()["campaign_status"]) == (409, "running")
    assert app.web.request("DELETE", "/campaigns/c1/attachments/terms.pdf").status == 409
    assert (listed(app), stored(app)) == (["terms.pdf"], [PDF])


def test_a_start_while_a_file_arrives_leaves_it_out(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    app.ready()
    put_file = app.store.put_file
    monkeypatch.setattr(app.store, "put_file", lambda *args: (app.harness.controls.start("c1"), put_file(*args)))
    assert put(app).status == 409
    assert (listed(app), stored(app)) == ([], [])


def test_all_files_together_have_a_limit(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CAPABILITIES, "outbox", Capabilities(attachments=1000))
    app.make()
    assert put(app, "a.pdf", b"x" * 600).status == 201
    refused = put(app, "b.pdf", b"x" * 401)
    assert (refused.status, "1,001 bytes together, more than 1,000" in refused.detail) == (413, True)
    assert put(app, "c.pdf", [b"x" * 500, b"x" * 501]).status == 413  # type: ignore[arg-type]
    assert put(app, "a.pdf", b"x" * 1000).status == 200
    assert [len(data) for data in stored(app)] == [1000]


def test_sendgrids_limit_counts_base64() -> None:
    assert attachment.encoded_bytes(3) == 6
    raw = CAPABILITIES["sendgrid"].attachments
    assert 29_500_000 < raw * 4 / 3 < 29_800_000
    assert CAPABILITIES["outbox"].attachments == 25_000_000


def test_the_number_of_files_has_a_limit(app: AppHarness) -> None:
    app.make()
    for number in range(limits.MAX_FILES):
        assert put(app, f"{number}.pdf", b"x").status == 201
    refused = put(app, "more.pdf", b"x")
    assert (refused.status, "20 attachments" in refused.detail) == (413, True)
    assert put(app, "0.pdf", b"y").status == 200


@pytest.mark.parametrize(
    "name", ["%22.pdf", "a%0D%0ABcc.pdf", "a%3Bb.pdf", "%20a.pdf", ".hidden", "x" * 201, "%ED%A0%80"]
)
def test_a_name_that_no_email_can_carry_is_422(app: AppHarness, name: str) -> None:
    app.make()
    refused = put(app, name)
    assert (refused.status, "file name" in refused.detail) == (422, True)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", "application/pdf"),
        ("application/x-www-form-urlencoded", "application/pdf"),
        ("Text/CSV; charset=utf-8", "text/csv; charset=utf-8"),
        ("application/octet-stream", "application/octet-stream"),
    ],
)
def test_the_type_is_the_headers_or_else_the_names(app: AppHarness, sent: str, kept: str) -> None:
    app.make()
    assert put(app, content_type=sent).json()["content_type"] == kept


@pytest.mark.parametrize("sent", ["pdf", "multipart/mixed", "message/rfc822", "a/b; c", "a/b\tc"])
def test_a_type_that_no_email_can_carry_is_422(app: AppHarness, sent: str) -> None:
    app.make()
    assert put(app, content_type=sent).status == 422


def test_an_empty_file_is_422_and_a_compressed_body_415(app: AppHarness) -> None:
    app.make()
    assert put(app, data=b"").status == 422
    headers = {"Content-Encoding": "gzip"}
    assert app.web.put("/campaigns/c1/attachments/a.pdf", b"x", headers).status == 415


def test_nothing_is_kept_while_the_store_is_away(app: AppHarness) -> None:
    app.make()
    app.store.away = True
    assert put(app).status == 503
    assert listed(app) == []


def test_a_deleted_campaign_leaves_no_file_and_no_record(app: AppHarness) -> None:
    app.make()
    put(app)
    app.web.request("DELETE", "/campaigns/c1")
    assert app.store.objects == {}
    app.make()
    assert listed(app) == []


def test_the_janitor_keeps_files_that_are_used(app: AppHarness) -> None:
    app.make()
    put(app)
    app.store.objects["campaigns/c1/attachments/lost"] = b"x"
    app.store.modified = dict.fromkeys(app.store.objects, datetime.now(UTC) - timedelta(days=2))
    assert Janitor(app.redis, app.harness.catalog, app.store).sweep(datetime.now(UTC)) == Swept(0, 1)
    assert stored(app) == [PDF]


def test_a_test_email_carries_them_and_the_preview_knows_its_size(app: AppHarness, tmp_path: Path) -> None:
    app.ready(html=HTML)
    put(app)
    put(app, "logo.png", PNG, "image/png")
    size = app.web.post("/campaigns/c1/preview", {"row": 1}).json()["size"]
    assert app.web.post("/campaigns/c1/test-send", {"to": ["me@shop.test"], "row": 1}).status == 200
    [file] = (tmp_path / "_test" / "c1").glob("*.eml")
    email = mails.read(file)
    [attached] = email.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("terms.pdf", PDF)
    images = [part for part in email.walk() if part.get_content_type() == "image/png"]
    assert [(part["Content-ID"], part.get_content()) for part in images] == [("<logo.png>", PNG)]
    assert abs(file.stat().st_size - size) < 20  # "[Test] ", the address and the row differ
