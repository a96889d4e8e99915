"""Amazon SES through its v2 API: one request per recipient, with the whole message, so that its headers are exact.

Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html. This module does not use boto3: its
client takes 1.1 ms of CPU per email and a thread per request under way, this module 0.14 ms (`python -m bench.ses`).
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from mail import mime
from mail.message import Message
from mail.outcome import Kind, Outcome, reason
from mail.providers.aws_credentials import AwsCredentials, CredentialsUnavailable, NoCredentials
from mail.providers.aws_signature import CONTENT_TYPE, Keys, Signer
from mail.providers.retry_after import retry_after_ms
from mail.providers.ses_errors import EXPIRED, SesError, error_of, kind_of
from mail.providers.transport import Answer, NoAnswer, NotWritten, transport_to
from settings import SesAccount

PATH: Final = "/v2/email/outbound-emails"
#: A request must not be larger than this, in bytes: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
MAX_REQUEST_BYTES: Final = 40_000_000

#: The fewest characters of an AWS key. Shorter ones, which stand-ins of SES have, may be parts of words.
MIN_KEY_CHARS: Final = 8

ACCEPTED: Final = 200

_encode: Final = msgspec.json.Encoder().encode


class Ses:
    """One Amazon SES account in one region.

    Args:
        account: its region, configuration set and credentials.
        timeout_s: the time for one request, in seconds.
    """

    def __init__(self, account: SesAccount, timeout_s: float) -> None:
        url = account.endpoint_url + PATH
        keys = Keys(account.access_key_id, account.secret_access_key) if account.access_key_id else None
        self._configuration_set = account.configuration_set
        self._credentials = AwsCredentials(keys, timeout_s)
        self._signer = Signer(url, account.region, "ses")
        self._transport = transport_to(url, {"Content-Type": CONTENT_TYPE}, timeout_s)

    async def send(self, message: Message) -> Outcome:
        """See `Provider`."""
        body = _encode(payload(message, self._configuration_set))
        if len(body) > MAX_REQUEST_BYTES:
            return Outcome(Kind.REJECTED, f"the message is larger than {MAX_REQUEST_BYTES:,} bytes")
        try:
            return await self._sent(message, body)
        except NoCredentials as missing:
            return Outcome(Kind.REFUSED, reason(str(missing)))
        except CredentialsUnavailable as away:
            return Outcome(Kind.UNREACHABLE, reason(str(away)))
        except NotWritten as away:
            return Outcome(Kind.UNREACHABLE, reason(f"Amazon SES was not reached: {away}"))
        except NoAnswer as lost:
            return Outcome(Kind.UNKNOWN, reason(f"no answer from Amazon SES: {lost}"))

    async def close(self) -> None:
        """See `Provider`."""
        await self._transport.close()

    async def _sent(self, message: Message, body: bytes) -> Outcome:
        """Send a request; if SES refuses its credentials as expired, and so accepts nothing, again with newer ones."""
        keys = await self._credentials.current()
        answer, error = await self._post(body, keys)
        if error and error.name in EXPIRED and (newer := await self._credentials.after_refusal(keys)):
            keys = newer
            answer, error = await self._post(body, keys)
        if error is None:
            return _accepted(await answer.body())
        return _failure(error, answer, message, keys)

    async def _post(self, body: bytes, keys: Keys) -> tuple[Answer, SesError | None]:
        answer = await self._transport.post(body, self._signer.headers(body, keys))
        if answer.status == ACCEPTED:
            return answer, None
        return answer, error_of(answer.status, answer.header("x-amzn-errortype"), await answer.body())


def payload(message: Message, configuration_set: str | None) -> dict[str, Any]:
    """The request's body; msgspec writes the message in base64.

    The message has 7-bit parts, as https://docs.aws.amazon.com/ses/latest/dg/send-email-raw.html advises. The tags
    name the row in the events of SES. A campaign id has only characters that a tag may have.
    """
    body: dict[str, Any] = {
        "Destination": {"ToAddresses": [message.to]},
        "Content": {"Raw": {"Data": mime.encode(message, seven_bit=True)}},
        "EmailTags": [
            {"Name": "campaign_id", "Value": message.campaign_id},
            {"Name": "row", "Value": str(message.row)},
        ],
    }
    if configuration_set:
        body["ConfigurationSetName"] = configuration_set
    return body


def _accepted(body: bytes) -> Outcome:
    """SES names the email that it has accepted. Any other web server may answer 200 as well."""
    try:
        message_id = msgspec.json.decode(body)["MessageId"]
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError):
        message_id = None
    if isinstance(message_id, str) and message_id:
        return Outcome(Kind.ACCEPTED, provider_message_id=message_id)
    return Outcome(Kind.UNKNOWN, "200 without a MessageId: the answer is not one of Amazon SES")


def _failure(error: SesError, answer: Answer, message: Message, keys: Keys) -> Outcome:
    kind = kind_of(error, message.sender)
    # The errors of AWS about a signature repeat parts of the request.
    words = str(error).partition("\n")[0]
    for secret in keys:
        if len(secret) >= MIN_KEY_CHARS:
            words = words.replace(secret, "***")
    wait_ms = retry_after_ms(answer.header, time.time()) if kind in {Kind.THROTTLED, Kind.UNAVAILABLE} else None
    return Outcome(kind, reason(words), retry_after_ms=wait_ms)
