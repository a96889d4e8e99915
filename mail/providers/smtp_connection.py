"""One connection to an SMTP server: TLS, authentication, and one message at a time.

This is the only file that knows aiosmtplib. The library connects, encrypts, authenticates and reads replies. This
module writes the message itself, because it has to know for sure if the final dot was written. The pool decides how
long a connection is used; `smtp_replies` interprets the replies. Pipelining is not used, because the library has none.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from contextlib import suppress
from typing import Final, NamedTuple, Self, cast

import aiosmtplib

from mail.outcome import Kind, Outcome, reason
from mail.providers.smtp_replies import CLOSING, Stage, kind_of
from settings import SmtpServer

#: After so many refused messages the connection is replaced: servers slow down or end a session with more errors
#: (Postfix: `smtpd_soft_error_limit` 10 and `smtpd_hard_error_limit` 20).
MAX_REFUSALS: Final = 5
#: The longest wait for the reply to QUIT, in seconds.
QUIT_S: Final = 2.0

DOT: Final = b".\r\n"

#: What the library raises for the network and the server; a name that cannot be looked up is a UnicodeError.
_NETWORK: Final = (aiosmtplib.SMTPException, OSError, UnicodeError)

_LEADING_DOT: Final = re.compile(rb"(?m)^\.")


class NotSent(Exception):
    """The server has surely not accepted the message.

    Args:
        outcome: of the send.
        code: of the reply; None if there was none.
    """

    def __init__(self, outcome: Outcome, code: int | None = None) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome
        self.code = code

    @property
    def is_temporary(self) -> bool:
        """Whether the server replied that it will accept later."""
        return self.code is not None and 400 <= self.code < 500


class NoReply(Exception):
    """The message was written with its final dot, and no usable reply came."""


class Envelope(NamedTuple):
    """What a transaction needs besides the message: addresses without brackets, and the options of MAIL."""

    sender: str
    recipient: str
    options: tuple[bytes, ...]


class Connection:
    """A session that has been greeted, encrypted and authenticated. Made by `open`.

    Args:
        client: the library's session.
        password: replaced in every reason; None without one.
    """

    def __init__(self, client: aiosmtplib.SMTP, password: str | None) -> None:
        self._client = client
        self._password = password
        self._needs_reset = False
        self._refusals = 0
        #: How many transactions have been begun.
        self.messages = 0

    @classmethod
    async def open(cls, server: SmtpServer, tls: ssl.SSLContext) -> Self:
        """Connect to a server. The caller limits the time.

        Args:
            server: where and how.
            tls: what certificates are checked with.

        Raises:
            NotSent: there is no connection, or the server refuses it.
        """
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname="localhost",  # replaced once the own address is known
            timeout=None,
            use_tls=server.tls == "implicit",
            start_tls=False,
            tls_context=tls,
        )
        connection = cls(client, server.password)
        stage = Stage.CONNECT
        try:
            await client.connect()
            client.local_hostname = _own_name(client.get_transport_info("sockname"))
            await connection._encrypt(server)
            stage = Stage.AUTH
            await connection._authenticate(server)
        except _NETWORK as error:
            connection.abort()
            raise connection._failure(stage, error) from None
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _encrypt(self, server: SmtpServer) -> None:
        await self._hello()
        if server.tls not in {"offered", "starttls"}:
            return
        if self.offers("starttls"):
            await self._client.starttls()
            await self._hello()
        elif server.tls == "starttls" or server.user is not None:
            needs = "SMTP_URL requires it" if server.tls == "starttls" else "a password is not sent without it"
            raise NotSent(_refused(f"the SMTP server offers no STARTTLS, and {needs}"))

    async def _hello(self) -> None:
        """EHLO; HELO for a server that does not know EHLO (RFC 5321, 3.2)."""
        try:
            await self._client.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if not 500 <= error.code < 600 or not self._client.is_connected:
                raise
            await self._client.helo()

    async def _authenticate(self, server: SmtpServer) -> None:
        """Authenticate once: a second method with the same wrong password could lock the account."""
        if server.user is None or server.password is None:
            return
        methods = self._client.supported_auth_methods
        if "plain" in methods:
            await self._client.auth_plain(server.user, server.password)
        elif "login" in methods:
            await self._client.auth_login(server.user, server.password)
        elif "cram-md5" in methods:
            await self._client.auth_crammd5(server.user, server.password)
        else:
            raise NotSent(_refused("the SMTP server offers none of AUTH PLAIN, LOGIN and CRAM-MD5"))

    @property
    def is_connected(self) -> bool:
        """Whether the connection exists, as far as this side knows."""
        return self._client.is_connected

    @property
    def is_worn(self) -> bool:
        """Whether it has had too many refusals for another message."""
        return self._refusals >= MAX_REFUSALS

    def offers(self, extension: str) -> bool:
        """Whether the server has offered an extension, such as `8bitmime`."""
        return self._client.supports_extension(extension)

    @property
    def max_bytes(self) -> int | None:
        """The largest message that the server accepts, in bytes; None if it names no limit (RFC 1870)."""
        size = self._client.esmtp_extensions.get("size", "")
        return int(size) if size.isascii() and size.isdigit() and len(size) < 20 and int(size) else None

    async def begin(self, envelope: Envelope, data: bytes) -> None:
        """Transfer a message up to its final dot; call `finish` afterwards. The caller limits the time.

        Args:
            envelope: sender, recipient and options.
            data: the message as `mail.mime.encode` makes it; dots are stuffed here (RFC 5321, 4.5.2).

        Raises:
            NotSent: the server refuses it, or the connection is lost, as `is_connected` says.
        """
        try:
            await self._begin(envelope, data)
        except NotSent:
            raise
        except _NETWORK as error:
            self.abort()
            raise self._failure(Stage.DATA, error) from None
        except BaseException:
            self.abort()
            raise

    async def _begin(self, envelope: Envelope, data: bytes) -> None:
        self.messages += 1
        if self._needs_reset:
            await self._command(Stage.MAIL, 2, b"RSET")
            self._needs_reset = False
        await self._command(Stage.MAIL, 2, b"MAIL", b"FROM:<%b>" % envelope.sender.encode(), *envelope.options)
        await self._command(Stage.RCPT, 2, b"RCPT", b"TO:<%b>" % envelope.recipient.encode())
        await self._command(Stage.DATA, 3, b"DATA")
        protocol = self._protocol()
        stuffed = _LEADING_DOT.sub(b"..", data)
        protocol.write(stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n")
        # Waits while more than 64 KiB are unsent. The library has no public name for it.
        await protocol._drain_helper()  # noqa: SLF001

    async def _command(self, stage: Stage, wanted: int, *words: bytes) -> None:
        """Send a command. `wanted`: the first digit of a reply that continues."""
        response = await self._client.execute_command(*words)
        if response.code // 100 != wanted:
            raise self._refusal(stage, response)

    async def finish(self) -> None:
        """Write the final dot, and wait for the reply. The caller limits the time.

        Raises:
            NotSent: the server refuses the message, or the connection was lost before the dot.
            NoReply: the server may have accepted the message.
        """
        try:
            protocol = self._protocol()
            protocol.write(DOT)
        except _NETWORK as error:
            self.abort()
            raise self._failure(Stage.DATA, error) from None
        try:
            response = await protocol.read_response()
        except _NETWORK as error:
            self.abort()
            raise NoReply(self._cleaned(_words(error))) from None
        except BaseException:
            self.abort()
            raise
        if response.code // 100 in {4, 5}:
            raise self._refusal(Stage.DATA, response)
        if response.code // 100 != 2:
            self.abort()
            raise NoReply(self._cleaned(f"unexpected reply {response.code} {response.message}"))

    def _protocol(self) -> aiosmtplib.protocol.SMTPProtocol:
        if self._client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        return self._client.protocol

    def _refusal(self, stage: Stage, response: aiosmtplib.SMTPResponse) -> NotSent:
        self._needs_reset = True
        self._refusals += 1
        if response.code == CLOSING or response.code // 100 not in {4, 5}:
            self.abort()  # the server is closing it, or the two sides disagree about where they are
        return self._refused(stage, response.code, response.message)

    def _refused(self, stage: Stage, code: int, text: str) -> NotSent:
        words = self._cleaned(text)
        return NotSent(Outcome(kind_of(stage, code, words), reason(f"{code} {words} ({stage})")), code)

    def _cleaned(self, text: str) -> str:
        """A server's words: bytes that are no UTF-8 are replaced, and so is the password."""
        words = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return words.replace(self._password, "***") if self._password else words

    def _failure(self, stage: Stage, error: Exception) -> NotSent:
        """A failure before the final dot: a reply, or trouble of the network."""
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 100:
            return self._refused(stage, error.code, error.message)
        words = self._cleaned(_words(error))
        return NotSent(Outcome(Kind.UNREACHABLE, reason(f"the SMTP server was not reached: {words}")))

    def abort(self) -> None:
        """Close the connection at once; what is unsent stays so."""
        transport = self._client.transport
        if transport is not None:
            cast(asyncio.WriteTransport, transport).abort()
        self._client.close()

    async def quit(self) -> None:
        """Close the connection politely, within `QUIT_S` seconds."""
        with suppress(aiosmtplib.SMTPException, OSError):
            async with asyncio.timeout(QUIT_S):
                await self._client.quit()
        self.abort()


def _refused(words: str) -> Outcome:
    return Outcome(Kind.REFUSED, reason(words))


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _own_name(address: tuple[str, int] | None) -> str:
    """The name for EHLO: this machine's full name, or its address as a literal (RFC 5321, 4.1.4)."""
    name = socket.gethostname()
    if "." in name.strip(".") and name.isascii() and name.isprintable() and " " not in name:
        return name
    host = address[0].partition("%")[0] if address else "127.0.0.1"
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"
