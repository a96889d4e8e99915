"""The rules of SendGrid's v3 mail/send for a request, and further rules that Postrider sets itself.

Source: the reference of `POST /v3/mail/send` and its limitations
(https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send).
The rules were written without reading how Postrider builds the request.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

MAX_REQUEST_BYTES: Final = 30_000_000
MAX_CUSTOM_ARGS_BYTES: Final = 10_000
MAX_PERSONALIZATIONS: Final = 1000
MAX_SUBSTITUTIONS_BYTES: Final = 10_000
TOO_LARGE: Final = "Request entity too large"

TOP_LEVEL: Final = frozenset({
    "personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "template_id",
    "headers", "categories", "custom_args", "send_at", "batch_id", "asm", "ip_pool_name", "mail_settings",
    "tracking_settings",
})  # fmt: skip
PERSONALIZATION: Final = frozenset({
    "from", "to", "cc", "bcc", "subject", "headers", "substitutions", "dynamic_template_data", "custom_args", "send_at",
})  # fmt: skip
#: The headers that SendGrid does not let a request set.
RESERVED_HEADERS: Final = frozenset({
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-transfer-encoding", "content-type", "to", "from",
    "subject", "reply-to", "cc", "bcc",
})  # fmt: skip

_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\x00-\x1f\x7f]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")
_CAMPAIGN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ROW: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class Problem(NamedTuple):
    """One broken rule, as SendGrid words its errors."""

    field: str | None
    message: str


def refused_early(
    method: str, target: str, headers: dict[bytes, bytes], body: bytes
) -> tuple[str | None, list[Problem]]:
    """The status of a request that is refused before its body is read, and the reason; None: it is not refused."""
    if target != "/v3/mail/send":
        return "404", [Problem(None, f"no such path: {target[:80]}")]
    if method != "POST":
        return "405", [Problem(None, f"method not allowed: {method}")]
    if not re.fullmatch(rb"(?i)bearer \S+", headers.get(b"authorization", b"")):
        return "401", [Problem(None, "authorization required")]
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
        return "415", [Problem(None, "Content-Type should be application/json.")]
    if len(body) >= MAX_REQUEST_BYTES:
        return "413", [Problem(None, TOO_LARGE)]
    return None, []


def problems(payload: Any) -> list[Problem]:
    """All rules that a request's body breaks; an empty list if it is valid."""
    if not isinstance(payload, dict):
        return [Problem(None, "Bad Request: the body is not a JSON object")]
    found = [Problem(name, "Invalid parameter") for name in payload.keys() - TOP_LEVEL]
    found += _personalizations(payload)
    found += _mailbox("from", payload.get("from"))
    if "reply_to" in payload:
        found += _mailbox("reply_to", payload["reply_to"])
    if "subject" in payload and not (isinstance(payload["subject"], str) and payload["subject"]):
        found.append(Problem("subject", "The subject must be a string of at least one letter"))
    found += _content(payload.get("content"))
    found += _headers("headers", payload.get("headers", {}))
    return found


def _personalizations(payload: dict[str, Any]) -> list[Problem]:
    field, items = "personalizations", payload.get("personalizations")
    if not isinstance(items, list) or not items:
        return [Problem(field, "The personalizations field is required and must have at least one personalization.")]
    if len(items) > MAX_PERSONALIZATIONS:
        return [Problem(field, "There can be no more than 1000 personalizations")]
    found: list[Problem] = []
    addresses: set[str] = set()
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            return [*found, Problem(f"{field}.{index}", "Invalid type. Expected: object")]
        broken = _personalization(f"{field}.{index}", item, payload)
        if not broken and (address := item["to"][0]["email"].casefold()) in addresses:
            broken = [Problem(f"{field}.{index}.to.0.email", "Each email address should be unique in a request.")]
        elif not broken:
            addresses.add(address)
        found += broken
    return found


