"""The local outbox: writes each email to a file, so that a newcomer sees emails without sending any."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from mail import mime
from mail.message import NO_ROW, Message
from mail.outcome import Kind, Outcome, reason

#: The folder of the test emails; no campaign can have this id.
TESTS: Final = "_test"


class Outbox:
    """Writes `{directory}/{campaign_id}/{row}.eml` atomically; sending a row again replaces its file. Each test email
    is a new file `{directory}/_test/{campaign_id}/{unique}.eml`.

    The event loop writes the file: 20 us for the message and, on ext4, 50 to 450 us for the file. A thread would add
    140 us. The file is not synced to disk: an email that a power failure destroys here would reach no one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, message: Message) -> Outcome:
        """See `Provider`. A full disk or a missing permission counts as an outage, so that the row is retried."""
        try:
            name = self._write(message)
        except OSError as error:
            return Outcome(Kind.UNREACHABLE, reason(f"the outbox cannot be written: {error.strerror or error}"))
        return Outcome(Kind.ACCEPTED, provider_message_id=name)

    async def close(self) -> None:
        """See `Provider`."""

    def _write(self, message: Message) -> str:
        """Write the file; return its name within the directory."""
        place = f"{message.campaign_id}/{message.row}.eml"
        if message.row == NO_ROW:
            place = f"{TESTS}/{message.campaign_id}/{secrets.token_hex(8)}.eml"
        file = self._directory / place
        folder = file.parent
        unfinished = folder / f".{file.stem}.{os.getpid()}"
        data = mime.encode(message)
        try:
            stream = unfinished.open("wb")
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            stream = unfinished.open("wb")
        try:
            with stream:
                stream.write(data)
            unfinished.rename(file)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        return place
