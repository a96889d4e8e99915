"""Which requests are accepted: by token, from this machine, and never from another site's pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import fakeredis
import pytest
from hypothesis import example, given, strategies as st
from redis import Redis
from starlette.types import Message

from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Web

FAR: tuple[str, int] = ("192.0.2.7", 50_000)
TOKEN = "s3cret-tökén"
BEARER = {"Authorization": f"Bearer {TOKEN}".encode().decode("latin-1")}
#: A token is required; only this machine is accepted; every client is accepted.
MODES: tuple[Mapping[str, str], ...] = ({"API_TOKEN": TOKEN}, {}, {"ALLOW_ANONYMOUS": "true"})


def status_of(
    redis: Redis,
    environment: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    client: tuple[str, int] | None = ("127.0.0.1", 50_000),
    path: str = "/campaigns",
    method: str = "GET",
) -> int:
    web = Web(AppHarness(redis, environment).starlette, client)
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
def test_a_token_is_required_from_every_client_once_it_is_set(
    fake_redis: Redis, authorization: str | None, status: int
) -> None:
    raw = {} if authorization is None else {"Authorization": authorization.encode().decode("latin-1")}
    environment = {"API_TOKEN": TOKEN, "ALLOW_ANONYMOUS": "true", "PUBLIC_URL": "https://mail.example.com"}
    assert status_of(fake_redis, environment, raw) == status
    assert status_of(fake_redis, environment, {**raw, "Host": "mail.example.com"}, FAR) == status


def test_a_401_names_the_authentication_scheme(fake_redis: Redis) -> None:
    answer = AppHarness(fake_redis, {"API_TOKEN": TOKEN}).web.get("/campaigns")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN not in answer.detail


@pytest.mark.parametrize("client", [("127.0.0.1", 1), ("127.8.8.8", 1), ("::1", 1), ("::ffff:127.0.0.1", 1)])
def test_without_a_token_this_machine_is_accepted(fake_redis: Redis, client: tuple[str, int]) -> None:
    assert status_of(fake_redis, {}, client=client) == 200


@pytest.mark.parametrize("client", [FAR, ("::2", 1), ("::ffff:192.0.2.1", 1), ("10.0.0.1", 1), ("testclient", 1), None])
def test_without_a_token_other_machines_are_refused(fake_redis: Redis, client: tuple[str, int] | None) -> None:
    assert status_of(fake_redis, {}, client=client) == 403
    assert status_of(fake_redis, {}, client=client, path="/openapi.json") == 403
    assert status_of(fake_redis, {}, client=client, path="/healthz") == 200
    assert status_of(fake_redis, {}, client=client, path="/readyz") == 200


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
        ("evil.test:8080", 403),
        ("localhost@evil.test", 403),
        ("localhost:port", 403),
        ("localhost evil.test", 403),
        ("[::1", 403),
        ("[", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("environment", MODES, ids=str)
def test_an_unknown_host_name_is_refused_in_every_mode(
    fake_redis: Redis, host: str, status: int, environment: Mapping[str, str]
) -> None:
    # Given a name that an attacker points at 127.0.0.1 (DNS rebinding), so that the browser sees the same origin
    public = {"PUBLIC_URL": "https://mail.example.com", **environment}
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert status_of(fake_redis, public, {"Host": host} | BEARER) == status
    assert status_of(fake_redis, public, headers | BEARER) == status
    assert status_of(fake_redis, public, {"Host": host}, path="/") == status


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
        ({"Origin": ""}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://localhost:99999999"}, 403),
        ({"Origin": "localhost:8080"}, 403),
        ({"Origin": "http://localhost:8080@evil.test"}, 403),
        ({"Origin": "http://localhost:8080"}, 405),
        ({"Origin": "https://mail.example.com"}, 405),
        # A form that another app's page submits is a navigation too.
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
@pytest.mark.parametrize("environment", MODES, ids=str)
def test_pages_of_other_sites_cannot_call_the_api(
    fake_redis: Redis, headers: Mapping[str, str], status: int, environment: Mapping[str, str]
) -> None:
    public = {"PUBLIC_URL": "https://mail.example.com", **environment}
    assert status_of(fake_redis, public, {**headers, **BEARER}, method="POST") == status


def test_a_link_on_another_site_can_be_followed(fake_redis: Redis) -> None:
    assert status_of(fake_redis, {}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}) == 200


def test_anonymous_clients_are_accepted_if_the_operator_allows_them(fake_redis: Redis) -> None:
    assert status_of(fake_redis, {"ALLOW_ANONYMOUS": "true"}, client=FAR) == 200


@pytest.mark.parametrize("environment", MODES, ids=str)
def test_allowed_hosts_adds_names(fake_redis: Redis, environment: Mapping[str, str]) -> None:
    listed = {"ALLOWED_HOSTS": " web, *.mail.test,[2001:db8::1]", **environment}
    for host in ("web:8080", "WEB", "a.mail.test", "a.b.mail.test:1", "[2001:db8::1]:8080"):
        headers = {"Host": host, "Origin": f"https://{host}", **BEARER}
        assert status_of(fake_redis, listed, headers) == 200, host
    for host in ("mail.test", "xmail.test", "web.evil.test", "evil.test"):
        assert status_of(fake_redis, listed, {"Host": host, **BEARER}) == 403, host
    # A proxy may use another name for the server than browsers do.
    headers = {"Host": "localhost:8080", "Origin": "https://a.mail.test", **BEARER}
    assert status_of(fake_redis, listed, headers) == 200


@pytest.mark.parametrize(("environment", "status"), list(zip(MODES, (200, 403, 403), strict=True)))
def test_an_ip_address_as_host_is_accepted_with_a_token_and_refused_without_one(
    fake_redis: Redis, environment: Mapping[str, str], status: int
) -> None:
    for host in ("192.0.2.1:8080", "[2001:db8::2]"):
        assert status_of(fake_redis, environment, {"Host": host, **BEARER}) == status


def test_a_refusal_names_the_host_and_the_setting(fake_redis: Redis) -> None:
    answer = AppHarness(fake_redis).web.get("/campaigns", {"Host": "evil.test:8122"})
    assert "'evil.test:8122'" in answer.detail
    assert "ALLOWED_HOSTS" in answer.detail
    answer = AppHarness(fake_redis).web.get("/campaigns", {"Origin": "http://["})
    assert "'http://['" in answer.detail


def test_health_is_answered_under_every_host_name(fake_redis: Redis) -> None:
    for path in ("/healthz", "/readyz"):
        assert status_of(fake_redis, {}, {"Host": "10.0.0.7:8080", "Via": "1.1 lb"}, FAR, path) == 200


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-FORWARDED-PROTO", "X-Forwarded", "X-Real-IP", "Via"],
)
@pytest.mark.parametrize("value", ["192.0.2.7", "127.0.0.1", ""])
def test_a_token_is_required_behind_a_proxy(fake_redis: Redis, header: str, value: str) -> None:
    # Given a proxy on this machine, so that every request seems to come from here
    for environment in ({}, {"ALLOW_ANONYMOUS": "true"}):
        answer = AppHarness(fake_redis, environment).web.get("/campaigns", {header: value})
        assert answer.status == 403
        assert "API_TOKEN" in answer.detail
        assert header.lower() in answer.detail
    assert status_of(fake_redis, {"API_TOKEN": TOKEN}, {header: value, **BEARER}) == 200
    assert status_of(fake_redis, {"API_TOKEN": TOKEN}, {header: value}) == 401


@pytest.mark.parametrize("kind", ["websocket", "http2-push"])
def test_a_websocket_is_closed_and_other_scopes_are_ignored(fake_redis: Redis, kind: str) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {"type": kind, "path": "/campaigns", "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1)}
    asyncio.run(AppHarness(fake_redis).starlette(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"] * (kind == "websocket")


@example("Origin", "http://[", MODES[1])
@example("Origin", "http://localhost:99999999", MODES[0])
@example("Host", "[", MODES[2])
@given(
    name=st.sampled_from(["Host", "Origin", "Authorization", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Forwarded"]),
    value=st.one_of(
        st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0")),
        st.from_regex(r"(https?://)?[\[\]a-z0-9.:@/?#%\\]{0,20}(:[0-9]{0,7})?", fullmatch=True),
    ),
    environment=st.sampled_from(MODES),
)
def test_no_header_value_causes_a_server_error(name: str, value: str, environment: Mapping[str, str]) -> None:
    with fakeredis.FakeRedis(server=fakeredis.FakeServer()) as redis:
        assert status_of(redis, environment, {name: value}) in {200, 401, 403}
