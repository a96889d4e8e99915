"""The local outbox: writes each email to a file, so that a newcomer sees emails without sending any."""

from __future__ import annotations

import os
from pathlib import Path

from mail import mime
from mail.message import Message
from mail.outcome import Kind, Outcome, reason


class Outbox:
    """Writes `{directory}/{campaign_id}/{row}.eml` atomically; sending a row again replaces its file.

    The event loop writes the file: 20 us for the message and, on ext4, 50 to 450 us for the file. A thread would add
    140 us. The file is not synced to disk: an email that a power failure destroys here would reach no one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, message: Message) -> Outcome:
        """See `Provider`. A full disk or a missing permission counts as an outage, so that the row is retried."""
        try:
            self._write(message)
        except OSError as error:
            return Outcome(Kind.UNREACHABLE, reason(f"the outbox cannot be written: {error.strerror or error}"))
        return Outcome(Kind.ACCEPTED, provider_message_id=f"{message.campaign_id}/{message.row}.eml")

    async def close(self) -> None:
        """See `Provider`."""

    def _write(self, message: Message) -> None:
        folder = self._directory / message.campaign_id
        unfinished = folder / f".{message.row}.{os.getpid()}"
        data = mime.encode(message)
        try:
            stream = unfinished.open("wb")
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            stream = unfinished.open("wb")
        try:
            with stream:
                stream.write(data)
            unfinished.rename(folder / f"{message.row}.eml")
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
