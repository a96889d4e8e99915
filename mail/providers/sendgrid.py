"""SendGrid through its v3 API: one request per recipient, or per several recipients (`mail.providers.sendgrid_merge`).

Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send. This module does not use the official
package: its payload types cost 26 us per message where a dict costs 1 us, and its transport 39 ms of CPU over TLS.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Any, Final

import msgspec

from mail.message import Mailbox, Message
from mail.outcome import Kind, Outcome, reason
from mail.providers.retry_after import retry_after_ms
from mail.providers.sendgrid_merge import MAX_REQUEST_BYTES, Reply, SendGridMerge, attached, errors_of
from mail.providers.transport import Answer, NoAnswer, NotWritten, transport_to

PATH: Final = "/v3/mail/send"
ACCEPTED: Final = 202

_KEY: Final = re.compile(r"[!-~]+")

_encode: Final = msgspec.json.Encoder().encode


class SendGrid:
    """One SendGrid account, or a stand-in at another address (`SENDGRID_API_URL`).

    Args:
        api_key: the account's API key.
        api_url: the API's base URL.
        timeout_s: the time for one request, in seconds.
        most: the most recipients of one request.

    Raises:
        ValueError: the key has a character that no API key has.
    """

    def __init__(self, api_key: str, api_url: str, timeout_s: float, most: int = 1) -> None:
        if not _KEY.fullmatch(api_key):
            # Checked here, because the HTTP client's error would show the key.
            raise ValueError("the SendGrid API key contains a character that no key has: check SENDGRID_API_KEY")
        self.most = most
        self._api_key = api_key
        headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._transport = transport_to(api_url + PATH, headers, timeout_s)

    async def send(self, message: Message) -> Outcome:
        """See `Provider`."""
        body = _encode(payload(message))
        if len(body) >= MAX_REQUEST_BYTES:
            return Outcome(Kind.REJECTED, f"the message is larger than {MAX_REQUEST_BYTES:,} bytes")
        return (await self._post(body)).outcome

    def merged(self, message: Message) -> SendGridMerge:
        """See `Merging`."""
        own = {"personalizations", "custom_args"} if message.subject else {"personalizations", "custom_args", "subject"}
        shared = {name: value for name, value in payload(message).items() if name not in own}
        return SendGridMerge(message.campaign_id, shared, self._post)

    async def close(self) -> None:
        """See `Provider`."""
        await self._transport.close()

    async def _post(self, body: bytes) -> Reply:
        try:
            answer = await self._transport.post(body)
        except NotWritten as error:
            return Reply(Outcome(Kind.UNREACHABLE, reason(f"SendGrid was not reached: {error}")))
        except NoAnswer as error:
            return Reply(Outcome(Kind.UNKNOWN, reason(f"no answer from SendGrid: {error}")))
        if answer.status == ACCEPTED:
            return Reply(Outcome(Kind.ACCEPTED, provider_message_id=answer.header("x-message-id") or ""))
        return await self._failure(answer)

    async def _failure(self, answer: Answer) -> Reply:
        kind = kind_of(answer.status)
        body = await answer.body()
        errors = errors_of(body.replace(self._api_key.encode(), b"***"))
        words = f"{answer.status} {'; '.join(map(str, errors)) or _phrase(answer.status)}"
        wait_ms = None
        if kind in {Kind.THROTTLED, Kind.UNAVAILABLE}:
            wait_ms = retry_after_ms(answer.header, time.time())
        outcome = Outcome(kind, reason(words), retry_after_ms=wait_ms)
        return Reply(outcome, answer.status, errors)


def payload(message: Message) -> dict[str, Any]:
    """The request's body. `custom_args` contain no address, because SendGrid stores them for long, unprotected."""
    content = [{"type": "text/plain", "value": message.text}] if message.text else []
    if message.html:
        content.append({"type": "text/html", "value": message.html})
    body: dict[str, Any] = {
        "personalizations": [{"to": [{"email": message.to}]}],
        "from": _mailbox(message.sender),
        "subject": message.subject,
        "content": content,
        "custom_args": {"campaign_id": message.campaign_id, "row": str(message.row)},
    }
    if message.reply_to:
        body["reply_to"] = _mailbox(message.reply_to)
    if message.headers:
        body["headers"] = dict(message.headers)
    if message.attachments:
        body["attachments"] = [attached(file) for file in message.attachments]
    if message.tracks is not None:
        body["tracking_settings"] = _tracking(enable=message.tracks)
    return body


def _tracking(*, enable: bool) -> dict[str, dict[str, bool]]:
    """Opens, and clicks in both parts. An account that follows clicks rewrites links in the text part too."""
    return {"click_tracking": {"enable": enable, "enable_text": enable}, "open_tracking": {"enable": enable}}


def _mailbox(mailbox: Mailbox) -> dict[str, str]:
    return {"email": mailbox.address, "name": mailbox.name} if mailbox.name else {"email": mailbox.address}


def kind_of(status: int) -> Kind:
    """The outcome for an HTTP status other than 202.

    - 408: the request did not arrive complete, so the message was not accepted.
    - Redirects, 404, 405, 406 and 415: the mail API is not at this address. This is a fault of the configuration, like
      a wrong key, and not of the row. 303 is excluded, because it would mean that the request had an effect.
    - 504: a gateway sent it, and the request behind it may have been carried out, so the outcome is unknown. The same
      holds for every status that the API does not document, other 2xx included: any web server may answer 200.
    """
    match status:
        case 429:
            return Kind.THROTTLED
        case 401 | 403 | 404 | 405 | 406 | 415 | 301 | 302 | 307 | 308:
            return Kind.REFUSED
        case 408 | 500 | 502 | 503:
            return Kind.UNAVAILABLE
        case _ if 400 <= status < 500:
            return Kind.REJECTED
        case _:
            return Kind.UNKNOWN


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "from SendGrid"
