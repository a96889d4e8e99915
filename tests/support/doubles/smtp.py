"""An SMTP server that follows RFC 5321 strictly, does what a script says, and keeps what arrives.

    async with SmtpDouble(script=lambda stage, session: "550 no" if stage == "RCPT" else None) as double:
        ...  # double.url, double.arrivals, double.connections
    with SmtpDouble.in_thread() as double:
        ...  # for other processes

Its messages are `Arrival`s; what a client does against the RFC is in `violations`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from embedded.ports import LOOPBACK

#: Instead of a reply: close the connection without one, or never reply.
DROP: Final = "drop"
HANG: Final = "hang"

EXTENSIONS: Final = ("SIZE 1000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
REPLIES: Final = {
    "GREETING": "220 double ESMTP",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 2.7.0 welcome",
    "RSET": "250 2.0.0 ok",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 end with a dot",
    "DOT": "250 2.0.0 queued",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class Session:
    """One connection. `number`: from 0; `recipient`: of the transaction under way; `messages`: accepted so far."""

    number: int
    commands: list[str] = field(default_factory=list)
    sender: str | None = None
    recipient: str = ""
    options: tuple[str, ...] = ()
    messages: int = 0
    is_tls: bool = False
    user: str | None = None


@dataclass(frozen=True)
class Arrival:
    """A message that was accepted, or whose dot arrived. `data`: without the stuffed dots; `connection`: its number."""

    sender: str
    recipient: str
    options: tuple[str, ...]
    data: bytes
    connection: int
    is_tls: bool
    user: str | None
    reply: str


#: Gets the stage (a name of `REPLIES`, or EHLO) and the session; a reply, DROP or HANG, or None for the usual reply.
Script = Callable[[str, Session], str | None]


class SmtpDouble:
    """The server. Use it as an async context manager, or `in_thread`.

    Args:
        script: decides about replies.
        extensions: what EHLO offers besides STARTTLS and AUTH.
        tls: the server's context; None: no TLS.
        is_implicit: TLS from the first byte.
        credentials: user and password; None: no AUTH.
    """

    def __init__(
        self,
        script: Script = lambda _stage, _session: None,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
        is_implicit: bool = False,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self.script = script
        self._extensions = extensions
        self._tls = tls
        self._is_implicit = is_implicit
        self._credentials = credentials
        self.arrivals: list[Arrival] = []
        self.sessions: list[Session] = []
        self.violations: list[str] = []
        self.open = self.most_open = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """`SMTP_URL` without TLS."""
        return f"smtp://{LOOPBACK}:{self.port}?tls=none"

    async def __aenter__(self) -> Self:
        implicit = self._tls if self._is_implicit else None
        self._server = await asyncio.start_server(self._accepted, LOOPBACK, 0, ssl=implicit, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[Self]:
        """The server in an event loop of a thread, until the block ends."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="smtp-double", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.__aenter__(), loop).result()
            yield self
            asyncio.run_coroutine_threadsafe(self.__aexit__(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        session = Session(len(self.sessions), is_tls=self._is_implicit)
        self.sessions.append(session)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await _Conversation(self, session, reader, writer).run()
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()


class _Dropped(ConnectionError):
    """The connection is to be closed."""


class _Conversation:
    def __init__(
        self, double: SmtpDouble, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._double = double
        self._session = session
        self._reader = reader
        self._writer = writer

    async def run(self) -> None:
        await self._reply("GREETING")
        async for line in self._lines():
            verb, _, argument = line.partition(" ")
            self._session.commands.append(verb.upper())
            handler = getattr(self, f"_on_{verb.lower()}", None)
            if handler is None:
                await self._say("500 5.5.2 unknown command")
            else:
                await handler(argument)

    async def _lines(self) -> AsyncIterator[str]:
        while line := await self._reader.readline():
            if not line.endswith(b"\r\n"):
                self._double.violations.append(f"a line without CRLF: {line!r}")
            yield line.decode().removesuffix("\r\n")

    async def _reply(self, stage: str) -> bool:
        """Say what the script says, or the usual; whether that continues."""
        reply = self._double.script(stage, self._session) or REPLIES[stage]
        return await self._say(reply)

    async def _say(self, reply: str) -> bool:
        if reply == HANG:
            await asyncio.Event().wait()
        if reply == DROP:
            raise _Dropped
        self._writer.write(f"{reply}\r\n".encode("utf-8", "surrogateescape"))
        await self._writer.drain()
        if reply.startswith("421"):
            raise _Dropped
        return reply[0] in "23"

    async def _on_ehlo(self, _: str) -> None:
        if (reply := self._double.script("EHLO", self._session)) is not None:
            await self._say(reply)
            return
        double = self._double
        offered = list(double._extensions)
        if double._tls and not self._session.is_tls:
            offered.append("STARTTLS")
        if double._credentials and (self._session.is_tls or not double._tls):
            offered.append("AUTH PLAIN LOGIN")
        lines = ["double", *offered]
        await self._say("\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))

    async def _on_helo(self, _: str) -> None:
        await self._say("250 double")

    async def _on_starttls(self, _: str) -> None:
        if await self._reply("STARTTLS"):
            assert self._double._tls
            await self._writer.start_tls(self._double._tls)
            self._session.is_tls = True

    async def _on_auth(self, argument: str) -> None:
        user, password = base64.b64decode(argument.split()[1]).decode().split("\0")[1:]
        if (user, password) != self._double._credentials:
            await self._say("535 5.7.8 wrong user or password")
        elif await self._reply("AUTH"):
            self._session.user = user

    async def _on_rset(self, _: str) -> None:
        self._session.sender = None
        await self._reply("RSET")

    async def _on_mail(self, argument: str) -> None:
        session = self._session
        if session.sender is not None:
            self._double.violations.append("MAIL inside a transaction")
            await self._say("503 5.5.1 nested MAIL command")
        elif self._double._credentials and session.user is None:
            await self._say("530 5.7.0 authentication required")
        elif await self._reply("MAIL"):
            path, *options = argument.removeprefix("FROM:").split(" ")
            session.sender, session.options, session.recipient = path.strip("<>"), tuple(options), ""

    async def _on_rcpt(self, argument: str) -> None:
        session = self._session
        session.recipient = argument.removeprefix("TO:").strip("<>")
        if session.sender is None:
            self._double.violations.append("RCPT outside of a transaction")
            await self._say("503 5.5.1 need MAIL command")
        elif not await self._reply("RCPT"):
            session.recipient = ""

    async def _on_data(self, _: str) -> None:
        session = self._session
        if not session.recipient:
            self._double.violations.append("DATA without a recipient")
            await self._say("503 5.5.1 no recipient")
        elif await self._reply("DATA"):
            data = await self._message()
            self._check(data)
            reply = self._double.script("DOT", session) or REPLIES["DOT"]
            session.messages += reply.startswith("2")
            assert session.sender is not None
            self._double.arrivals.append(
                Arrival(
                    session.sender,
                    session.recipient,
                    session.options,
                    data,
                    session.number,
                    session.is_tls,
                    session.user,
                    reply,
                )
            )
            session.sender = None
            await self._say(reply)

    async def _message(self) -> bytes:
        lines = []
        while (line := await self._reader.readuntil(b"\n")) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def _check(self, data: bytes) -> None:
        options, violations = self._session.options, self._double.violations
        if b"\n" in data.replace(b"\r\n", b"") or b"\r" in data.replace(b"\r\n", b""):
            violations.append("a bare CR or LF")
        if max(map(len, data.split(b"\r\n"))) > 998:
            violations.append("a line longer than 998 bytes")
        if not data.isascii() and "BODY=8BITMIME" not in options:
            violations.append("8-bit data without BODY=8BITMIME")
        if options and not {option.partition("=")[0] for option in options} <= self._offered():
            violations.append(f"options that were not offered: {options}")

    def _offered(self) -> set[str]:
        words = {extension.split()[0] for extension in self._double._extensions}
        return {"BODY" if word == "8BITMIME" else word for word in words}

    async def _on_quit(self, _: str) -> None:
        await self._reply("QUIT")
        raise _Dropped
