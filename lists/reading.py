"""Reads a list of any format once: recognises it, converts it where needed, and scans it. Stores nothing.

The parser and the dry run both read lists through `read_list`, so that they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import IO, Final, Self

from lists.formats import CSV, Recognised, recognised
from lists.invisible import trimmed, without_marks
from lists.list_facts import ListFacts
from lists.list_options import ListOptions
from lists.row_filters import NO_FILTERS, RowFilters
from lists.scan import OnProgress, scan
from lists.scan_result import ScanResult
from lists.temp_file import temporary_file

#: Files converted from other formats have this delimiter.
_CONVERTED_DELIMITER: Final = ","


class ReadList:
    """A list that has been read. A context manager, which closes the temporary files.

    Attributes:
        facts: what was recognised.
        result: the result of the scan.
        converted: the list as UTF-8 CSV, a temporary file at position 0; None if the scan has read the file as it is.
            The offsets in `result` are those of this file.
    """

    def __init__(self, facts: ListFacts, result: ScanResult, converted: IO[bytes] | None, resources: ExitStack) -> None:
        self.facts = facts
        self.result = result
        self.converted = converted
        self._resources = resources

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()


def read_list(
    chunks: Iterable[bytes],
    options: ListOptions,
    filters: RowFilters = NO_FILTERS,
    *,
    on_progress: OnProgress | None = None,
) -> ReadList:
    """Read a whole list once, in bounded memory; a converted list also takes its size in a temporary file.

    Args:
        chunks: the file's bytes, in chunks of about 1 MiB.
        options: what the upload says of the list.
        filters: what excludes or rejects rows with valid addresses.
        on_progress: called with the bytes of the file and the rows read so far, about every MiB; may raise to stop.

    Raises:
        UnusableList: the file is no list that can be used.
    """
    named = options.checked()
    source = _Source(chunks, on_progress)
    with ExitStack() as resources:
        found = resources.enter_context(
            recognised(
                source,
                encoding=named.encoding or None,
                sheet=named.sheet.strip() or None,
                on_read=source.report_without_stop,
            )
        )
        converted = resources.enter_context(temporary_file()) if found.converted else None
        result = scan(
            found.chunks if converted is None else _copied(found.chunks, converted),
            email_column=named.email_column,
            delimiter=named.delimiter if found.format.endswith(CSV) else _CONVERTED_DELIMITER,
            on_progress=lambda _bytes, rows: source.report(rows),
            filters=filters,
        )
        resources.enter_context(result.report)
        if converted is not None:
            converted.flush()
            converted.seek(0)
        return ReadList(_facts(found, result), result, converted, resources.pop_all())


def _facts(found: Recognised, result: ScanResult) -> ListFacts:
    return ListFacts(
        format=found.format,
        encoding=found.encoding,
        encoding_confidence=round(found.confidence, 2),
        samples=found.samples,
        delimiter=result.dialect.delimiter,
        email_column=trimmed(without_marks(result.dialect.header[result.dialect.email_index])),
        reasons=result.reasons,
        warnings=[*found.warnings, *result.warnings],
    )


def _copied(chunks: Iterable[bytes], file: IO[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        file.write(chunk)
        yield chunk


class _Source:
    """The bytes of a file, counted. Reports progress also while a file is copied before its rows are read."""

    def __init__(self, chunks: Iterable[bytes], on_progress: Callable[[int, int], None] | None) -> None:
        self._chunks = chunks
        self._on_progress = on_progress
        self._bytes = 0
        self.rows = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._bytes += len(chunk)
            yield chunk
            if not self.rows:
                self.report(0)

    def report_without_stop(self) -> None:
        """Report from within a library that takes any exception for a damaged file; the next report may stop."""
        with suppress(Exception):
            self.report(self.rows)

    def report(self, rows: int) -> None:
        self.rows = rows
        if self._on_progress:
            self._on_progress(self._bytes, rows)
