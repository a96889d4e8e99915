"""Any request to an unsubscribe link, from anyone: a page in words, no redirect, no cookie, and only a POST acts."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from fakeredis import FakeRedis
from hypothesis import HealthCheck, given, settings, strategies as st

from consent.links import TOKEN_CHARS, Links, mark_of
from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Web

KEY: Final = "k" * 32
ADDRESS: Final = "ann@x.test"
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#: Texts like tokens, and any others that a path can hold.
INVENTED: Final = st.one_of(
    st.text(ALPHABET, min_size=1, max_size=2 * TOKEN_CHARS),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
)
BODIES: Final = st.one_of(
    st.just(b"List-Unsubscribe=One-Click"),
    st.just(b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'),
    st.binary(max_size=300),
)
KINDS: Final = st.sampled_from(
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "multipart/form-data", "text/plain", ""]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    invented=st.one_of(st.none(), INVENTED),
    body=BODIES,
    kind=KINDS,
    accept=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
def test_any_request(method: str, invented: str | None, body: bytes, kind: str, accept: str) -> None:
    """Given a valid link or an invented one, then a valid link is never a 404, and an invented one never acts."""
    app = AppHarness(FakeRedis(), {"SECRET_KEY": KEY, "API_TOKEN": "t" * 32})
    suppressions = app.starlette.state.components.suppressions
    web = Web(app.starlette, ("192.0.2.7", 50_000), {"Host": "links.example.com"})
    token = quote(invented, safe="") if invented else Links(KEY).token(mark_of("c1"), 1, suppressions.hash_of(ADDRESS))
    headers = {"Accept-Language": accept, **({"Content-Type": kind} if kind else {})}
    answer = web.request(method, f"/u/{token}", body if method == "POST" else b"", headers)
    assert answer.status == (200 if invented is None else 404) or (invented or "").strip("/.") != invented
    assert answer.status < 500
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert ADDRESS.encode() not in answer.body
    assert suppressions.contains(ADDRESS) == (invented is None and method == "POST")
