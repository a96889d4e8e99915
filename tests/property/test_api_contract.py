"""Requests made from the API's description, valid and broken ones: no 500, and every response fits the description.

Schemathesis makes them, against the application in this process. What a request would have to know, such as the id of a
campaign, an address of its list or the token of a link, is put in, so that requests reach the handlers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from fakeredis import FakeRedis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from consent.links import Links
from tests.support.app_harness import AppHarness
from tests.support.suppressions import suppressions

KEY: Final = "k" * 32
LIST: Final = b"name,email\nAda,ada@shop.test\nBob,bob@shop.test\nAda,ada@shop.test\n"
EXAMPLES: Final = 6
CHECKS: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
#: The first has an endless response; what the others ask is outside of this process.
OTHERS: Final = {"GET /campaigns/{id}/events", "GET /sender-check", "POST /doctor"}
#: A draft, a campaign with a list, a running one, and none.
CAMPAIGNS: Final = ("draft", "ready", "running", "none")
ADDRESSES: Final = ("ada@shop.test", "bob@shop.test")


def application(directory: Path) -> AppHarness:
    """An application with a campaign in each of these states."""
    environment = {"SECRET_KEY": KEY, "ALLOW_ANONYMOUS": "true", "ALLOWED_HOSTS": "testserver"}
    app = AppHarness(FakeRedis(), {**environment, "OUTBOX_DIR": str(directory)})
    app.make("draft")
    app.ready(LIST, "ready")
    app.ready(LIST, "running")
    app.web.post("/campaigns/running/start")
    return app


def operations() -> Iterator[str]:
    document = AppHarness(FakeRedis()).web.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods:
            if (name := f"{method.upper()} {path}") not in OTHERS:
                yield name


def put_in(case: Any, number: int, token: str) -> None:
    """Put in what a client knows, in some of the requests."""
    places = case.path_parameters
    if "id" in places:
        places["id"] = CAMPAIGNS[number % len(CAMPAIGNS)]
    if number % 3:
        if "token" in places:
            places["token"] = token
        for known in (places, case.query or {}):
            if "email" in known:
                known["email"] = ADDRESSES[number % 2]


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")  # Schemathesis' own draws
@pytest.mark.parametrize("name", list(operations()))
def test_no_request_is_a_500_and_every_response_fits_the_description(name: str, tmp_path: Path) -> None:
    app, numbers = application(tmp_path), count()
    address_hash = suppressions(app.redis, app.store).hash_of("ada@shop.test") or 0
    token = Links(KEY).token(b"campaign", 1, address_hash)
    schema = schemathesis.openapi.from_dict(app.web.get("/openapi.json").json())
    schema.app = app.starlette
    method, path = name.split(" ")
    operation = schema[path][method]

    @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def asked(case: Any) -> None:
        put_in(case, next(numbers), token)
        case.validate_response(case.call(), checks=CHECKS)

    logging.disable(logging.CRITICAL)
    try:
        asked()
    finally:
        logging.disable(logging.NOTSET)
