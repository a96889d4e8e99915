"""A file that tells when it is read, so that a long step of a library reports progress. Does not read by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any, Final

#: The bytes read between two calls.
EVERY_BYTES: Final = 256 * 1024


class WatchedFile:
    """A binary file open for reading; `on_read` is called about every `EVERY_BYTES`, and must not raise."""

    def __init__(self, file: IO[bytes], on_read: Callable[[], None]) -> None:
        self._file = file
        self._on_read = on_read
        self._left = EVERY_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left <= 0:
            self._left = EVERY_BYTES
            self._on_read()
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
