"""Sends the parts of a file to their presigned addresses, several at once, each with retries.

The bytes go straight to the object store. The API token is never sent there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit

from cli.connection import BROKEN, TIMEOUT_S, Body, Waits, opener_for, reason, request_for
from cli.errors import CommandError, Unreachable
from cli.partial_uploads import PartialUpload

#: The number of parts that are sent at once.
PARALLEL: Final = 4
#: The bytes that are read and sent at once.
CHUNK_BYTES: Final = 256 * 1024
#: Responses of an object store after which the same request may succeed.
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_CODE: Final = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")


class PartRefused(CommandError):
    """The object store refuses a part: its address has expired, or the upload is gone."""


class Stopped(Exception):
    """The upload has been stopped while this part was sent."""


class PartSender:
    """Sends the missing parts of one upload.

    Args:
        file: the file.
        patience_s: how long a part is tried without a response, in seconds.
        sent: is told the number of bytes as they are sent, and a negative number when they have to be sent again.
            Several threads call it.
    """

    def __init__(self, file: Path, patience_s: float, sent: Callable[[int], None]) -> None:
        self._file = file
        self._patience_s = patience_s
        self._sent = sent
        self._stop = threading.Event()

    def send(self, upload: PartialUpload, arrived: Callable[[int, str], None]) -> None:
        """Send every missing part.

        Args:
            upload: the upload.
            arrived: is told the number and the ETag of each part that has arrived, in the calling thread.

        Raises:
            PartRefused: the store refuses a part.
            Unreachable: the store cannot be reached.
        """
        missing, results = upload.missing, _Results()
        todo: SimpleQueue[int] = SimpleQueue()
        for number in missing:
            todo.put(number)
        for _ in range(min(PARALLEL, len(missing))):
            # Daemons: after Ctrl-C the program does not wait for a store that does not respond.
            threading.Thread(target=self._work, args=(upload, todo, results), name="part", daemon=True).start()
        try:
            for _ in missing:
                arrived(*results.next())
        finally:
            self._stop.set()  # after an error the other threads end at their next chunk

    def _work(self, upload: PartialUpload, todo: SimpleQueue[int], results: _Results) -> None:
        """Send parts until none is left, or the upload is stopped."""
        with suppress(Empty):
            while not self._stop.is_set():
                number = todo.get_nowait()
                try:
                    results.put(number, self._part(upload, number))
                except Exception as error:  # noqa: BLE001 - the calling thread raises it
                    results.put(number, error)
                    return

    def _part(self, upload: PartialUpload, number: int) -> str:
        """Send one part; return its ETag."""
        waits = Waits(self._patience_s)
        while True:
            count = _Counter(self._sent)
            try:
                return self._attempt(upload, number, count)
            except Unreachable:
                count.take_back()
                wait_s = waits.next()
                if wait_s is None or self._stop.wait(wait_s):
                    raise

    def _attempt(self, upload: PartialUpload, number: int, count: _Counter) -> str:
        url = upload.urls[number]
        body = Body(self._chunks(upload, number, count), upload.bytes_of(number), "application/octet-stream")
        try:
            with opener_for(url).open(request_for("PUT", url, body, {}), timeout=TIMEOUT_S) as response:
                return str(response.headers["ETag"] or "")
        except HTTPError as error:
            with error:
                raise _refusal(number, error) from None
        except BROKEN as error:
            host = urlsplit(url).netloc
            raise Unreachable(f"The object store at {host} cannot be reached ({reason(error)}).") from error

    def _chunks(self, upload: PartialUpload, number: int, count: _Counter) -> Iterator[bytes]:
        left = upload.bytes_of(number)
        with self._file.open("rb") as source:
            source.seek(upload.start_of(number))
            while left:
                if self._stop.is_set():
                    raise Stopped
                chunk = source.read(min(left, CHUNK_BYTES))
                if not chunk:
                    raise CommandError(f"{self._file} has become shorter during the upload: upload it again.")
                yield chunk
                left -= len(chunk)
                count.add(len(chunk))


class _Results:
    """The ETag of each part that has arrived, or the exception that it has ended with."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[int, str | Exception]] = SimpleQueue()

    def put(self, number: int, result: str | Exception) -> None:
        self._queue.put((number, result))

    def next(self) -> tuple[int, str]:
        """Wait for a part; raise the exception that it has ended with."""
        number, result = self._queue.get()
        if isinstance(result, Exception):
            raise result
        return number, result


class _Counter:
    """Counts the bytes of one attempt."""

    def __init__(self, sent: Callable[[int], None]) -> None:
        self._sent = sent
        self._count = 0

    def add(self, count: int) -> None:
        self._count += count
        self._sent(count)

    def take_back(self) -> None:
        self._sent(-self._count)


def _refusal(number: int, error: HTTPError) -> CommandError:
    found = _CODE.search(error.read(4096))
    code = f"{error.code} {found[1].decode()}" if found else str(error.code)
    if error.code in _PASSING:
        return Unreachable(f"The object store did not take part {number} ({code}).")
    return PartRefused(f"The object store refused part {number} ({code}).")
