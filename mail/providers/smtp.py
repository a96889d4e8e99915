"""An SMTP server as the provider: one transaction per recipient, over pooled connections.

Source: RFC 5321, with SIZE (RFC 1870), 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531) where the server offers them.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from typing import Final

from mail import mime
from mail.message import Message
from mail.outcome import Kind, Outcome, reason
from mail.providers.smtp_connection import Connection, Envelope, NoReply, NotSent
from mail.providers.smtp_pool import Busy, Pool
from mail.providers.smtp_replies import CLOSING
from settings import SmtpServer

#: The part of a send's time in which it must get a connection, and the part before its final dot. The last third is for
#: the reply to the dot: without one, the row would be unknown.
WAIT_PART: Final = 1 / 3
BEFORE_DOT_PART: Final = 2 / 3


class Smtp:
    """One SMTP server with one account.

    Certificates are checked against the system's authorities (`SSL_CERT_FILE` names others).

    Args:
        server: where the server is, and how to reach it.
        timeout_s: the time for one send, in seconds.
        connections: the most connections at once.
        messages_per_connection: the messages after which a connection is replaced.
    """

    def __init__(self, server: SmtpServer, timeout_s: float, connections: int, messages_per_connection: int) -> None:
        tls = ssl.create_default_context()
        self._timeout_s = timeout_s
        self._pool = Pool(lambda: Connection.open(server, tls), connections, messages_per_connection)

    async def send(self, message: Message) -> Outcome:
        """See `Provider`. The outcome's message id is the part of the Message-ID before the `@`.

        It is random, so that it tells no one which campaign and row the email belongs to, and servers log it.
        """
        message_id = secrets.token_hex(16)
        outcome = await self._send(message, message_id)
        if outcome.kind in {Kind.ACCEPTED, Kind.UNKNOWN}:
            outcome.provider_message_id = message_id
        return outcome

    async def close(self) -> None:
        """See `Provider`."""
        await self._pool.close()

    async def _send(self, message: Message, message_id: str) -> Outcome:
        started = asyncio.get_running_loop().time()
        connection = await self._transferred(message, message_id, started)
        if isinstance(connection, Outcome):
            return connection
        try:
            return await self._finished(connection, started)
        finally:
            self._pool.release(connection)

    async def _transferred(self, message: Message, message_id: str, started: float) -> Connection | Outcome:
        """The connection that has everything but the final dot, or the outcome of a message that was not sent."""
        try:
            async with asyncio.timeout_at(started + BEFORE_DOT_PART * self._timeout_s):
                return await self._begun(message, message_id, started + WAIT_PART * self._timeout_s)
        except Busy:
            return Outcome(Kind.NOT_TRIED, "all connections to the SMTP server were busy")
        except NotSent as error:
            return error.outcome
        except TimeoutError:
            return Outcome(Kind.UNREACHABLE, f"the SMTP server took longer than {self._shown(BEFORE_DOT_PART)}")

    async def _finished(self, connection: Connection, started: float) -> Outcome:
        try:
            async with asyncio.timeout_at(started + self._timeout_s):
                await connection.finish()
        except NotSent as error:
            return error.outcome
        except NoReply as error:
            return Outcome(Kind.UNKNOWN, reason(f"no reply to the message from the SMTP server: {error}"))
        except TimeoutError:
            return Outcome(Kind.UNKNOWN, f"no reply to the message from the SMTP server within {self._shown(1)}")
        return Outcome(Kind.ACCEPTED)

    def _shown(self, part: float) -> str:
        return f"{part * self._timeout_s:g} s"

    async def _begun(self, message: Message, message_id: str, until: float) -> Connection:
        """A connection on which the message has been transferred up to its final dot.

        A pooled connection may have been closed by the server meanwhile. Then the next one is taken, at last a new one.
        """
        while True:
            connection = await self._pool.acquire(until)
            is_new = connection.messages == 0
            try:
                await connection.begin(*_transaction(message, message_id, connection))
            except BaseException as error:
                self._pool.release(connection)
                if is_new or not _is_stale(error):
                    raise
            else:
                return connection


def _is_stale(error: BaseException) -> bool:
    """Whether the server has closed the connection, or is closing it."""
    return isinstance(error, NotSent) and (error.outcome.kind is Kind.UNREACHABLE or error.code == CLOSING)


def _transaction(message: Message, message_id: str, connection: Connection) -> tuple[Envelope, bytes]:
    """The envelope and the message in the form that this server accepts.

    Raises:
        NotSent: the server accepts it in no form.
    """
    sender, recipient = message.sender.address, message.to
    is_utf8 = not (sender + recipient).isascii()
    if is_utf8 and not connection.offers("smtputf8"):
        raise NotSent(Outcome(Kind.REJECTED, "the SMTP server does not accept addresses beyond ASCII (SMTPUTF8)"))
    is_8bit = connection.offers("8bitmime")
    data = mime.encode(message, message_id=message_id, seven_bit=not is_8bit)
    if connection.max_bytes is not None and len(data) > connection.max_bytes:
        words = f"the message has {len(data):,} bytes, and the SMTP server accepts {connection.max_bytes:,}"
        raise NotSent(Outcome(Kind.REJECTED, words))
    options = [b"SIZE=%d" % len(data)] if connection.offers("size") else []
    if is_8bit and not data.isascii():
        options.append(b"BODY=8BITMIME")
    if is_utf8:
        options.append(b"SMTPUTF8")
    return Envelope(sender, recipient, tuple(options)), data
