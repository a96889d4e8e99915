"""Multipart uploads over HTTP: plan, checks, complete and abort, and what is left after a failure."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st
from redis import ConnectionError as RedisConnectionError, Redis

from api.uploads import bodies, upload_parts
from campaigns.models import Campaign
from storage import StoreUnavailable
from tests.support.app_harness import CSV, AppHarness
from tests.support.doubles.web import Answer

MIB = 1024 * 1024
FIRST = b"email,name\n" + b"#" * (8 * MIB - 11)
LAST = b"\nada@shop.test,Ada\n"


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    made = AppHarness(fake_redis)
    made.make()
    return made


def begin(app: AppHarness, size: int = len(FIRST) + len(LAST)) -> str:
    answer = app.web.post("/campaigns/c1/upload/init", {"size": size, "filename": "C:\\lists\\people.csv"})
    assert answer.status == 201
    return str(answer.json()["upload_id"])


def begin_and_send(app: AppHarness) -> tuple[str, list[str]]:
    upload_id = begin(app)
    return upload_id, [app.store.put_part(upload_id, 1, FIRST), app.store.put_part(upload_id, 2, LAST)]


def complete(app: AppHarness, upload_id: str, **more: object) -> Answer:
    return app.web.post("/campaigns/c1/upload/complete", {"upload_id": upload_id, **more})


def queued(app: AppHarness) -> int:
    return int(app.redis.llen("dramatiq:parse_csv"))


def test_a_file_in_parts_becomes_the_list(app: AppHarness) -> None:
    # Given both parts of a file
    upload_id, etags = begin_and_send(app)
    # When the client completes the upload with their ETags, quoted or not
    parts = [{"part_number": 1, "etag": f'"{etags[0]}"'}, {"part_number": 2, "etag": etags[1].upper()}]
    answer = complete(app, upload_id, parts=parts)
    # Then the list is being parsed
    assert (answer.status, answer.json()) == (202, {"status": "parsing"})
    campaign = app.web.get("/campaigns/c1").json()
    assert (campaign["status"], campaign["filename"], campaign["size"]) == (
        "parsing",
        "people.csv",
        8 * MIB + len(LAST),
    )
    assert list(app.store.objects.values()) == [FIRST + LAST]
    assert queued(app) == 1


def test_the_plan_has_an_address_for_each_part(app: AppHarness) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    plan = app.web.post("/campaigns/c1/upload/init", {"size": 20 * MIB}).json()
    assert plan["part_size"] == 8 * MIB
    assert [part["part_number"] for part in plan["parts"]] == [1, 2, 3]
    assert all("expires=86400" in part["url"] for part in plan["parts"])
    expires = datetime.fromisoformat(plan["expires_at"])
    assert timedelta(hours=23, minutes=59) < expires - before <= timedelta(hours=24, minutes=1)
    assert len({part["url"] for part in plan["parts"]}) == 3
    key = next(iter(app.store.uploads.values()))[0]
    assert key.startswith("campaigns/c1/")
    assert key.endswith("/list.csv")


@given(size=st.integers(1, bodies.MAX_SIZE_BYTES))
def test_a_file_of_any_allowed_size_fits_into_its_parts(size: int) -> None:
    each = upload_parts.part_bytes(size)
    count = upload_parts.part_count(size, each)
    assert each >= 8 * MIB
    assert each % MIB == 0
    assert each <= 5 * 1024**3
    assert 1 <= count <= 10_000
    assert (count - 1) * each < size <= count * each


@pytest.mark.parametrize("size", [0, -1, "5", 1.5, None, True])
def test_an_invalid_size_is_422(app: AppHarness, size: object) -> None:
    assert app.web.post("/campaigns/c1/upload/init", {"size": size}).status == 422
    assert app.store.uploads == {}


@pytest.mark.parametrize(
    "more", [{"expires_in_s": 7 * 86400 + 1}, {"expires_in_s": 0}, {"filename": "x" * 256}, {"a": 1}]
)
def test_other_wrong_plans_are_422(app: AppHarness, more: dict[str, object]) -> None:
    assert app.web.post("/campaigns/c1/upload/init", {"size": 5, **more}).status == 422


def test_missing_parts_are_named_and_can_still_be_sent(app: AppHarness) -> None:
    # Given an upload whose second part has not arrived
    upload_id = begin(app)
    app.store.put_part(upload_id, 1, FIRST)
    # When the client completes it
    refused = complete(app, upload_id)
    # Then the response names the part and nothing has changed
    assert (refused.status, refused.json()["missing"], refused.json()["wrong"]) == (409, [2], [])
    assert "missing: 2" in refused.detail
    assert app.web.get("/campaigns/c1").json()["status"] == "draft"
    # And once the part has arrived, the upload can be completed
    app.store.put_part(upload_id, 2, LAST)
    assert complete(app, upload_id).status == 202


@pytest.mark.parametrize(
    ("first", "last", "wrong"),
    [
        (FIRST[:-1], LAST, [1]),
        (FIRST[: 4 * MIB], LAST, [1]),
        (FIRST, LAST + b"x", [2]),
        (FIRST, b"", [2]),
        (FIRST + b"x", LAST[1:], [1, 2]),
    ],
)
def test_parts_of_a_wrong_size_are_named(app: AppHarness, first: bytes, last: bytes, wrong: list[int]) -> None:
    upload_id = begin(app)
    app.store.put_part(upload_id, 1, first)
    app.store.put_part(upload_id, 2, last)
    refused = complete(app, upload_id)
    assert (refused.status, refused.json()["wrong"]) == (409, wrong)
    assert app.store.objects == {}


@pytest.mark.parametrize(
    ("sent", "missing", "wrong"),
    [
        ([(1, "0" * 32), (2, None)], [], [1]),
        ([(1, None)], [2], []),
        ([(1, None), (2, None), (3, "0" * 32)], [], [3]),
    ],
)
def test_the_etags_that_the_client_gives_are_checked(
    app: AppHarness, sent: list[tuple[int, str | None]], missing: list[int], wrong: list[int]
) -> None:
    upload_id, etags = begin_and_send(app)
    parts = [{"part_number": number, "etag": etag or etags[number - 1]} for number, etag in sent]
    refused = complete(app, upload_id, parts=parts)
    assert (refused.status, refused.json()["missing"], refused.json()["wrong"]) == (409, missing, wrong)
    assert complete(app, upload_id).status == 202


def test_the_detail_names_only_the_first_of_many_missing_parts(app: AppHarness) -> None:
    upload_id = begin(app, 30 * 8 * MIB)
    refused = complete(app, upload_id)
    assert "20 and 10 more" in refused.detail
    assert len(refused.json()["missing"]) == 30


def test_completing_again_gives_the_same_response_and_parses_once(app: AppHarness) -> None:
    upload_id, _ = begin_and_send(app)
    assert complete(app, upload_id).status == 202
    again = complete(app, upload_id)
    assert (again.status, again.json()) == (202, {"status": "parsing"})
    assert queued(app) == 1
    app.parse()
    app.web.post("/campaigns/c1/start")
    assert complete(app, upload_id).status == 202
    assert app.web.get("/campaigns/c1").json()["status"] == "running"


def test_eight_concurrent_completes_parse_once(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given eight requests that complete one upload, and none that sees another's list before it stores its own, then
    all get the same response, the list is parsed once, and a start requested meanwhile is not lost.
    """
    upload_id, _ = begin_and_send(app)
    catalog, together = app.starlette.state.components.catalog, threading.Barrier(8)
    accept, put_together, one_by_one = catalog.accept_list, app.store.complete_upload, threading.Lock()

    def put_together_as_a_store_does(*args: Any) -> None:
        with one_by_one:
            put_together(*args)

    def accept_together(*args: Any, **more: Any) -> Any:
        together.wait(9)
        return accept(*args, **more)

    monkeypatch.setattr(app.store, "complete_upload", put_together_as_a_store_does)
    monkeypatch.setattr(catalog, "accept_list", accept_together)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: complete(app, upload_id), range(8)))
    assert [(answer.status, answer.json()) for answer in answers] == [(202, {"status": "parsing"})] * 8
    assert queued(app) == 1
    assert len(app.store.objects) == 1


