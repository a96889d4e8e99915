"""Asks a provider whether it knows the account's credentials. Sends no email."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mail.outcome import reason
from mail.providers.smtp_connection import Connection, NotSent
from mail.providers.transport import NoAnswer, NotWritten, transport_to
from settings import ProviderAccount, SesAccount, SmtpServer

#: The path at which SendGrid names the rights of a key.
SCOPES: Final = "/v3/scopes"
#: The right that sending needs.
MAIL_SEND: Final = "mail.send"


class Credentials(NamedTuple):
    """What a provider says. `good`: None if it could not be found out. `mend`: what to do; "" for nothing."""

    good: bool | None
    found: str
    mend: str = ""


async def check(account: ProviderAccount, outbox_dir: Path, timeout_s: float) -> Credentials:
    """Ask the provider of an account. Never raises for what the provider answers.

    Args:
        account: the account.
        outbox_dir: the directory of the local outbox.
        timeout_s: the longest wait, in seconds.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _check(account, outbox_dir, timeout_s)
    except TimeoutError:
        return Credentials(None, f"no answer within {timeout_s:g} s", "Try again, and check that the provider is up.")


async def _check(account: ProviderAccount, outbox_dir: Path, timeout_s: float) -> Credentials:
    if account.provider == "sendgrid":
        return await _sendgrid(account.sendgrid_api_key or "", account.sendgrid_api_url, timeout_s)
    if account.smtp is not None and account.provider == "smtp":
        return await _smtp(account.smtp)
    if account.ses is not None and account.provider == "ses":
        return await asyncio.to_thread(_ses, account.ses, timeout_s)
    return _outbox(outbox_dir)


async def _sendgrid(key: str, api_url: str, timeout_s: float) -> Credentials:
    transport = transport_to(api_url + SCOPES, {"Authorization": f"Bearer {key}"}, timeout_s)
    try:
        answer = await transport.get()
        body = await answer.body()
    except (NotWritten, NoAnswer) as error:
        return Credentials(
            False, reason(f"SendGrid was not reached: {error}"), "Check SENDGRID_API_URL and the network."
        )
    finally:
        await transport.close()
    if answer.status in {401, 403}:
        return Credentials(
            False, f"SendGrid refuses the key ({answer.status})", "Make a new key, and set SENDGRID_API_KEY."
        )
    scopes = _scopes(body) if answer.status == 200 else None
    if scopes is None:
        return Credentials(
            None, f"SendGrid answered {answer.status}", "Send a test email to see whether the key works."
        )
    if MAIL_SEND not in scopes:
        return Credentials(False, "the key may not send email", f"Give the key the right {MAIL_SEND}.")
    return Credentials(True, "SendGrid knows the key, and the key may send email")


def _scopes(body: bytes) -> list[str] | None:
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError):
        return [str(scope) for scope in msgspec.json.decode(body)["scopes"]]
    return None


async def _smtp(server: SmtpServer) -> Credentials:
    try:
        connection = await Connection.open(server, ssl.create_default_context())
    except NotSent as error:
        return Credentials(False, error.outcome.reason, "Check SMTP_URL, and that the server accepts this machine.")
    await connection.quit()
    known = "knows the user" if server.user else "asks for no user"
    return Credentials(True, f"the SMTP server accepts a session and {known}")


def _ses(account: SesAccount, timeout_s: float) -> Credentials:
    config = Config(connect_timeout=timeout_s / 2, read_timeout=timeout_s / 2, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": account.access_key_id, "aws_secret_access_key": account.secret_access_key}
    try:
        session: Any = botocore.session.get_session()
        client = session.create_client(
            "sesv2",
            region_name=account.region,
            endpoint_url=account.endpoint_url,
            config=config,
            **(keys if account.access_key_id else {}),
        )
        found = client.get_account()
    except ClientError as error:
        words = reason(f"Amazon SES refuses: {error.response['Error'].get('Code', 'an error')}")
        return Credentials(False, words, "Check the AWS credentials and their right ses:GetAccount.")
    except BotoCoreError as error:
        return Credentials(False, reason(f"Amazon SES was not reached: {error}"), "Check SES_REGION and the network.")
    if not found.get("SendingEnabled", True):
        return Credentials(False, "Amazon SES has paused sending for this account", "Ask AWS Support to lift it.")
    quota = found.get("SendQuota", {})
    shown = f"{quota.get('SentLast24Hours', 0):,.0f} of {quota.get('Max24HourSend', 0):,.0f} emails in 24 hours"
    if not found.get("ProductionAccessEnabled", True):
        return Credentials(False, f"the account is in the SES sandbox ({shown})", "Request production access in SES.")
    return Credentials(True, f"Amazon SES knows the account: {shown}")


def _outbox(directory: Path) -> Credentials:
    place = directory if directory.exists() else directory.parent
    if directory.exists() and not os.access(place, os.W_OK | os.X_OK):
        return Credentials(False, f"{directory} cannot be written", "Let the workers write there, or set OUTBOX_DIR.")
    return Credentials(True, f"no email leaves: they become files in {directory}")
