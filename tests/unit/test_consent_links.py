"""Unsubscribe links: short, opaque, and valid for ever under the current key and the one before."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import settings
from consent.links import MAX_ROW, Link, Links, mark_of, unsubscribe_headers, url
from embedded import secret_key
from embedded.processes import StartError
from mail import mime
from mail.message import Mailbox, Message

OLD, NEW = "o" * 32, "n" * 32
MARK = mark_of("spring-1")


@pytest.mark.parametrize("address_hash", [0, -1, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("row", [1, MAX_ROW])
def test_a_token_says_what_it_was_made_of(row: int, address_hash: int) -> None:
    links = Links(NEW)
    assert links.verify(links.token(MARK, row, address_hash)) == Link(MARK, row, address_hash)


def test_the_path_is_at_most_80_letters_digits_hyphens_and_underscores_without_a_query() -> None:
    parts = urlsplit(url("https://mail.example.com", Links(NEW).token(mark_of("c" * 64), MAX_ROW, 7)))
    assert len(parts.path) <= 80
    assert re.fullmatch(r"/u/[A-Za-z0-9_-]+", parts.path)
    assert not parts.query
    assert not parts.fragment


def test_a_recipient_always_has_the_same_token_and_no_two_recipients_share_one() -> None:
    links = Links(NEW)
    assert links.token(MARK, 1, 5) == Links(NEW, OLD).token(MARK, 1, 5)
    assert len({links.token(mark, row, 5) for mark in (MARK, mark_of("x")) for row in range(1, 500)}) == 998


def test_the_previous_key_still_verifies_and_an_older_one_does_not() -> None:
    token = Links(OLD).token(MARK, 3, 5)
    assert Links(NEW, OLD).verify(token) == Link(MARK, 3, 5)
    assert Links(NEW).verify(token) is None
    assert Links(NEW, OLD).token(MARK, 3, 5) != token


def test_the_headers_are_those_of_rfc_8058() -> None:
    token = Links(NEW).token(MARK, 1, 5)
    headers = unsubscribe_headers("https://mail.example.com", token)
    assert headers == {
        "List-Unsubscribe": f"<https://mail.example.com/u/{token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    both = unsubscribe_headers("https://mail.example.com", token, "out+news@example.com")["List-Unsubscribe"]
    assert both == f"<https://mail.example.com/u/{token}>, <mailto:out+news@example.com?subject={token}>"


def test_the_headers_leave_on_one_line_each_and_are_read_back_as_they_were() -> None:
    """Folded or encoded headers have broken DKIM and the mailboxes' unsubscribe buttons."""
    headers = unsubscribe_headers("https://mail.example.com", Links(NEW).token(MARK, 1, 5), "out@example.com")
    sender = Mailbox("News", "news@example.com")
    raw = mime.encode(Message("c1", 1, "ann@example.com", sender, None, "Hi", None, "Hi", headers))
    assert all(f"{name}: {value}".encode() in raw.split(b"\r\n") for name, value in headers.items())
    read = message_from_bytes(raw, policy=policy.SMTP)
    assert {name: str(read[name]) for name in headers} == headers


def test_the_settings_of_links(tmp_path: Path) -> None:
    found = settings.load({"SECRET_KEY": NEW, "SECRET_KEY_PREVIOUS": OLD, "UNSUBSCRIBE_MAILTO": "out@example.com"})
    assert (found.secret_key, found.secret_key_previous) == (NEW, OLD)
    assert found.unsubscribe_mailto == "out@example.com"
    assert NEW not in repr(found)
    assert OLD not in repr(found)
    assert settings.load({}).secret_key is None
    made = secret_key.kept(tmp_path / "secret-key")
    assert settings.load({"SECRET_KEY": made}).secret_key == made


@pytest.mark.parametrize("mailbox", ["nobody", "a@b", "Ann <a@b.test>", "a@b.test>, <x", "a@b.test?cc=c"])
def test_a_mailbox_that_is_no_address_stops_the_start(mailbox: str) -> None:
    with pytest.raises(settings.SettingError, match="UNSUBSCRIBE_MAILTO"):
        settings.load({"UNSUBSCRIBE_MAILTO": mailbox})


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_PREVIOUS"])
def test_a_short_key_stops_the_start_and_is_not_shown(name: str) -> None:
    with pytest.raises(settings.SettingError, match="has 11 characters; give at least 32") as stop:
        settings.load({name: "tooshortkey"})
    assert "tooshort" not in str(stop.value)


def test_make_run_keeps_its_key(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    made = secret_key.kept(path)
    assert secret_key.kept(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("\n")
    with pytest.raises(StartError, match="holds no key"):
        secret_key.kept(path)
