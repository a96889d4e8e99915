"""A copy of a campaign is a draft with the same content, settings and attachments, and without a list."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import ConnectionError as RedisConnectionError, Redis

from campaigns.attachments import Attachments
from storage import StoreUnavailable
from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Answer

PDF = b"%PDF-1.7 terms"


@pytest.fixture
def app(fake_redis: Redis, tmp_path: Path) -> AppHarness:
    return AppHarness(fake_redis, {"OUTBOX_DIR": str(tmp_path)})


def copy(app: AppHarness, new_id: object = "c2", original: str = "c1") -> Answer:
    return app.web.post(f"/campaigns/{original}/copy", {"id": new_id})


def attach(app: AppHarness, filename: str = "terms.pdf") -> None:
    path = f"/campaigns/c1/attachments/{filename}"
    assert app.web.put(path, PDF, {"Content-Type": "application/pdf"}).status == 201


def test_a_copy_has_the_content_and_the_settings_and_no_list(app: AppHarness) -> None:
    # Given a running campaign with a list, settings of its own, and a rate that was changed after PUT
    app.ready(b"name,email\nEve,eve@shop.test\n", "old")
    app.ready(weight=3, html="<p>Hi {{ name }}</p>", exclude=["old"], duplicates="keep", tpm=60)
    assert app.web.post("/campaigns/c1/start").status == 200
    app.web.post("/campaigns/c1/rate-limit", {"tpm": 77})
    before = app.web.get("/campaigns/c1").json()
    # When it is copied
    answer = copy(app)
    # Then the copy is a draft that differs in what belongs to the list and to the run
    assert (answer.status, answer.headers["location"]) == (201, "/campaigns/c2")
    made = answer.json()
    assert app.web.get("/campaigns/c2").json() == made
    assert (made["id"], made["status"], made["tpm"], made["size"], made["columns"]) == ("c2", "draft", 77, 0, [])
    of_the_run = {"id", "status", "created_at", "started_at", "filename", "size", "email_column", "columns"}
    of_the_list = {"list_facts", "warnings"}
    same = before.keys() - of_the_run - of_the_list
    assert {name: made[name] for name in same} == {name: before[name] for name in same}
    # And the original is as it was, and the copy can be changed
    assert app.web.get("/campaigns/c1").json() == before
    assert app.web.get("/campaigns/c2/status").json()["total"] == 0
    assert app.web.put("/campaigns/c2", {"from": "a@b.test", "subject": "New", "text": "New"}).status == 200


def test_a_copy_has_attachments_of_its_own(app: AppHarness) -> None:
    app.make()
    attach(app)
    assert copy(app).status == 201
    # When the original is deleted, then the copy still has its file
    assert app.web.request("DELETE", "/campaigns/c1").status == 204
    [file] = app.web.get("/campaigns/c2/attachments").json()["attachments"]
    assert (file["filename"], file["size"], file["content_type"]) == ("terms.pdf", len(PDF), "application/pdf")
    [(key, data)] = app.store.objects.items()
    assert key.startswith("campaigns/c2/attachments/")
    assert data == PDF


@pytest.mark.parametrize("other", [{}, {"subject": "Another"}])
def test_an_id_that_is_taken_is_409_and_its_campaign_stays(app: AppHarness, other: dict[str, str]) -> None:
    app.make()
    app.make("c2", **other)
    attach(app)
    before = app.web.get("/campaigns/c2").json()
    answer = copy(app)
    assert (answer.status, answer.json()["campaign_status"]) == (409, "draft")
    assert "c2 already exists" in answer.detail
    assert copy(app, "c1").status == 409
    assert app.web.get("/campaigns/c2").json() == before
    assert len(app.store.objects) == 1


@pytest.mark.parametrize("other", [{}, {"subject": "Another"}])
def test_a_campaign_that_is_made_meanwhile_stays(
    app: AppHarness, other: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a campaign with a file, and another request that makes c2 while the file is copied
    app.make(tpm=1000)
    attach(app)
    whole = app.store.copy

    def copy_slowly(key: str, to_key: str) -> None:
        app.make("c2", **{"tpm": 1000, **other})
        whole(key, to_key)

    monkeypatch.setattr(app.store, "copy", copy_slowly)
    # When it is copied to c2, then that campaign stays, and no file is left over
    assert copy(app).status == 409
    assert app.web.get("/campaigns/c2").json()["subject"] == other.get("subject", "Hello {{ name }}")
    assert app.web.get("/campaigns/c2/attachments").json()["attachments"] == []
    assert len(app.store.objects) == 1


@pytest.mark.parametrize("new_id", ["", "-a", "a b", "a/b", "a" * 65, "a\n", "\u00e4", 7, None])
def test_a_bad_id_is_422(app: AppHarness, new_id: object) -> None:
    app.make()
    assert copy(app, new_id).status == 422
    assert app.web.get("/campaigns").json()["total"] == 1


def test_an_unknown_campaign_is_404(app: AppHarness) -> None:
    assert copy(app).status == 404


def test_a_copy_that_excludes_a_deleted_campaign_is_422(app: AppHarness) -> None:
    app.make("old")
    app.make(exclude=["old"])
    app.web.request("DELETE", "/campaigns/old")
    answer = copy(app)
    assert answer.status == 422
    assert "'old'" in answer.detail


def test_no_campaign_is_made_without_its_files(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    app.make()
    attach(app)
    # Given a store that cannot copy, then there is no new campaign
    with monkeypatch.context() as patch:
        patch.setattr(app.store, "copy", _raises(StoreUnavailable("the object store cannot be reached (test)")))
        assert copy(app).status == 503
    assert app.web.get("/campaigns/c2").status == 404
    # And neither if Redis does not record the files
    with monkeypatch.context() as patch:
        patch.setattr(Attachments, "put", _raises(RedisConnectionError("gone (test)")))
        assert copy(app).status == 503
    assert app.web.get("/campaigns/c2").status == 404
    assert copy(app).status == 201


def _raises(error: Exception) -> object:
    def call(*_: object) -> None:
        raise error

    return call
