"""What providers say of an account's credentials, without an email."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from embedded.ports import LOOPBACK, free_port
from mail.providers import credentials
from mail.providers.credentials import Credentials
from settings import ProviderAccount, load
from tests.support.doubles.smtp import SmtpDouble


class Api(ThreadingHTTPServer):
    """An API that gives one answer to every GET, after a while."""

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.status, self.body, self.wait_s = 200, {"scopes": ["mail.send"]}, 0.0
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        threading.Event().wait(self.server.wait_s)
        data = json.dumps(self.server.body).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def ask(account: ProviderAccount, outbox: Path = Path("outbox"), timeout_s: float = 10.0) -> Credentials:
    return asyncio.run(credentials.check(account, outbox, timeout_s))


def sendgrid(url: str) -> ProviderAccount:
    return ProviderAccount("default", "sendgrid", sendgrid_api_key="SG.key", sendgrid_api_url=url)


@pytest.mark.parametrize(
    ("status", "body", "good", "said"),
    [
        (200, {"scopes": ["mail.send", "x"]}, True, "may send"),
        (200, {"scopes": ["stats.read"]}, False, "may not send"),
        (200, {"hello": "world"}, None, "200"),
        (401, {"errors": []}, False, "refuses the key"),
        (500, {}, None, "500"),
    ],
)
def test_sendgrid_names_the_rights_of_a_key(api: Api, status: int, body: Any, good: bool | None, said: str) -> None:
    api.status, api.body = status, body
    found = ask(sendgrid(api.url))
    assert (found.good, bool(found.mend)) == (good, not good)
    assert said in found.found
    assert api.asked == [("/v3/scopes", "Bearer SG.key")]


def test_a_provider_that_is_away_or_slow_is_told(api: Api) -> None:
    away = ask(sendgrid(f"http://{LOOPBACK}:{free_port()}"))
    assert away.good is False
    api.wait_s = 3
    assert "no answer" in ask(sendgrid(api.url), timeout_s=0.3).found


@pytest.mark.parametrize(
    ("status", "body", "good", "said"),
    [
        (200, {"ProductionAccessEnabled": True, "SendingEnabled": True, "SendQuota": {"Max24HourSend": 50000.0}}, True,
         "0 of 50,000"),
        (200, {"ProductionAccessEnabled": False, "SendingEnabled": True}, False, "sandbox"),
        (200, {"ProductionAccessEnabled": True, "SendingEnabled": False}, False, "paused"),
        (403, {"__type": "UnrecognizedClientException", "message": "no"}, False, "refuses"),
    ],
)  # fmt: skip
def test_ses_tells_the_state_of_the_account(api: Api, status: int, body: Any, good: bool, said: str) -> None:
    api.status, api.body = status, body
    given = {"EMAIL_PROVIDER": "ses", "SES_REGION": "eu-west-1", "SES_ENDPOINT_URL": api.url,
             "SES_ACCESS_KEY_ID": "AKIDEXAMPLE", "SES_SECRET_ACCESS_KEY": "secret"}  # fmt: skip
    found = ask(load(given).accounts["default"])
    assert (found.good, said in found.found) == (good, True), found
    assert api.asked[0][0] == "/v2/email/account"


def test_an_smtp_server_is_greeted_and_left() -> None:
    with SmtpDouble().in_thread() as double:
        given = {"EMAIL_PROVIDER": "smtp", "SMTP_URL": double.url}
        found = ask(load(given).accounts["default"])
        assert found.good is True, found
        assert double.arrivals == []
    assert ask(load(given).accounts["default"]).good is False


def test_the_outbox_needs_a_directory_and_no_key(tmp_path: Path) -> None:
    account = load({}).accounts["default"]
    assert ask(account, tmp_path / "new").good is True
    assert "no email leaves" in ask(account, tmp_path).found
