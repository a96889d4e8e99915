"""The files that emails carry, read from the object store once per campaign and kept as long as memory allows.

It also limits how many bytes of files are on their way to the provider at the same time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from campaigns.attachments import Attachments, StoredFile
from mail.attachment import Attachment, encoded_bytes, is_inline
from storage import MissingObject, ObjectStore, ShortObject, StoreError

log = structlog.get_logger(__name__)

#: The most bytes of files that a process keeps. A file takes its size and that of its base64.
KEPT_BYTES: Final = 128_000_000
#: The most bytes of encoded files that a process sends at the same time.
ROOM_BYTES: Final = 64_000_000
#: The longest time that an email waits for room before its row is requeued, in s: well below the age at which its
#: claim expires.
PATIENCE_S: Final = 10.0
#: The pause after the object store could not be read, in s. The rows are requeued after it.
AGAIN_S: Final = 2.0


class FilesGone(Exception):
    """A file is no longer in the object store."""


class NotNow(Exception):
    """The object store cannot be read at the moment, or too many files are on their way: try again later."""


class AttachedFiles:
    """The files of all campaigns that this process sends. Used in one event loop.

    Args:
        attachments: the record of the files.
        store: returns the object store, or raises StoreError.
    """

    def __init__(self, attachments: Attachments, store: Callable[[], ObjectStore]) -> None:
        self._attachments = attachments
        self._store = store
        self._kept: OrderedDict[str, Attachment] = OrderedDict()
        self._kept_bytes = 0
        self._reading: dict[str, asyncio.Task[Attachment]] = {}
        self._free = ROOM_BYTES
        self._freed: asyncio.Condition | None = None

    def of(self, campaign_id: str) -> list[StoredFile]:
        """The record of a campaign's files. Raises RedisError."""
        return self._attachments.all(campaign_id)

    @asynccontextmanager
    async def taken(self, files: Sequence[StoredFile], html: str | None) -> AsyncIterator[tuple[Attachment, ...]]:
        """The files of one email, for the time of its send.

        Args:
            files: the campaign's files.
            html: the template of the HTML, which may refer to them.

        Raises:
            FilesGone, NotNow
        """
        need = min(sum(encoded_bytes(file.size) for file in files), ROOM_BYTES)
        await self._take(need)
        try:
            yield tuple([await self._file(file, html) for file in files])
        finally:
            self._free += need
            async with self._condition:
                self._condition.notify_all()

    @property
    def _condition(self) -> asyncio.Condition:
        if self._freed is None:
            self._freed = asyncio.Condition()
        return self._freed

    async def _take(self, need: int) -> None:
        """Wait until so many bytes may be sent."""
        async with self._condition:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._condition.wait_for(lambda: self._free >= need)
            except TimeoutError:
                raise NotNow from None
            self._free -= need

    async def _file(self, file: StoredFile, html: str | None) -> Attachment:
        key = file.object_key
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._read(file, html))
            task.add_done_callback(lambda _task: self._reading.pop(key, None))
        return await asyncio.shield(task)

    async def _read(self, file: StoredFile, html: str | None) -> Attachment:
        try:
            data = await asyncio.to_thread(lambda: self._store().read(file.object_key, 0, file.size))
        except (MissingObject, ShortObject):
            raise FilesGone(f"the attachment {file.filename} is no longer in the object store") from None
        except StoreError as error:
            log.warning("attachment_unreadable", error=str(error), again_s=AGAIN_S)
            await asyncio.sleep(AGAIN_S)
            raise NotNow from None
        found = Attachment(file.filename, file.content_type, is_inline(file.filename, html), data)
        self._keep(file, found)
        return found

    def _keep(self, file: StoredFile, found: Attachment) -> None:
        self._kept[file.object_key] = found
        self._kept_bytes += _weight(found)
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            _key, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= _weight(oldest)


def _weight(found: Attachment) -> int:
    return len(found.data) + encoded_bytes(len(found.data))
