"""/u/{token}: one button, one click, open to everyone, and nothing happens before a POST."""

from __future__ import annotations

import re

import pytest
from redis import ConnectionError as RedisConnectionError, Redis
from structlog.testing import capture_logs

from api import unsubscribe_page
from api.http.client_limit import MAX_CLIENTS, ClientLimit
from api.unsubscribe import INVALID_BURST
from consent.links import Links, mark_of
from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Web

KEY, OLD = "k" * 32, "o" * 32
ADDRESS = "ann@x.test"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE_CLICK = b"List-Unsubscribe=One-Click"
BOUNDARY = {"Content-Type": "multipart/form-data; boundary=b"}
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis, {"SECRET_KEY": KEY, "SECRET_KEY_PREVIOUS": OLD, "API_TOKEN": "t" * 32})


@pytest.fixture
def web(app: AppHarness) -> Web:
    """A mailbox somewhere: no API token, no cookie, a host name that the server does not know."""
    return Web(app.starlette, ("192.0.2.7", 50_000), {"Host": "links.example.com"})


def path(app: AppHarness, key: str = KEY) -> str:
    address_hash = app.starlette.state.components.suppressions.hash_of(ADDRESS)
    return f"/u/{Links(key).token(mark_of('c1'), 1, address_hash)}"


def suppressed(app: AppHarness) -> bool:
    return bool(app.starlette.state.components.suppressions.contains(ADDRESS))


def test_get_and_head_show_a_page_and_change_nothing(app: AppHarness, web: Web) -> None:
    for method in ("GET", "HEAD", "GET"):
        answer = web.request(method, path(app))
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not suppressed(app)


def test_the_page_has_one_button_no_script_no_cookie_and_loads_nothing(app: AppHarness, web: Web) -> None:
    answer = web.get(path(app))
    html = answer.body.decode()
    assert html.count("<button") == html.count('<form method="post">') == 1
    assert not re.search(r"<script|src=|href=|\bon\w+=|action=", html)
    assert "set-cookie" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert ADDRESS not in html


@pytest.mark.parametrize(
    ("headers", "body"), [(FORM, ONE_CLICK), (BOUNDARY, MULTIPART), ({}, b""), (FORM, b"x" * 100_000)]
)
@pytest.mark.parametrize("key", [KEY, OLD])
def test_post_unsubscribes_with_either_body_and_either_key_and_again_is_fine(
    app: AppHarness, web: Web, headers: dict[str, str], body: bytes, key: str
) -> None:
    for _ in range(2):
        answer = web.post(path(app, key), body, headers)
        assert answer.status == 200
        assert not {"set-cookie", "location"} & answer.headers.keys()
        assert suppressed(app)


def test_a_form_of_another_origin_is_fine_too(app: AppHarness, web: Web) -> None:
    """Given a browser that sends Origin and Sec-Fetch-Site, as a mailbox's page makes it."""
    cross = {"Origin": "https://mail.google.test", "Sec-Fetch-Site": "cross-site", **FORM}
    assert web.post(path(app), ONE_CLICK, cross).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("token", ["zqzq", "A" * 48, "A" * 500, "%00", "ü", "a@b.test"])
def test_an_unknown_token_gets_a_page_in_words(app: AppHarness, web: Web, method: str, token: str) -> None:
    answer = web.request(method, f"/u/{token}")
    assert answer.status == 404
    assert method == "HEAD" or b"This link is not valid" in answer.body
    assert token.encode() not in answer.body
    assert not suppressed(app)


def test_other_paths_still_need_the_token(web: Web) -> None:
    assert web.get("/suppressions?email=a@x.test").status in {401, 403}
    assert web.get("/u").status in {401, 403}
    assert web.get("/u/../campaigns").status == 404


def test_without_a_secret_key_no_link_is_valid(app: AppHarness, fake_redis: Redis) -> None:
    answer = Web(AppHarness(fake_redis).starlette).post(path(app), ONE_CLICK, FORM)
    assert answer.status == 404
    assert not suppressed(app)


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("ja, fr;q=0.5, en;q=0.4", "fr"),
        ("en;q=0.1, es-419", "es"),
        ("pt-BR", "pt"),
        ("DE", "de"),
        ("de;q=0", "en"),
        ("de;q=x,fr;q=0.2", "fr"),
        ("de;q=nan", "en"),
        ("*, zh", "en"),
        (",;,=;q", "en"),
    ],
)
def test_the_page_speaks_the_recipients_language(app: AppHarness, web: Web, accept: str, language: str) -> None:
    answer = web.get(path(app), {"Accept-Language": accept})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.body.decode()
    assert unsubscribe_page.WORDS[language].button in answer.body.decode()


def test_a_client_that_guesses_is_stopped_and_the_others_are_not(app: AppHarness, web: Web) -> None:
    """Given a client with many invalid tokens, then its valid link works still, and so do the links of others."""
    statuses = [web.get(f"/u/{number:048d}").status for number in range(INVALID_BURST + 3)]
    assert statuses[:INVALID_BURST] == [404] * INVALID_BURST
    assert statuses[-1] == 429
    assert web.post(path(app), ONE_CLICK, FORM).status == 200
    other = Web(app.starlette, ("192.0.2.8", 50_000), {"Host": "links.example.com"})
    assert other.get("/u/x").status == 404


def test_a_mailbox_that_forwards_five_hundred_requests_is_not_stopped(app: AppHarness, web: Web) -> None:
    assert {web.post(path(app), ONE_CLICK, FORM).status for _ in range(500)} == {200}


def test_a_redis_that_is_away_is_no_success(app: AppHarness, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    link = path(app)

    def away(*_args: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(type(app.starlette.state.components.suppressions), "add_hash", away)
    answer = web.post(link, ONE_CLICK, FORM)
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert b"Please try again" in answer.body


def test_no_log_line_has_a_token_or_an_address(app: AppHarness, web: Web) -> None:
    link = path(app)
    with capture_logs() as lines:
        web.get(link)
        web.post(link, ONE_CLICK, FORM)
        web.get(f"{link}/x")
    assert [line["path"] for line in lines if line["event"] == "request_answered"] == ["/u/*"] * 3
    assert link.removeprefix("/u/") not in str(lines)
    assert ADDRESS not in str(lines)


def test_a_limit_fills_up_again_and_remembers_the_last_clients_alone() -> None:
    now = 0.0
    limit = ClientLimit(0.5, 2, lambda: now)
    for _ in range(2):
        assert not limit.exceeded("a")
        limit.count("a")
    assert limit.exceeded("a")
    now = 2.0
    assert not limit.exceeded("a")
    for number in range(MAX_CLIENTS + 5):
        limit.count(str(number))
    assert len(limit._clients) == MAX_CLIENTS