def _personalization(field: str, item: dict[str, Any], payload: dict[str, Any]) -> list[Problem]:
    found = [Problem(f"{field}.{name}", "Invalid parameter") for name in item.keys() - PERSONALIZATION]
    subject, its = (item["subject"], f"{field}.subject") if "subject" in item else (payload.get("subject"), "subject")
    if not isinstance(subject, str) or not subject:
        found.append(Problem(its, "The subject is required"))
    args, shared = item.get("custom_args", {}), payload.get("custom_args", {})
    is_mergeable = isinstance(args, dict) and isinstance(shared, dict)
    found += _custom_args(shared | args if is_mergeable else None)
    found += _headers(f"{field}.headers", item.get("headers", {}))
    found += _substitutions(f"{field}.substitutions", item.get("substitutions", {}))
    to = item.get("to")
    if not isinstance(to, list) or not to:
        return [*found, Problem(f"{field}.to", "The to array is required for all personalization objects.")]
    if len(to) != 1 or "cc" in item or "bcc" in item:
        found.append(Problem(f"{field}.to", "Postrider sends to one recipient a personalization"))
    return found + _mailbox(f"{field}.to.0", to[0])


def _substitutions(field: str, value: Any) -> list[Problem]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        return [Problem(field, "Substitutions must be an object of strings")]
    if sum(len(tag.encode()) + len(item.encode()) for tag, item in value.items()) > MAX_SUBSTITUTIONS_BYTES:
        return [Problem(field, "Substitutions must be at most 10000 bytes per personalization")]
    return []


def _mailbox(field: str, value: Any) -> list[Problem]:
    if not isinstance(value, dict) or value.keys() - {"email", "name"}:
        return [Problem(field, "An object with email and name is required")]
    found = []
    if not isinstance(value.get("email"), str) or not _ADDRESS.fullmatch(value["email"]):
        found.append(Problem(f"{field}.email", "Does not contain a valid address."))
    if not isinstance(value.get("name", ""), str):
        found.append(Problem(f"{field}.name", "The name must be a string"))
    return found


def _content(value: Any) -> list[Problem]:
    if not isinstance(value, list) or not value or not all(isinstance(part, dict) for part in value):
        return [Problem("content", "The content array is required, with at least one object")]
    found = []
    types = [part.get("type") for part in value]
    if types not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        found.append(Problem("content", "If present, text/plain must be first, followed by text/html, each once."))
    for index, part in enumerate(value):
        text = part.get("value")
        if part.keys() != {"type", "value"} or not isinstance(text, str) or not text:
            found.append(Problem(f"content.{index}.value", "The content value must be a string of at least one letter"))
    return found


def _headers(field: str, value: Any) -> list[Problem]:
    if not isinstance(value, dict):
        return [Problem(field, "The headers parameter must be an object of strings")]
    found = []
    for name, text in value.items():
        if not isinstance(text, str) or "\r" in text or "\n" in text:
            found.append(Problem(f"{field}.{name}", "A header's value must be a string on one line"))
        if not _HEADER_NAME.fullmatch(name) or name.lower() in RESERVED_HEADERS:
            found.append(Problem(f"{field}.{name}", "This header cannot be set"))
    return found


def _custom_args(value: Any) -> list[Problem]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        return [Problem("custom_args", "The custom_args must be an object of strings")]
    if sum(len(name.encode()) + len(item.encode()) for name, item in value.items()) >= MAX_CUSTOM_ARGS_BYTES:
        return [Problem("custom_args", "The custom_args must be smaller than 10,000 bytes")]
    if value.keys() != {"campaign_id", "row"}:
        return [Problem("custom_args", "Postrider tells SendGrid a campaign_id and a row, and nothing else")]
    if not _CAMPAIGN.fullmatch(value["campaign_id"]) or not _ROW.fullmatch(value["row"]):
        return [Problem("custom_args", "The campaign_id and the row must be what Postrider calls by these names")]
    return []
