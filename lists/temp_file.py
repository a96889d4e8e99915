"""A temporary file for what does not fit into memory. Knows nothing of what it holds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import IO, Final, Self

#: Called with a number of rows after they were worked on; may raise to stop.
OnRows = Callable[[int], None]

_BUFFER_BYTES: Final = 256 * 1024


class TempFile:
    """Bytes appended, and read back by where they stand. A context manager: it closes its file.

    The file has no name, so that it is gone with the process, and is made at the first byte, so that a small list never
    touches the disk.
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
        """The bytes from `start` to `end` (exclusive), all of which were appended before."""
        if self._file is None:
            return b""
        self._file.flush()
        return os.pread(self._file.fileno(), end - start, start)


def temporary_file() -> IO[bytes]:
    """A file without a name, for the caller to close."""
    return tempfile.TemporaryFile(buffering=_BUFFER_BYTES)