def test_the_same_list_accepted_again_changes_nothing(app: AppHarness) -> None:
    """Given a list in any state, when a request that has not seen it stores the same list again, then nothing
    changes.
    """
    upload_id, _ = begin_and_send(app)
    complete(app, upload_id)
    catalog = app.harness.catalog
    campaign = catalog.get("c1")
    app.web.post("/campaigns/c1/start")
    again: dict[str, Any] = {
        "object_key": campaign.object_key,
        "size": campaign.size,
        "filename": "",
    }
    assert catalog.accept_list("c1", **again) == (campaign.list_version, "")
    assert catalog.get("c1").start_when_ready
    assert app.parse().status == "running"
    assert catalog.accept_list("c1", **again) == (campaign.list_version, "")
    assert catalog.get("c1").status == "running"


def test_two_overlapping_completes_do_not_conflict(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a request that has read the campaign, when another request completes the same upload, then the first one
    gets the same response.
    """
    upload_id, _ = begin_and_send(app)
    catalog = app.starlette.state.components.catalog
    read = catalog.get

    def read_and_be_overtaken(campaign_id: str) -> Campaign:
        campaign: Campaign = read(campaign_id)
        monkeypatch.setattr(catalog, "get", read)
        assert complete(app, upload_id).status == 202
        return campaign

    monkeypatch.setattr(catalog, "get", read_and_be_overtaken)
    assert complete(app, upload_id).status == 202
    assert queued(app) == 1


def test_a_retry_finishes_a_complete_that_crashed_between_store_and_redis(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a complete that reached only the store
    upload_id, _ = begin_and_send(app)
    parts = app.starlette.state.components
    with monkeypatch.context() as patch:
        patch.setattr(parts.catalog, "accept_list", _raises(RedisConnectionError("away")))
        assert complete(app, upload_id).status == 503
    assert len(app.store.objects) == 1
    assert app.web.get("/campaigns/c1").json()["status"] == "draft"
    # When the client tries again
    assert complete(app, upload_id).status == 202
    # Then the campaign has the list
    assert app.web.get("/campaigns/c1").json()["status"] == "parsing"


def test_completing_again_can_choose_another_column_of_the_same_file(app: AppHarness) -> None:
    upload_id, _ = begin_and_send(app)
    assert complete(app, upload_id, email_column="mail").status == 202
    assert app.parse().status == "rejected"
    assert complete(app, upload_id, email_column="email").status == 202
    assert app.web.get("/campaigns/c1").json()["email_column"] == "email"
    assert queued(app) == 2
    assert len(app.store.objects) == 1


def test_a_later_upload_replaces_the_list_and_deletes_it(app: AppHarness) -> None:
    first, _ = begin_and_send(app)
    complete(app, first)
    second, _ = begin_and_send(app)
    assert complete(app, second).status == 202
    assert len(app.store.objects) == 1
    # And the first upload does not come back
    refused = complete(app, first)
    assert (refused.status, "replaced" in refused.detail) == (409, True)
    assert len(app.store.objects) == 1


def test_no_upload_is_accepted_after_the_start(app: AppHarness) -> None:
    waiting, _ = begin_and_send(app)
    app.upload()
    app.parse()
    app.web.post("/campaigns/c1/start")
    for answer in (
        app.web.post("/campaigns/c1/upload/init", {"size": 5}),
        complete(app, waiting),
        app.upload(),
    ):
        assert answer.status == 409
        assert "running" in answer.detail
    assert len(app.store.uploads) == 1
    assert app.web.post("/campaigns/c1/upload/abort", {"upload_id": waiting}).status == 200


def test_an_aborted_upload_is_gone(app: AppHarness) -> None:
    upload_id, _ = begin_and_send(app)
    for _ in range(2):
        answer = app.web.post("/campaigns/c1/upload/abort", {"upload_id": upload_id})
        assert (answer.status, answer.json()) == (200, {"status": "aborted"})
    assert app.store.uploads == {}
    gone = complete(app, upload_id)
    assert gone.status == 404
    assert "upload/init" in gone.detail


def test_an_upload_that_the_store_has_lost_is_gone(app: AppHarness) -> None:
    upload_id, _ = begin_and_send(app)
    app.store.uploads.clear()
    assert complete(app, upload_id).status == 404


def test_a_complete_upload_cannot_be_aborted(app: AppHarness) -> None:
    upload_id, _ = begin_and_send(app)
    complete(app, upload_id)
    assert app.web.post("/campaigns/c1/upload/abort", {"upload_id": upload_id}).status == 409
    assert len(app.store.objects) == 1


@pytest.mark.parametrize("step", ["init", "complete", "abort"])
def test_an_unknown_campaign_is_404(app: AppHarness, step: str) -> None:
    body = {"size": 5} if step == "init" else {"upload_id": "u"}
    answer = app.web.post(f"/campaigns/nobody/upload/{step}", body)
    assert answer.status == 404
    assert "PUT /campaigns/{id}" in answer.detail
    assert app.store.uploads == {}


def test_an_upload_belongs_to_its_campaign(app: AppHarness) -> None:
    app.make("c2")
    upload_id, _ = begin_and_send(app)
    assert app.web.post("/campaigns/c2/upload/complete", {"upload_id": upload_id}).status == 404
    assert app.web.post("/campaigns/c2/upload/abort", {"upload_id": upload_id}).status == 200
    assert complete(app, upload_id).status == 202


def test_no_upload_begins_while_redis_or_the_store_is_away(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    app.store.away = True
    assert app.web.post("/campaigns/c1/upload/init", {"size": 5}).status == 503
    app.store.away = False
    with monkeypatch.context() as patch:
        patch.setattr(app.starlette.state.components.catalog, "begin_upload", _raises(RedisConnectionError("away")))
        refused = app.web.post("/campaigns/c1/upload/init", {"size": 5})
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert app.store.uploads == {}


def test_an_upload_survives_an_outage_of_the_store(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_id, _ = begin_and_send(app)
    with monkeypatch.context() as patch:
        patch.setattr(app.store, "complete_upload", _raises(StoreUnavailable("InternalError in a 200")))
        assert complete(app, upload_id).status == 503
    assert complete(app, upload_id).status == 202


def test_ten_thousand_etags_fit_into_the_body(app: AppHarness) -> None:
    upload_id = begin(app)
    parts = [{"part_number": number, "etag": f'"{number:032x}-{10_000}"'} for number in range(1, 10_001)]
    assert complete(app, upload_id, parts=parts).status == 409


def test_a_replaced_list_is_left_to_the_janitor_while_the_store_is_away(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.upload()
    monkeypatch.setattr(app.store, "delete", _raises(StoreUnavailable("away")))
    assert app.upload(CSV + b"Eve,eve@shop.test\n").status == 202


def _raises(error: Exception):  # type: ignore[no-untyped-def]  # noqa: ANN202
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    return fail
