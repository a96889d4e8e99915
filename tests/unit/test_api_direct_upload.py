"""A small list in one request: as the body or in a form, never too large, never half-done."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.support.app_harness import CSV, Site
from tests.support.doubles.web import Answer

MIB = 1024 * 1024
LIMIT = 10 * MIB
BOUNDARY = "xyz"


@pytest.fixture
def site(fake_redis: Redis) -> Site:
    made = Site(fake_redis)
    made.make()
    return made


def form(*fields: tuple[str, str | None, bytes]) -> bytes:
    """Fields as (name, file name or None, value)."""
    parts = []
    for name, filename, value in fields:
        file = f'; filename="{filename}"' if filename is not None else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        parts.append(head.encode() + value + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def send_form(site: Site, body: bytes | list[bytes], query: str = "") -> Answer:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return site.web.post(f"/campaigns/c1/upload{query}", body, headers)


def untouched(site: Site) -> bool:
    return site.store.objects == {} and site.web.get("/campaigns/c1").json()["status"] == "draft"


@pytest.mark.parametrize(
    "media_type", ["text/csv", "Text/CSV; charset=ISO-8859-1", "application/octet-stream", "application/vnd.ms-excel"]
)
def test_a_csv_body_becomes_the_list(site: Site, media_type: str) -> None:
    answer = site.web.post("/campaigns/c1/upload?filename=people.csv", CSV, {"Content-Type": media_type})
    assert (answer.status, answer.json()) == (202, {"status": "parsing"})
    campaign = site.web.get("/campaigns/c1").json()
    assert (campaign["status"], campaign["size"], campaign["filename"]) == ("parsing", len(CSV), "people.csv")
    assert list(site.store.objects.values()) == [CSV]


def test_a_file_in_a_form_becomes_the_list(site: Site) -> None:
    answer = send_form(site, form(("email_column", None, b"mail"), ("file", "../people.csv", CSV)))
    assert answer.status == 202
    campaign = site.web.get("/campaigns/c1").json()
    assert (campaign["email_column"], campaign["filename"]) == ("mail", "people.csv")
    assert list(site.store.objects.values()) == [CSV]


def test_the_column_can_be_named_in_the_query(site: Site) -> None:
    assert site.upload(query="?email_column=E-Mail%20Adresse").status == 202
    assert site.web.get("/campaigns/c1").json()["email_column"] == "E-Mail Adresse"


@pytest.mark.parametrize("query", ["?email_column=", "?email_column=" + "x" * 201])
def test_an_impossible_column_is_422(site: Site, query: str) -> None:
    assert site.upload(query=query).status == 422
    assert untouched(site)


def test_exactly_the_limit_is_taken(site: Site) -> None:
    body = CSV.ljust(LIMIT, b"\n")
    assert site.upload(body).status == 202
    assert send_form(site, form(("file", "a.csv", body))).status == 202
    assert list(site.store.objects.values()) == [body]


def test_one_byte_more_is_413_naming_the_other_way(site: Site) -> None:
    chunks = [b"x" * MIB] * 10 + [b"x"]
    for answer in (
        site.web.post("/campaigns/c1/upload", b"", {"Content-Type": "text/csv", "Content-Length": str(LIMIT + 1)}),
        site.web.post("/campaigns/c1/upload", chunks, {"Content-Type": "text/csv"}),
        send_form(site, form(("file", "a.csv", b"".join(chunks)))),
        send_form(site, [form(("file", "a.csv", b"".join(chunks[:5])))[:-9], *chunks, b"x" * MIB]),
    ):
        assert answer.status == 413
        assert "/upload/init" in answer.detail
    assert untouched(site)


def test_an_announced_size_is_refused_before_a_byte_is_read(site: Site) -> None:
    # Given a client that would leave as soon as its body were read
    headers = {"Content-Type": "text/csv", "Content-Length": str(LIMIT + 1)}
    assert site.web.post("/campaigns/c1/upload", [None], headers).status == 413


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
def test_a_form_without_a_usable_file_is_422(site: Site, body: bytes) -> None:
    assert send_form(site, body).status == 422
    assert untouched(site)


def test_an_empty_body_is_422(site: Site) -> None:
    assert site.upload(b"").status == 422
    assert untouched(site)


@pytest.mark.parametrize("media_type", ["application/json", "application/x-www-form-urlencoded", "image/png"])
def test_anything_else_is_422_saying_what_to_send(site: Site, media_type: str) -> None:
    refused = site.web.post("/campaigns/c1/upload", CSV, {"Content-Type": media_type})
    assert refused.status == 422
    assert "text/csv" in refused.detail


def test_a_client_that_leaves_half_way_leaves_nothing(site: Site) -> None:
    site.web.post("/campaigns/c1/upload", [CSV, None], {"Content-Type": "text/csv"})
    head = form(("file", "a.csv", CSV))[:-20]
    site.web.post("/campaigns/c1/upload", [head, None], {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    assert untouched(site)


def test_an_unknown_campaign_is_404_before_a_byte_is_read(site: Site) -> None:
    assert site.web.post("/campaigns/nobody/upload", [None], {"Content-Type": "text/csv"}).status == 404


def test_nothing_changes_while_the_store_is_away(site: Site) -> None:
    site.store.away = True
    assert site.upload().status == 503
    site.store.away = False
    assert untouched(site)


def test_a_start_that_comes_in_between_wins(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a parsed list, and an upload that is on its way when the campaign is started
    site.upload()
    site.parse()
    put_file = site.store.put_file
    monkeypatch.setattr(site.store, "put_file", lambda *args: (site.world.controls.start("c1"), put_file(*args)))
    before = set(site.store.objects)
    # When it arrives, then it is refused and its object is gone
    assert site.upload(CSV + b"Eve,eve@shop.test\n").status == 409
    assert set(site.store.objects) == before


def test_a_list_before_the_start_replaces_the_one_before(site: Site) -> None:
    site.upload()
    site.parse()
    assert site.upload(CSV + b"Eve,eve@shop.test\n").status == 202
    site.parse()
    assert site.web.get("/campaigns/c1/status").json()["total"] == 3
