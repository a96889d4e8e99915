"""The object store as a dictionary: what `storage.ObjectStore` promises, without a server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import IO

from storage import (
    BadParts,
    MissingObject,
    MissingUpload,
    ObjectStore,
    Part,
    ShortObject,
    StaleUpload,
    StoredObject,
    StoreUnavailable,
)


class MemoryStore(ObjectStore):
    """`away`: every call fails as if the server could not be reached. `reads`: the ranges that were read."""

    def __init__(self) -> None:  # not the base's constructor: there is no server
        self.bucket = "memory"
        self.objects: dict[str, bytes] = {}
        self.modified: dict[str, datetime] = {}
        self.uploads: dict[str, tuple[str, datetime, dict[int, bytes]]] = {}
        self.reads: list[tuple[int, int]] = []
        self.away = False
        self._ids = count(1)

    def _answer(self) -> None:
        if self.away:
            raise StoreUnavailable("the object store cannot be reached (test)")

    def ping(self) -> None:
        self._answer()

    def ensure_bucket(self) -> None:
        self._answer()

    def create_upload(self, key: str) -> str:
        self._answer()
        upload_id = f"upload-{next(self._ids)}"
        self.uploads[upload_id] = (key, datetime.now(UTC), {})
        return upload_id

    def presign_part(self, key: str, upload_id: str, part_number: int, expires_s: int) -> str:
        return f"memory://{key}?upload={upload_id}&part={part_number}&expires={expires_s}"

    def put_part(self, upload_id: str, number: int, data: bytes) -> str:
        """Store a part as a client does through a presigned address; return the ETag."""
        self._upload(upload_id)[number] = data
        return _etag(data)

    def _upload(self, upload_id: str) -> dict[int, bytes]:
        self._answer()
        if upload_id not in self.uploads:
            raise MissingUpload("there is no such upload")
        return self.uploads[upload_id][2]

    def list_parts(self, key: str, upload_id: str) -> list[Part]:  # noqa: ARG002
        parts = self._upload(upload_id)
        return [Part(number, _etag(parts[number]), len(parts[number])) for number in sorted(parts)]

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        arrived = self._upload(upload_id)
        if any(part.number not in arrived or _etag(arrived[part.number]) != part.etag for part in parts):
            raise BadParts("the object store refuses these parts (InvalidPart)")
        self._put(key, b"".join(arrived[part.number] for part in sorted(parts)))
        del self.uploads[upload_id]

    def abort_upload(self, key: str, upload_id: str) -> None:  # noqa: ARG002
        self._answer()
        self.uploads.pop(upload_id, None)

    def list_uploads(self, prefix: str) -> list[StaleUpload]:
        self._answer()
        return [
            StaleUpload(key, upload_id, started_at)
            for upload_id, (key, started_at, _parts) in self.uploads.items()
            if key.startswith(prefix)
        ]

    def size(self, key: str) -> int | None:
        self._answer()
        found = self.objects.get(key)
        return None if found is None else len(found)

    def put_file(
        self,
        key: str,
        fileobj: IO[bytes],
        on_progress: Callable[[], None] | None = None,
    ) -> None:
        self._answer()
        if on_progress is not None:
            on_progress()
        self._put(key, fileobj.read())

    def _put(self, key: str, data: bytes) -> None:
        self.objects[key] = data
        self.modified[key] = datetime.now(UTC)

    def copy(self, key: str, to_key: str) -> None:
        self._put(to_key, self._object(key))

    def read(self, key: str, start: int, end: int) -> bytes:
        data = self._object(key)[start:end]
        if len(data) != end - start:
            raise ShortObject(f"the object ends before byte {end}")
        self.reads.append((start, end))
        return data

    def stream(self, key: str) -> Iterator[bytes]:
        data = self._object(key)
        step = max(7, len(data) // 100)  # chunks that end anywhere
        yield from (data[place : place + step] for place in range(0, len(data), step))

    def _object(self, key: str) -> bytes:
        self._answer()
        if key not in self.objects:
            raise MissingObject("there is no such object")
        return self.objects[key]

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        self._answer()
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield StoredObject(key, self.modified[key])

    def delete(self, keys: Iterable[str]) -> None:
        self._answer()
        for key in keys:
            self.objects.pop(key, None)


def _etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
