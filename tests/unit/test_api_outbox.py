"""The outbox over HTTP: only while an account writes to it, and only for clients of the API."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Web

EMAIL = b"From: news@shop.test\nTo: ann@shop.test\nSubject: Hello\n\nDear Ann\n"


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    (tmp_path / "spring").mkdir()
    for row in (1, 2, 3):
        (tmp_path / "spring" / f"{row}.eml").write_bytes(EMAIL.replace(b"ann@", b"ann%d@" % row))
    (tmp_path.parent / "outside.eml").write_bytes(EMAIL)
    return tmp_path


@pytest.fixture
def app(fake_redis: Redis, outbox: Path) -> AppHarness:
    return AppHarness(fake_redis, {"OUTBOX_DIR": str(outbox)})


def test_the_emails_are_listed_found_and_shown(app: AppHarness) -> None:
    assert [(one["id"], one["emails"]) for one in app.web.get("/outbox").json()["folders"]] == [("spring", 3)]
    first = app.web.get("/outbox/spring?limit=2").json()
    assert ([one["to"] for one in first["emails"]], first["total"]) == (["ann3@shop.test", "ann2@shop.test"], 3)
    assert [one["name"] for one in app.web.get(first["next"]).json()["emails"]] == ["1"]
    assert [one["row"] for one in app.web.get("/outbox/spring?search=ANN2").json()["emails"]] == [2]
    email = app.web.get("/outbox/spring/2").json()
    assert (email["text"], email["html"]) == ("Dear Ann\n", None)
    assert {"name": "Subject", "value": "Hello"} in email["headers"]


@pytest.mark.parametrize("path", ["spring/9", "autumn/1", "spring/..%2F..%2Foutside", "..%2F/outside", "_test/1"])
def test_what_is_not_there_is_404(app: AppHarness, path: str) -> None:
    assert app.web.get(f"/outbox/{path}").status == 404


def test_with_another_provider_there_is_no_outbox(fake_redis: Redis, outbox: Path) -> None:
    app = AppHarness(fake_redis, {"OUTBOX_DIR": str(outbox), "SENDGRID_API_KEY": "SG.key"})
    for path in ("/outbox", "/outbox/spring", "/outbox/spring/1"):
        answer = app.web.get(path)
        assert (answer.status, "really sent" in answer.detail) == (404, True)


def test_the_outbox_needs_the_token(fake_redis: Redis, outbox: Path) -> None:
    app = AppHarness(fake_redis, {"OUTBOX_DIR": str(outbox), "API_TOKEN": "secret"})
    assert Web(app.starlette, ("192.0.2.7", 50_000)).get("/outbox/spring/1").status == 401
