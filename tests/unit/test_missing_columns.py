"""A list that lacks a column that the templates name: decided by what both are when the state changes, in any order."""

from __future__ import annotations

import itertools

import pytest

from campaigns import keys
from campaigns.catalog import name_columns
from campaigns.errors import WrongState
from campaigns.models import Content, Status
from campaigns.parsing import Parsing
from tests.support.app_harness import CONTENT, CSV, Site
from tests.support.ledger_harness import World, scanned

WRONG = CONTENT | {"text": "Hi {{ nmae }}"}
REASON = "the templates name columns that the CSV lacks: nmae"


@pytest.fixture
def site(world: World) -> Site:
    return Site(world.redis)


def put(site: Site, content: dict[str, str]) -> None:
    assert site.web.put("/campaigns/c1", content).status in {200, 201}


def shown(site: Site) -> tuple[str, str | None]:
    report = site.web.get("/campaigns/c1/status").json()
    return report["status"], report["reason"]


def begun(site: Site, csv: bytes = CSV) -> Parsing:
    """An uploaded list in the hands of its parser."""
    assert site.upload(csv).status == 202
    return Parsing(site.redis, "c1", site.world.catalog.get("c1").generation)


def test_a_column_misspelt_while_the_list_is_parsed_does_not_start(site: Site) -> None:
    """Given a list that is being parsed, when a template with a misspelt column is put and then started, then it does
    not start, and says why.
    """
    site.make()
    parsing = begun(site)
    put(site, WRONG)
    assert site.web.post("/campaigns/c1/start").json() == {"status": "parsing"}
    assert parsing.finish(scanned(CSV)) == Status.READY
    assert shown(site) == ("ready", REASON)
    refused = site.web.post("/campaigns/c1/start")
    assert (refused.status, "nmae" in refused.json()["detail"]) == (409, True)


def test_a_template_mended_while_the_list_is_parsed_starts(site: Site) -> None:
    """Given a misspelt column, when it is mended while the list is parsed, then a start asked for takes effect."""
    site.make(text="Hi {{ nmae }}")
    parsing = begun(site)
    site.web.post("/campaigns/c1/start")
    put(site, CONTENT)
    assert parsing.finish(scanned(CSV)) == Status.RUNNING
    assert shown(site) == ("running", None)


def test_a_template_changed_when_ready_gets_the_reason_and_a_mended_one_loses_it(site: Site) -> None:
    site.ready()
    put(site, WRONG)
    assert shown(site) == ("ready", REASON)
    put(site, CONTENT)
    assert shown(site) == ("ready", None)
    assert site.web.post("/campaigns/c1/start").status == 200


def test_another_list_in_between_counts_and_forgets_the_start(site: Site) -> None:
    """Given a start asked for, when a list with the column replaces one without, then it is ready, unstarted."""
    site.make(text="Hi {{ nmae }}")
    begun(site)
    site.web.post("/campaigns/c1/start")
    assert begun(site, b"nmae,name,email\nA,A,a@shop.test\n").finish(
        scanned(b"nmae,name,email\nA,A,a@shop.test\n")
    ) == (Status.READY)
    assert shown(site) == ("ready", None)


@pytest.mark.parametrize("order", list(itertools.permutations(["put", "start", "finish"])))
@pytest.mark.parametrize(("first", "last"), [(CONTENT, WRONG), (WRONG, CONTENT)])
def test_in_every_order_it_never_runs_with_missing_columns(
    site: Site, order: tuple[str, ...], first: dict[str, str], last: dict[str, str]
) -> None:
    """Given PUT, start and the end of parsing in any order, then it runs only where the columns are all there, and a
    campaign that is ready without them says so.
    """
    put(site, first)
    parsing = begun(site)
    for step in order:
        if step == "put":
            site.web.put("/campaigns/c1", last)
        elif step == "start":
            site.web.post("/campaigns/c1/start")
        else:
            parsing.finish(scanned(CSV))
    wrong = "nmae" in str(site.world.catalog.get("c1").content.text)
    status, reason = shown(site)
    if wrong:
        assert (status, reason) == ("ready", REASON)
    else:
        assert (status in {"running", "ready"}, reason) == (True, None)


def test_a_start_of_a_list_that_has_nobody_says_why_it_does_not(site: Site) -> None:
    site.make()
    csv = b"name,email\nAda,nobody\n"
    parsing = begun(site, csv)
    site.web.post("/campaigns/c1/start")
    assert parsing.finish(scanned(csv)) == Status.READY
    assert "nobody to send to" in str(shown(site)[1])


def test_a_campaign_from_before_the_names_were_stored_is_checked_too(site: Site) -> None:
    """Given campaigns whose content an older version has stored, one being parsed and one ready, then neither starts
    with a missing column.
    """
    site.make(text="Hi {{ nmae }}")
    site.upload()
    site.redis.hdel(keys.campaign("c1"), "template_names")
    site.web.post("/campaigns/c1/start")
    site.parse()
    assert shown(site) == ("ready", REASON)
    site.redis.hdel(keys.campaign("c1"), "template_names")
    refused = site.web.post("/campaigns/c1/start")
    assert (refused.status, "nmae" in refused.json()["detail"]) == (409, True)


def test_names_of_a_content_that_has_been_replaced_are_not_noted(world: World) -> None:
    """Given a look at an old content, when another one is put before it is noted, then that one's names stay."""
    content = Content(from_="a@b.test", subject="{{ name }}", text="Hi")
    world.catalog.put("c1", content, ["name"])
    name_columns(world.redis, "c1", ["old"])
    assert world.redis.hget(keys.campaign("c1"), "template_names") == b'["name"]'
    name_columns(world.redis, "gone", ["old"])
    assert not world.redis.exists(keys.campaign("gone"))


def test_start_decides_in_its_script(world: World) -> None:
    """Given a PUT between the reading of a campaign and its start, then the start sees the new one."""
    world.make()
    world.catalog.put("c1", Content(from_="a@b.test", subject="{{ city }}", text="Hi"), ["city"])
    with pytest.raises(WrongState, match="lacks: city; change one of the two"):
        world.controls.start("c1")
