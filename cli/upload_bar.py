"""The progress bar of an upload, on stderr; where stderr is no terminal, there is none."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class UploadBar:
    """Shows how many bytes have been sent. Several threads may call `add`.

    Args:
        label: what is uploaded.
        size: in bytes.
    """

    def __init__(self, label: str, size: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task(label, total=size)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def add(self, count: int) -> None:
        """Count bytes that have been sent; a negative number: bytes that have to be sent again."""
        self._progress.advance(self._task, count)

    def restart(self) -> None:
        """Start from nothing."""
        self._progress.reset(self._task)
