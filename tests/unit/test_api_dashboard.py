"""The dashboard's files: which clients get them, and what a browser may do with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from redis import Redis

from api import dashboard
from tests.support.app_harness import CONTENT, AppHarness
from tests.support.doubles.web import Web

STATIC = Path(dashboard.__file__).parent / "static"


def policy(redis: Redis, **environment: str) -> str:
    return AppHarness(redis, environment).web.get("/").headers["content-security-policy"]


def test_the_page_names_only_files_that_are_served(fake_redis: Redis) -> None:
    web = AppHarness(fake_redis).web
    page = web.get("/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(r'(?:src|href)="(/[^"]*)"', page.body.decode())
    assert "/dashboard/app.js" in named
    for path in STATIC.rglob("*.js"):
        for name in re.findall(r'from "(\.[^"]+)"', path.read_text()):
            named.append(f"/dashboard/{(path.parent / name).resolve().relative_to(STATIC).as_posix()}")
    for path in set(named):
        assert web.get(path).status == 200, path


def test_the_page_loads_nothing_from_other_hosts() -> None:
    allowed = {"http://www.w3.org/2000/svg"}
    for path in STATIC.rglob("*.*"):
        text = path.read_text()
        assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= allowed, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path.name


def test_only_the_page_s_own_scripts_run(fake_redis: Redis) -> None:
    found = policy(fake_redis)
    assert "default-src 'none'" in found
    assert "script-src 'self';" in found
    assert "trusted-types 'none'" in found
    assert re.findall(r"[^;]*unsafe[^;]*", found) == [" style-src 'self' 'unsafe-inline'"]


def test_an_email_can_be_shown_in_a_frame_and_nothing_else_can(fake_redis: Redis) -> None:
    assert "frame-src data:;" in policy(fake_redis)
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script[^>]*>", page) == ['<script type="module" src="/dashboard/app.js">']
    assert "style=" not in page


def test_the_browser_may_upload_only_to_the_object_store(fake_redis: Redis) -> None:
    assert "connect-src 'self' https://*.amazonaws.com https://*.amazonaws.com.cn;" in policy(fake_redis)
    given = policy(fake_redis, S3_ENDPOINT_URL="http://s3:8333", S3_PUBLIC_ENDPOINT_URL="https://files.test:9000/x")
    assert "connect-src 'self' https://files.test:9000;" in given


def test_an_unchanged_file_is_answered_with_304(fake_redis: Redis) -> None:
    web = AppHarness(fake_redis).web
    first = web.get("/dashboard/app.js")
    again = web.get("/dashboard/app.js", {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["__init__.py", "nothing.js", "..%2F__init__.py", ""])
def test_other_files_are_not_served(fake_redis: Redis, name: str) -> None:
    assert AppHarness(fake_redis).web.get(f"/dashboard/{name}").status == 404


def test_with_a_token_the_files_are_open_and_the_api_is_not(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, {"API_TOKEN": "secret"})
    far = Web(app.starlette, ("192.0.2.7", 50_000))
    assert far.get("/").status == 200
    assert far.get("/dashboard/style.css").status == 200
    assert far.get("/campaigns").status == 401


def test_without_a_token_the_files_are_served_to_this_machine_only(fake_redis: Redis) -> None:
    assert Web(AppHarness(fake_redis).starlette, ("192.0.2.7", 50_000)).get("/").status == 403


def test_the_list_of_campaigns_includes_their_progress(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    app.ready()
    [listed] = app.web.get("/campaigns").json()["campaigns"]
    assert listed["progress"] == app.web.get("/campaigns/c1/status").json()
    assert listed["progress"]["total"] == 2


def test_a_campaign_names_the_columns_that_its_list_lacks(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    app.ready()
    assert app.web.get("/campaigns/c1").json()["missing_columns"] == []
    changed = app.web.put("/campaigns/c1", CONTENT | {"text": "{{ city }} {{ name }} {{ age }}"}).json()
    assert changed["missing_columns"] == ["age", "city"]
    assert app.web.get("/campaigns/c1").json()["missing_columns"] == ["age", "city"]


def test_a_campaign_shows_that_it_will_start_after_parsing(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    app.make()
    app.upload()
    told = [app.web.get("/campaigns/c1").json()["start_when_ready"]]
    app.web.post("/campaigns/c1/start")
    told.append(app.web.get("/campaigns/c1").json()["start_when_ready"])
    app.parse()
    told.append(app.web.get("/campaigns/c1").json()["start_when_ready"])
    assert told == [False, True, False]
    assert app.web.get("/campaigns/c1").json()["status"] == "running"


def test_a_new_campaign_does_not_overwrite_an_existing_one(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    only_new = {"If-None-Match": "*"}
    assert app.web.put("/campaigns/c1", CONTENT, only_new).status == 201
    refused = app.web.put("/campaigns/c1", CONTENT | {"subject": "Other"}, only_new)
    assert refused.status == 412
    assert "c1" in refused.detail
    assert app.web.get("/campaigns/c1").json()["subject"] == CONTENT["subject"]
