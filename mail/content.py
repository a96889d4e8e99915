"""Checks a campaign's content once, when it is PUT, so that no row fails because of it later."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from campaigns.errors import InvalidCampaign
from campaigns.models import Content, Ramp
from mail import checks
from mail.addresses import mailbox
from mail.check import Check, Level
from mail.header_templates import MAX_HEADER, is_sendable
from mail.rendering import Templates
from settings import MAX_TPM

#: The longest subject template, in characters: RFC 5322, 2.1.1.
MAX_SUBJECT: Final = 998
#: The largest templates together, in bytes. SendGrid takes 30 MB per request; escapes and encoding need a part of it.
MAX_TEMPLATES_BYTES: Final = 20_000_000
#: The most headers that a campaign can set.
MAX_HEADERS: Final = 30
#: The largest weight of a campaign; the default is 1.
MAX_WEIGHT: Final = 100
#: The longest warm-up, in hours: a year.
MAX_RAMP_HOURS: Final = 8_760

#: The code of a mistake in a field, outside of the templates' tags.
INVALID: Final = "invalid_field"

#: The field with which the detail of an error begins.
_FIELD: Final = re.compile(r"[a-z_]+")
#: A token of RFC 9110, which is stricter than RFC 5322's field names and safe with every provider.
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,76}")

#: Headers that Postrider or the provider sets. SendGrid's list: its v3 mail/send reference, `headers`.
RESERVED: Final = frozenset({
    "from", "sender", "to", "cc", "bcc", "subject", "reply-to", "date", "message-id", "mime-version",
    "dkim-signature", "received", "return-path", "x-sg-id", "x-sg-eid",
})  # fmt: skip


def check(content: Content) -> Templates:
    """Check everything that does not depend on the list; return the compiled templates.

    Raises:
        InvalidCampaign: a field is invalid. The detail is the first mistake and begins with the field's name;
            `mistakes` are all of them, as `Check`s.
    """
    found = [mistake for step in _STEPS for mistake in step(content)]
    templates = None
    if not any(mistake.field in {"html", "subject"} for mistake in found):  # a template that is too large costs time
        refused, templates = checks.refusals(content)
        found += refused
    if found or templates is None:
        raise InvalidCampaign(_words(found[0]), found)
    return templates


def _words(mistake: Check) -> str:
    """The first mistake as a detail. A field that has no place in a template stands in its message already."""
    return mistake.message if mistake.code == INVALID else str(mistake)


def _step(check: Callable[[Content], None]) -> Callable[[Content], list[Check]]:
    """A check that raises, as one that returns its mistake."""

    def step(content: Content) -> list[Check]:
        try:
            check(content)
        except InvalidCampaign as error:
            field = _FIELD.match(error.detail)
            return [Check(INVALID, error.detail, field[0] if field else "", None, None, Level.ERROR)]
        return []

    return step


def _check_mailbox(field: str, written: str) -> None:
    if "{{" in written or "{%" in written:
        raise InvalidCampaign(
            f"{field}: it is no template, so {written[:60]!r} cannot be sent: write one fixed address"
        )
    mailbox(field, written)


def _check_share(weight: int, ramp: Ramp | None) -> None:
    if not 1 <= weight <= MAX_WEIGHT:
        raise InvalidCampaign(f"weight: expected 1 to {MAX_WEIGHT}")
    if ramp is None:
        return
    if not 1 <= ramp.from_ <= ramp.to <= MAX_TPM:
        raise InvalidCampaign(f"ramp: expected 1 to {MAX_TPM:,} emails per minute, `from` not above `to`")
    if not 0 < ramp.over_hours <= MAX_RAMP_HOURS:
        raise InvalidCampaign(f"ramp: over_hours: expected more than 0 and at most {MAX_RAMP_HOURS:,}")


def _check_tpm(tpm: int | None) -> None:
    if tpm is not None and not 1 <= tpm <= MAX_TPM:
        raise InvalidCampaign(f"tpm: expected 1 to {MAX_TPM:,} emails per minute")


def _check_subject(content: Content) -> None:
    if not content.subject.strip():
        raise InvalidCampaign("subject: it is empty")
    if len(content.subject) > MAX_SUBJECT:
        raise InvalidCampaign(f"subject: longer than {MAX_SUBJECT} characters")


def _check_parts(content: Content) -> None:
    if not content.html and not content.text:
        raise InvalidCampaign("html, text: give at least one of the two")
    size = sum(len(part.encode("utf-8", "replace")) for part in (content.html, content.text) if part)
    if size > MAX_TEMPLATES_BYTES:
        raise InvalidCampaign(f"html, text: together larger than {MAX_TEMPLATES_BYTES:,} bytes")


def _check_headers(headers: dict[str, str]) -> None:
    if len(headers) > MAX_HEADERS:
        raise InvalidCampaign(f"headers: more than {MAX_HEADERS}")
    if len({name.lower() for name in headers}) < len(headers):
        raise InvalidCampaign("headers: a name occurs twice (case does not matter); remove one")


def _each_header(content: Content) -> list[Check]:
    """The mistakes of all headers, one each."""
    steps = (_step(partial(_check_header_of, name)) for name in list(content.headers)[:MAX_HEADERS])
    return [mistake for step in steps for mistake in step(content)]


def _check_header_of(name: str, content: Content) -> None:
    _check_header(name, content.headers[name])


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise InvalidCampaign(f"headers: {name[:80]!r} is not a header name")
    if name.lower() in RESERVED or name.lower().startswith("content-"):
        raise InvalidCampaign(f"headers: Postrider or the provider sets {name}; remove it")
    if not is_sendable(value):
        raise InvalidCampaign(
            f"headers: {name} needs a value of 1 to {MAX_HEADER} printable ASCII characters on one line"
        )


_STEPS: Final = (
    *(
        _step(check)
        for check in (
            lambda content: _check_mailbox("from", content.from_),
            lambda content: _check_mailbox("reply_to", content.reply_to) if content.reply_to is not None else None,
            lambda content: _check_tpm(content.tpm),
            lambda content: _check_share(content.weight, content.ramp),
            _check_subject,
            _check_parts,
            lambda content: _check_headers(content.headers),
        )
    ),
    _each_header,
)
