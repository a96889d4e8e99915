"""A list that lacks a column that the templates name: the check runs at each change of state, in any order of
events.
"""

from __future__ import annotations

import itertools

import pytest

from campaigns import keys
from campaigns.catalog import name_columns
from campaigns.errors import WrongState
from campaigns.models import Content, Status
from campaigns.parsing import Parsing
from tests.support.app_harness import CONTENT, CSV, AppHarness
from tests.support.ledger_harness import LedgerHarness, scanned

WRONG = CONTENT | {"text": "Hi {{ nmae }}"}
REASON = "the templates name columns that the CSV lacks: nmae (did you mean name?)"


@pytest.fixture
def app(harness: LedgerHarness) -> AppHarness:
    return AppHarness(harness.redis)


def put(app: AppHarness, content: dict[str, str]) -> None:
    assert app.web.put("/campaigns/c1", content).status in {200, 201}


def shown(app: AppHarness) -> tuple[str, str | None]:
    report = app.web.get("/campaigns/c1/status").json()
    return report["status"], report["reason"]


def begun(app: AppHarness, csv: bytes = CSV) -> Parsing:
    """An uploaded list that its parser has claimed."""
    assert app.upload(csv).status == 202
    return Parsing(app.redis, "c1", app.harness.catalog.get("c1").list_version)


def test_a_column_misspelt_during_parsing_prevents_the_start(app: AppHarness) -> None:
    """Given a list that is being parsed, when a template with a misspelt column is put and the campaign is started,
    then the campaign does not start, and says why.
    """
    app.make()
    parsing = begun(app)
    put(app, WRONG)
    assert app.web.post("/campaigns/c1/start").json() == {"status": "parsing"}
    assert parsing.finish(scanned(CSV)) == Status.READY
    assert shown(app) == ("ready", "the templates name columns that the CSV lacks: nmae")
    refused = app.web.post("/campaigns/c1/start")
    assert refused.status == 409
    assert "lacks: nmae (did you mean name?); change one of the two" in refused.json()["detail"]


def test_a_template_mended_during_parsing_starts(app: AppHarness) -> None:
    """Given a misspelt column, when the template is mended during parsing, then a start requested before takes
    effect.
    """
    app.make(text="Hi {{ nmae }}")
    parsing = begun(app)
    app.web.post("/campaigns/c1/start")
    put(app, CONTENT)
    assert parsing.finish(scanned(CSV)) == Status.RUNNING
    assert shown(app) == ("running", None)


def test_a_wrong_template_put_when_ready_sets_the_reason_and_a_mended_one_clears_it(app: AppHarness) -> None:
    app.ready()
    put(app, WRONG)
    assert shown(app) == ("ready", REASON)
    put(app, CONTENT)
    assert shown(app) == ("ready", None)
    assert app.web.post("/campaigns/c1/start").status == 200


def test_a_list_that_replaces_one_without_the_column_is_ready_and_not_started(app: AppHarness) -> None:
    """Given a requested start, when a list with the column replaces one without it, then the campaign is ready, not
    started.
    """
    app.make(text="Hi {{ nmae }}")
    begun(app)
    app.web.post("/campaigns/c1/start")
    assert begun(app, b"nmae,name,email\nA,A,a@shop.test\n").finish(scanned(b"nmae,name,email\nA,A,a@shop.test\n")) == (
        Status.READY
    )
    assert shown(app) == ("ready", None)


@pytest.mark.parametrize("order", list(itertools.permutations(["put", "start", "finish"])))
@pytest.mark.parametrize(("first", "last"), [(CONTENT, WRONG), (WRONG, CONTENT)])
def test_a_campaign_never_runs_with_missing_columns_in_any_order_of_events(
    app: AppHarness, order: tuple[str, ...], first: dict[str, str], last: dict[str, str]
) -> None:
    """Given PUT, start and the end of parsing in any order, then the campaign runs only if the list has all columns,
    and a campaign that is ready without them says so.
    """
    put(app, first)
    parsing = begun(app)
    for step in order:
        if step == "put":
            app.web.put("/campaigns/c1", last)
        elif step == "start":
            app.web.post("/campaigns/c1/start")
        else:
            parsing.finish(scanned(CSV))
    wrong = "nmae" in str(app.harness.catalog.get("c1").content.text)
    status, reason = shown(app)
    if wrong:
        assert status == "ready"
        # A parser that is not asked for its judgement names the column alone.
        assert reason is not None
        assert REASON.startswith(reason)
    else:
        assert (status in {"running", "ready"}, reason) == (True, None)


def test_a_start_of_a_list_without_recipients_says_why_it_does_nothing(app: AppHarness) -> None:
    app.make()
    csv = b"name,email\nAda,nobody\n"
    parsing = begun(app, csv)
    app.web.post("/campaigns/c1/start")
    assert parsing.finish(scanned(csv)) == Status.READY
    assert "no valid recipient" in str(shown(app)[1])


def test_a_campaign_from_before_the_names_were_stored_is_checked_too(app: AppHarness) -> None:
    """Given content that an older version has stored, when the list is parsed or the campaign is ready, then the
    campaign does not start with a missing column.
    """
    app.make(text="Hi {{ nmae }}")
    app.upload()
    app.redis.hdel(keys.campaign("c1"), "template_names")
    app.web.post("/campaigns/c1/start")
    app.parse()
    assert shown(app) == ("ready", REASON)
    app.redis.hdel(keys.campaign("c1"), "template_names")
    refused = app.web.post("/campaigns/c1/start")
    assert (refused.status, "nmae" in refused.json()["detail"]) == (409, True)


def test_names_of_replaced_content_are_not_stored(harness: LedgerHarness) -> None:
    """Given names read from old content, when new content is put before they are stored, then the new content's names
    stay.
    """
    content = Content(from_="a@b.test", subject="{{ name }}", text="Hi")
    harness.catalog.put("c1", content, ["name"])
    name_columns(harness.redis, "c1", ["old"])
    assert harness.redis.hget(keys.campaign("c1"), "template_names") == b'["name"]'
    name_columns(harness.redis, "gone", ["old"])
    assert not harness.redis.exists(keys.campaign("gone"))


def test_the_start_script_decides_by_the_latest_content(harness: LedgerHarness) -> None:
    """Given a PUT between the reading of a campaign and its start, then the start sees the new content."""
    harness.make()
    harness.catalog.put("c1", Content(from_="a@b.test", subject="{{ city }}", text="Hi"), ["city"])
    with pytest.raises(WrongState, match="lacks: city; change one of the two"):
        harness.controls.start("c1")
