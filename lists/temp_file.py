"""A temporary file for data that do not fit into memory. Knows nothing of its content."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import IO, Final, Self

#: Called with the number of rows just processed; may raise to stop.
OnRows = Callable[[int], None]

_BUFFER_BYTES: Final = 256 * 1024


class TempFile:
    """A file to append bytes to, and to read them back by offset. A context manager, which closes the file.

    The file has no name, so that it disappears with the process. It is made with the first byte, so that a small list
    never touches the disk.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.close()

    def append(self, data: bytes) -> None:
        if self._file is None:
            self._file = temporary_file()
        self.size += self._file.write(data)

    def read(self, start: int, end: int) -> bytes:
        """The bytes from offset `start` to `end` (exclusive), which must have been appended before."""
        if self._file is None:
            return b""
        self._file.flush()
        return os.pread(self._file.fileno(), end - start, start)


def temporary_file() -> IO[bytes]:
    """A file without a name. The caller closes it."""
    return tempfile.TemporaryFile(buffering=_BUFFER_BYTES)
