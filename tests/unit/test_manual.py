"""The manual at /docs/: its pages, their policy, and what is answered where it has not been built."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from redis import Redis

from api import manual
from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Web

SCRIPT = "let a = 1"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built manual of two pages."""
    root = tmp_path / "html"
    (root / "faq").mkdir(parents=True)
    (root / "index.html").write_text(f"<script>{SCRIPT}</script><script src='x.js'></script>start")
    (root / "faq" / "index.html").write_text("faq")
    (root / "x.js").write_text("1")
    (root / "secret.py").write_text("no")
    (tmp_path / "outside.html").write_text("no")
    monkeypatch.setattr(manual, "BUILT", root)
    return root


@pytest.fixture
def web(fake_redis: Redis) -> Web:
    return AppHarness(fake_redis).web


def test_a_manual_that_has_not_been_built_says_how(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual, "BUILT", tmp_path / "none")
    for path in ("/docs", "/docs/", "/docs/faq/"):
        answer = web.get(path)
        assert answer.status == 404
        assert "make docs" in answer.detail


@pytest.mark.usefixtures("built")
def test_pages_and_files_are_served(web: Web) -> None:
    page = web.get("/docs/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert web.get("/docs/faq/").body == b"faq"
    assert web.get("/docs/x.js").headers["content-type"] == "text/javascript; charset=utf-8"
    again = web.get("/docs/", headers={"If-None-Match": page.headers["etag"]})
    assert again.status == 304


@pytest.mark.usefixtures("built")
def test_a_page_without_its_slash_is_redirected(web: Web) -> None:
    for path in ("/docs", "/docs/faq"):
        answer = web.get(path)
        assert (answer.status, answer.headers["location"]) == (308, f"{path}/")


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    "path", ["/docs/none/", "/docs/../outside.html", "/docs/%2e%2e/outside.html", "/docs/secret.py"]
)
def test_nothing_else_is_served(web: Web, path: str) -> None:
    assert web.get(path).status == 404


@pytest.mark.usefixtures("built")
def test_the_policy_allows_the_pages_own_scripts_alone(web: Web) -> None:
    policy = web.get("/docs/").headers["content-security-policy"]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "sha256" not in web.get("/docs/faq/").headers["content-security-policy"]


@pytest.mark.usefixtures("built")
def test_the_manual_needs_no_token_and_the_api_beside_it_does(fake_redis: Redis) -> None:
    web = AppHarness(fake_redis, {"API_TOKEN": "t" * 20}).web
    assert web.get("/docs/").status == 200
    assert web.get("/docsx").status == 401
    assert web.get("/campaigns").status == 401
