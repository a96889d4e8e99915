"""An upload in parts is resumed hours later: what has arrived, and fresh addresses for the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis import Redis

from storage import StoreUnavailable
from tests.support.app_harness import AppHarness

MIB = 1024 * 1024
WHOLE = b"email,name\n" + b"#" * (8 * MIB - 11)
LAST = b"\nada@shop.test,Ada\n"
SIZE = 2 * len(WHOLE) + len(LAST)


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    made = AppHarness(fake_redis)
    made.make()
    return made


def begin(app: AppHarness, **more: object) -> str:
    answer = app.web.post("/campaigns/c1/upload/init", {"size": SIZE, **more})
    return str(answer.json()["upload_id"])


def state(app: AppHarness, upload_id: str) -> Any:
    answer = app.web.get(f"/campaigns/c1/uploads/{upload_id}")
    assert answer.status == 200
    return answer.json()


def begun_before(app: AppHarness, upload_id: str, age: timedelta) -> None:
    """Make the upload as old as `age`."""
    upload = app.harness.catalog.upload("c1", upload_id)
    then = {
        name: (datetime.fromisoformat(getattr(upload, name)) - age).isoformat(timespec="seconds")
        for name in ("created_at", "expires_at")
    }
    app.harness.catalog.begin_upload("c1", msgspec.structs.replace(upload, **then))


def test_parts_that_have_arrived_have_a_size_and_the_others_an_address(app: AppHarness) -> None:
    # Given an upload of three parts, of which one has arrived, and one with too few bytes
    upload_id = begin(app)
    app.store.put_part(upload_id, 2, WHOLE)
    app.store.put_part(upload_id, 3, LAST[:-1])
    # When its state is read, then only the whole part counts as received
    found = state(app, upload_id)
    assert found["part_size"] == len(WHOLE)
    assert found["parts"][1] == {"part_number": 2, "received": True, "size": len(WHOLE)}
    for part, number in ((found["parts"][0], 1), (found["parts"][2], 3)):
        assert set(part) == {"part_number", "received", "url"}
        assert not part["received"]
        assert f"upload={upload_id}&part={number}&" in part["url"]


def test_an_upload_is_resumed_after_its_first_addresses_have_expired(app: AppHarness) -> None:
    # Given an upload whose addresses were valid for a minute, two days ago
    upload_id = begin(app, expires_in_s=60)
    app.store.put_part(upload_id, 1, WHOLE)
    begun_before(app, upload_id, timedelta(days=2))
    # When its state is read, then the missing parts have addresses for another minute
    before = datetime.now(UTC)
    found = state(app, upload_id)
    assert ["expires=60" in part.get("url", "") for part in found["parts"]] == [False, True, True]
    assert datetime.fromisoformat(found["expires_at"]) - before < timedelta(minutes=2)
    # And the upload can be completed
    app.store.put_part(upload_id, 2, WHOLE)
    app.store.put_part(upload_id, 3, LAST)
    assert app.web.post("/campaigns/c1/upload/complete", {"upload_id": upload_id}).status == 202


def test_no_address_is_valid_for_longer_than_the_upload_is_kept(app: AppHarness) -> None:
    upload_id = begin(app)
    begun_before(app, upload_id, timedelta(days=7) - timedelta(minutes=10))
    found = state(app, upload_id)
    assert datetime.fromisoformat(found["expires_at"]) - datetime.now(UTC) <= timedelta(minutes=10)
    begun_before(app, upload_id, timedelta(minutes=10))
    assert app.web.get(f"/campaigns/c1/uploads/{upload_id}").status == 404


def test_every_part_of_a_completed_upload_has_arrived(app: AppHarness) -> None:
    # Given an upload that reached the store alone, before the request died
    upload_id = begin(app)
    for number, data in ((1, WHOLE), (2, WHOLE), (3, LAST)):
        app.store.put_part(upload_id, number, data)
    key = app.store.uploads[upload_id][0]
    app.store.complete_upload(key, upload_id, app.store.list_parts(key, upload_id))
    sizes = [len(WHOLE), len(WHOLE), len(LAST)]
    assert [part["size"] for part in state(app, upload_id)["parts"]] == sizes
    # When it is completed, then the response is the same
    assert app.web.post("/campaigns/c1/upload/complete", {"upload_id": upload_id}).status == 202
    assert [part["size"] for part in state(app, upload_id)["parts"]] == sizes


def test_an_unknown_upload_is_404(app: AppHarness) -> None:
    upload_id = begin(app)
    assert app.web.get("/campaigns/c1/uploads/none").status == 404
    assert app.web.get(f"/campaigns/c2/uploads/{upload_id}").status == 404
    app.make("c2")
    assert app.web.get(f"/campaigns/c2/uploads/{upload_id}").status == 404
    # And so is one that the store has lost, or that was aborted
    app.store.uploads.clear()
    assert app.web.get(f"/campaigns/c1/uploads/{upload_id}").status == 404
    app.web.post("/campaigns/c1/upload/abort", {"upload_id": upload_id})
    assert app.web.get(f"/campaigns/c1/uploads/{upload_id}").status == 404


def test_reading_the_state_changes_nothing(app: AppHarness) -> None:
    upload_id = begin(app)
    before = app.harness.catalog.upload("c1", upload_id)
    state(app, upload_id)
    assert app.harness.catalog.upload("c1", upload_id) == before


def test_an_unavailable_store_is_503(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the object store cannot be reached (test)")

    upload_id = begin(app)
    monkeypatch.setattr(app.store, "list_parts", away)
    assert app.web.get(f"/campaigns/c1/uploads/{upload_id}").status == 503
