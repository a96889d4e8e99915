"""The object store for components that need it rarely: it is opened when they use it, not when they are built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO

from storage import ObjectStore, StoredObject


class StoreOnUse:
    """What `consent.segments.Store` asks for. Every method may raise what `open_store` raises, or `StoreError`.

    Args:
        open_store: returns the object store, or raises the error why there is none.
    """

    def __init__(self, open_store: Callable[[], ObjectStore]) -> None:
        self._open = open_store

    def size(self, key: str) -> int | None:
        """The size of an object in bytes, or None."""
        return self._open().size(key)

    def put_file(self, key: str, fileobj: IO[bytes]) -> None:
        """Store a file."""
        self._open().put_file(key, fileobj)

    def read(self, key: str, start: int, end: int) -> bytes:
        """The bytes of a range."""
        return self._open().read(key, start, end)

    def stream(self, key: str) -> Iterator[bytes]:
        """The bytes of an object."""
        return self._open().stream(key)

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        """The objects under a prefix."""
        return self._open().list_objects(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        self._open().delete(keys)
