"""A wrong JSON body is answered with all of its mistakes, and a right one with none."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from redis import Redis

from api.http.mistakes import MAX_MISTAKES, mistakes
from api.http.problem_types import ProblemType, uri
from api.uploads.bodies import UploadCompleteRequest
from campaigns.models import Content
from tests.support.app_harness import CONTENT, AppHarness


def places(model: Any, body: Any) -> list[tuple[str, str]]:
    return [(mistake.code, mistake.field) for mistake in mistakes(model, body)]


def test_every_field_of_every_depth_is_named() -> None:
    body = {
        "subject": 5, "html": 3, "ramp": {"from": "x", "over_hours": 1, "till": 2}, "headers": {"X": 1},
        "exclude": ["a", 7], "duplicates": "some", "sbject": "x",
    }  # fmt: skip
    assert places(Content, body) == [
        ("unknown_field", "sbject"), ("missing_field", "from"), ("wrong_value", "subject"), ("wrong_value", "html"),
        ("wrong_value", "headers[...]"), ("unknown_field", "ramp.till"), ("wrong_value", "ramp.from"),
        ("missing_field", "ramp.to"), ("wrong_value", "duplicates"), ("wrong_value", "exclude[1]"),
    ]  # fmt: skip


def test_elements_of_arrays_are_named_by_their_number() -> None:
    body = {"upload_id": "u", "parts": [{"part_number": 0, "etag": "e"}, {"part_number": 1, "etag": "e"}, {"etag": 1}]}
    assert places(UploadCompleteRequest, body) == [
        ("wrong_value", "parts[0].part_number"), ("missing_field", "parts[2].part_number"),
        ("wrong_value", "parts[2].etag"),
    ]  # fmt: skip


def test_a_misspelt_field_gets_advice() -> None:
    [first, *_] = mistakes(Content, {"sbject": "x"})
    assert first.message == "There is no field 'sbject'; did you mean subject?"


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_a_body_of_another_kind_is_one_mistake(body: Any) -> None:
    assert places(Content, body) == [("wrong_value", "")]


def test_a_right_body_has_none() -> None:
    assert mistakes(Content, CONTENT) == []


def test_their_number_is_bounded() -> None:
    assert len(mistakes(Content, {f"x{number}": 1 for number in range(1_000)})) == MAX_MISTAKES


def test_a_limit_of_a_field_is_kept() -> None:
    class Limited(msgspec.Struct):
        size: Annotated[int, msgspec.Meta(ge=1)]

    assert "1" in mistakes(Limited, {"size": 0})[0].message


def test_the_answer_has_all_mistakes_and_the_type(fake_redis: Redis) -> None:
    web = AppHarness(fake_redis).web
    refused = web.put("/campaigns/c1", {"from": 1, "subject": "x", "texts": "y"})
    problem = refused.json()
    assert (refused.status, problem["type"]) == (422, uri(422, ProblemType.INVALID_BODY))
    assert [one["field"] for one in problem["errors"]] == ["texts", "from"]
    assert "text?" in problem["errors"][0]["message"]
    # And mistakes of the content have the same form
    refused = web.put("/campaigns/c1", {"from": "x", "subject": "{{", "text": "y", "tpm": 0})
    problem = refused.json()
    assert problem["type"] == uri(422, ProblemType.INVALID_CONTENT)
    assert {one["field"] for one in problem["errors"]} >= {"from", "tpm", "subject"}


def test_types_of_problems(fake_redis: Redis) -> None:
    web = AppHarness(fake_redis).web
    assert web.get("/campaigns/none").json()["type"] == uri(404, ProblemType.UNKNOWN_CAMPAIGN)
    assert web.get("/nowhere").json()["type"] == uri(404, None)
    assert web.get("/campaigns?limits=x").json()["type"] == uri(422, ProblemType.INVALID_REQUEST)
    web.put("/campaigns/c1", CONTENT)
    assert web.post("/campaigns/c1/pause").json()["type"] == uri(409, ProblemType.WRONG_STATE)
