"""Who is answered: by token, from this machine, not for other sites' pages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from redis import Redis

from tests.doubles.web import Web
from tests.site import Site

FAR: tuple[str, int] = ("192.0.2.7", 50_000)
TOKEN = "s3cret-tökén"


def answered(
    redis: Redis,
    environment: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    client: tuple[str, int] | None = ("127.0.0.1", 50_000),
    path: str = "/campaigns",
    method: str = "GET",
) -> int:
    web = Web(Site(redis, environment).app, client)
    answer = web.request(method, path, headers=headers)
    if answer.status in {401, 403}:
        assert answer.detail
        assert answer.headers["x-content-type-options"] == "nosniff"
    return answer.status


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        ("Bearer wrong", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer", 401),
        (None, 401),
    ],
)
def test_a_token_is_asked_for_wherever_the_client_is(fake_redis: Redis, authorization: str | None, status: int) -> None:
    raw = {} if authorization is None else {"Authorization": authorization.encode().decode("latin-1")}
    environment = {"API_TOKEN": TOKEN, "ALLOW_ANONYMOUS": "true"}
    assert answered(fake_redis, environment, raw) == status
    assert answered(fake_redis, environment, {**raw, "Host": "mail.example.com"}, FAR) == status


def test_a_missing_token_names_the_scheme(fake_redis: Redis) -> None:
    answer = Site(fake_redis, {"API_TOKEN": TOKEN}).web.get("/campaigns")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN not in answer.detail


@pytest.mark.parametrize("client", [("127.0.0.1", 1), ("127.8.8.8", 1), ("::1", 1), ("::ffff:127.0.0.1", 1)])
def test_without_a_token_this_machine_is_answered(fake_redis: Redis, client: tuple[str, int]) -> None:
    assert answered(fake_redis, {}, client=client) == 200


@pytest.mark.parametrize("client", [FAR, ("::2", 1), ("::ffff:192.0.2.1", 1), ("10.0.0.1", 1), ("testclient", 1), None])
def test_without_a_token_nobody_else_is(fake_redis: Redis, client: tuple[str, int] | None) -> None:
    assert answered(fake_redis, {}, client=client) == 403
    assert answered(fake_redis, {}, client=client, path="/openapi.json") == 403
    assert answered(fake_redis, {}, client=client, path="/healthz") == 200
    assert answered(fake_redis, {}, client=client, path="/readyz") == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("postrider.localhost", 200),
        ("mail.example.com:99", 200),
        ("evil.test", 403),
        ("localhost.evil.test", 403),
        ("127.0.0.1.evil.test", 403),
        ("192.0.2.1", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_a_foreign_host_name_is_refused_on_this_machine(fake_redis: Redis, host: str, status: int) -> None:
    # Given a name that an attacker points at 127.0.0.1 (DNS rebinding)
    assert answered(fake_redis, {"PUBLIC_URL": "https://mail.example.com"}, {"Host": host}) == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 405),
        ({"Sec-Fetch-Site": "none"}, 405),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:8080"}, 405),
        ({"Origin": "https://mail.example.com"}, 405),
        # A form that another site's page submits is a navigation too.
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
@pytest.mark.parametrize("anonymous", ["true", "false"])
def test_other_sites_pages_cannot_drive_it(
    fake_redis: Redis, headers: Mapping[str, str], status: int, anonymous: str
) -> None:
    environment = {"PUBLIC_URL": "https://mail.example.com", "ALLOW_ANONYMOUS": anonymous}
    assert answered(fake_redis, environment, headers, method="POST") == status


def test_a_link_on_another_site_can_be_followed(fake_redis: Redis) -> None:
    assert answered(fake_redis, {}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}) == 200


def test_anonymous_clients_are_answered_where_the_operator_says_so(fake_redis: Redis) -> None:
    assert answered(fake_redis, {"ALLOW_ANONYMOUS": "true"}, {"Host": "web:8080"}, FAR) == 200
