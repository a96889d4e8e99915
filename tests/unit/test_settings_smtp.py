"""`SMTP_URL`: what it means, and one clear line without a password for each wrong one."""

from __future__ import annotations

import pytest

import settings
from settings import SmtpServer

SECRET = "hunter2correcthorse"


def server(url: str) -> SmtpServer:
    found = settings.load({"SMTP_URL": url}).accounts["default"].smtp
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("smtp://mail.example.com", SmtpServer("mail.example.com", 587, None, None, "offered")),
        ("smtp://mail.example.com:25/?tls=starttls", SmtpServer("mail.example.com", 25, None, None, "starttls")),
        ("smtps://mail.example.com", SmtpServer("mail.example.com", 465, None, None, "implicit")),
        ("smtps://MAIL.example.com.:2465", SmtpServer("mail.example.com", 2465, None, None, "implicit")),
        (
            "smtp://u%40shop.test:p%2F%3A%25@mail.example.com",
            SmtpServer("mail.example.com", 587, "u@shop.test", "p/:%", "offered"),
        ),
        ("smtp://[::1]:25?tls=none", SmtpServer("::1", 25, None, None, "none")),
        ("smtp://mailpit:1025?tls=none", SmtpServer("mailpit", 1025, None, None, "none")),
        ("smtp://relay.corp.internal:25?tls=none", SmtpServer("relay.corp.internal", 25, None, None, "none")),
        ("smtp://10.1.2.3:25?tls=none", SmtpServer("10.1.2.3", 25, None, None, "none")),
        ("smtp://u:p@localhost:25?tls=none", SmtpServer("localhost", 25, "u", "p", "none")),
        ("smtp://u:p@127.0.0.1:25?tls=none", SmtpServer("127.0.0.1", 25, "u", "p", "none")),
    ],
)
def test_an_address_names_host_port_credentials_and_tls(url: str, wanted: SmtpServer) -> None:
    assert server(url) == wanted


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mail.example.com:25", "expected smtp://"),
        ("http://mail.example.com", "expected smtp://"),
        ("smtp://", "expected smtp://"),
        ("smtp://mail.example.com:0", "expected smtp://"),
        ("smtp://mail.example.com:65536", "expected smtp://"),
        ("smtp://mail.example.com/path", "expected smtp://"),
        ("smtp://mail example.com", "expected smtp://"),
        ("smtp://*.example.com", "expected smtp://"),
        ("smtp://mail.example.com#x", "expected smtp://"),
        ("smtp://mail.example.com?tls=maybe", "unknown text after"),
        ("smtp://mail.example.com?timeout=5", "unknown text after"),
        ("smtps://mail.example.com?tls=none", "unknown text after"),
        ("smtp://mail.example.com?tls=none", "mail.example.com is neither"),
        ("smtp://8.8.8.8?tls=none", "8.8.8.8 is neither"),
        ("smtp://u:p@10.1.2.3?tls=none", "a password is not sent without TLS"),
        ("smtp://u:p@mailpit?tls=none", "a password is not sent without TLS"),
        ("smtp://u@mail.example.com", "only one of user and password"),
        ("smtp://:p@mail.example.com", "only one of user and password"),
        ("smtp://u:p%0Ax@mail.example.com", "control character"),
    ],
)
def test_a_wrong_address_stops_the_start_with_one_line(url: str, words: str) -> None:
    with pytest.raises(settings.SettingError, match=r"^postrider: setting SMTP_URL: .+$") as stop:
        settings.load({"SMTP_URL": url})
    assert words in str(stop.value)
    assert "\n" not in str(stop.value)


@pytest.mark.parametrize(
    "url",
    [
        f"smtp://user:{SECRET}/x@mail.example.com",
        f"smtp://user:{SECRET}@mail.example.com?tls=none",
        f"smtp://user:{SECRET}@mail.example.com:port",
        f"smtp://user:{SECRET}@",
    ],
)
def test_no_error_shows_the_password(url: str) -> None:
    with pytest.raises(settings.SettingError) as stop:
        settings.load({"SMTP_URL": url})
    assert SECRET not in str(stop.value)


def test_no_output_of_the_settings_shows_the_password() -> None:
    assert SECRET not in repr(settings.load({"SMTP_URL": f"smtp://user:{SECRET}@mail.example.com"}))


def test_an_smtp_address_chooses_smtp_unless_a_sendgrid_key_or_a_provider_is_there() -> None:
    url = {"SMTP_URL": "smtp://mail.example.com"}
    assert settings.load(url).email_provider == "smtp"
    assert settings.load(url | {"SENDGRID_API_KEY": "k"}).email_provider == "sendgrid"
    assert settings.load(url | {"EMAIL_PROVIDER": "outbox"}).email_provider == "outbox"


def test_smtp_needs_its_address() -> None:
    with pytest.raises(settings.SettingError, match=r"SMTP_URL: needed for the provider smtp"):
        settings.load({"EMAIL_PROVIDER": "smtp"})


def test_the_defaults_of_the_connections() -> None:
    found = settings.load({})
    assert found.accounts["default"].smtp is None
    assert (found.smtp_connections, found.smtp_messages_per_connection) == (
        10,
        100,
    )


@pytest.mark.parametrize("name", ["SMTP_CONNECTIONS", "SMTP_MESSAGES_PER_CONNECTION"])
def test_at_least_one_connection_and_one_message(name: str) -> None:
    with pytest.raises(settings.SettingError, match=name):
        settings.load({name: "0"})
