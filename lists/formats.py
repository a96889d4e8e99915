"""Turns whatever arrives as a list into the bytes of a CSV that the scan reads, and says what it was.

The scan reads UTF-8 and UTF-16; such a file passes through as it is. Everything else is converted to UTF-8 CSV as a
stream. Does not look for a header, a delimiter or addresses.
"""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from types import TracebackType
from typing import IO, Final, NamedTuple, Self, cast

from lists import archives, encodings, json_lines, ods, other_files, xlsx
from lists.csv_chunks import csv_chunks
from lists.encodings import Guess
from lists.errors import UnusableList
from lists.lines import HEAD_BYTES, UTF_8, UTF_16_BE, UTF_16_LE, opened
from lists.list_warnings import ListWarning
from lists.temp_file import temporary_file
from lists.transcoding import Transcoding
from lists.watched_file import WatchedFile

CSV: Final = "csv"
JSON_LINES: Final = "jsonl"
XLSX: Final = "xlsx"
ODS: Final = "ods"

_GZIP_MARK: Final = b"\x1f\x8b\x08"
_ZIP_MARKS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
#: The bytes that show what kind of file it is.
_KIND_BYTES: Final = 4096
#: The number of lines that are not UTF-8 from which their encoding is guessed.
_BAD_LINES: Final = 100
#: The bytes of a text in which a JSON object is looked for: the longest line.
_LOOK_BYTES: Final = json_lines.MAX_LINE_BYTES
#: The first characters in which sample values are looked for.
_SAMPLED_CHARS: Final = 32 * 1024


@dataclass(slots=True)
class Recognised:
    """What a file is, and its content as the scan reads it. A context manager, which closes temporary files.

    Attributes:
        format: `csv`, `jsonl`, `xlsx`, `ods`, or what is packed: `gzip csv`, `zip csv`, `gzip jsonl`, `zip jsonl`.
        encoding: Python's name of the text's encoding; `utf-8` for spreadsheets.
        confidence: how sure the encoding is, 0 to 1; 1 where the caller named it.
        samples: up to three values that contain other than ASCII characters, as they are read; none of a spreadsheet.
        converted: whether `chunks` differ from the file: then they are UTF-8 without a byte order mark.
        chunks: the content in pieces of about 1 MiB. Reading them may raise `UnusableList`, also near the end.
        warnings: complete once `chunks` have been read. Codes: `encoding_guessed`, `bytes_replaced`, `not_utf_8`,
            `first_sheet`, `json_keys_dropped`, `json_rows_refused`.
    """

    format: str
    encoding: str
    confidence: float
    converted: bool
    chunks: Iterator[bytes]
    samples: list[str] = field(default_factory=list)
    warnings: list[ListWarning] = field(default_factory=list)
    _resources: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the temporary files; `chunks` cannot be read any more."""
        self._resources.close()


class _Copying(NamedTuple):
    """What keeps the copy of a file open, and what is called while the copy is read."""

    resources: ExitStack
    on_read: Callable[[], None]


def recognised(
    chunks: Iterable[bytes],
    *,
    encoding: str | None = None,
    sheet: str | None = None,
    on_read: Callable[[], None] = lambda: None,
) -> Recognised:
    """Recognise a file by its first 4 MiB. Zip archives and spreadsheets are first copied to a temporary file.

    Args:
        chunks: the file's bytes, in chunks of about 1 MiB.
        encoding: the text's encoding, by any name that Python knows; None: it is recognised.
        sheet: the name of a spreadsheet's sheet; None: the first one.
        on_read: called now and then while a copied file is read, also before the first row; must not raise.

    Raises:
        UnusableList: the file is no list, it cannot be unpacked, or the encoding or the sheet is unknown.
    """
    wanted = encodings.named(encoding) if encoding is not None and encoding.strip() else None
    with ExitStack() as resources:
        found = _recognised(iter(chunks), wanted, sheet, _Copying(resources, on_read))
        found._resources = resources.pop_all()  # noqa: SLF001 - its own class
        return found


def _recognised(source: Iterator[bytes], wanted: str | None, sheet: str | None, copying: _Copying) -> Recognised:
    head, source = _peeked(source, _KIND_BYTES)
    if head.startswith(_GZIP_MARK):
        return _packed("gzip", archives.unzipped(source), wanted)
    if head.startswith(_ZIP_MARKS):
        return _zipped(source, wanted, sheet, copying)
    if sheet is not None:
        raise UnusableList(f"The file has no sheets, so that there is no sheet {sheet[:40]!r}; leave `sheet` out.")
    return _text(head, source, wanted)


def _peeked(source: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes of a stream, at least `size` where it has so many, and the stream with them."""
    pieces: list[bytes] = []
    count = 0
    while count < size and (piece := next(source, None)) is not None:
        pieces.append(piece)
        count += len(piece)
    return b"".join(pieces), chain(pieces, source)


def _packed(kind: str, content: Iterator[bytes], wanted: str | None) -> Recognised:
    """The text in an archive."""
    head, source = _peeked(content, _KIND_BYTES)
    if head.startswith((_GZIP_MARK, *_ZIP_MARKS)):
        raise UnusableList(f"The {kind} archive contains another archive or a spreadsheet; upload that by itself.")
    found = _text(head, source, wanted)
    found.format = f"{kind} {found.format}"
    found.converted = True
    return found


def _zipped(source: Iterator[bytes], wanted: str | None, sheet: str | None, copying: _Copying) -> Recognised:
    copy = copying.resources.enter_context(temporary_file())
    for piece in source:
        copy.write(piece)
    file = cast("IO[bytes]", WatchedFile(copy, copying.on_read))
    archive = copying.resources.enter_context(archives.opened_zip(file))
    names = set(archive.namelist())
    warnings: list[ListWarning] = []
    if xlsx.WORKBOOK in names:
        return _table(XLSX, xlsx.rows(file, archive, sheet, warnings), warnings)
    if _mime_type(archive, names) in ods.MIME_TYPES:
        return _table(ODS, ods.rows(archive, sheet, warnings), warnings)
    other_files.refuse_zipped(names)
    return _packed("zip", archives.content(archive, archives.only_file(archive)), wanted)


def _mime_type(archive: zipfile.ZipFile, names: set[str]) -> bytes:
    if "mimetype" not in names or archive.getinfo("mimetype").flag_bits & 1:
        return b""
    return b"".join(archives.content(archive, archive.getinfo("mimetype")))[:_KIND_BYTES].strip()


def _table(kind: str, rows: Iterator[list[str]], warnings: list[ListWarning]) -> Recognised:
    return Recognised(kind, UTF_8, 1.0, converted=True, chunks=csv_chunks(rows), warnings=warnings)


def _text(kind_head: bytes, source: Iterator[bytes], wanted: str | None) -> Recognised:
    """A CSV or JSON Lines, in any encoding."""
    other_files.refuse_other_files(kind_head)
    head, source = _peeked(source, encodings.HEAD_BYTES)
    guess = Guess(wanted, 1.0) if wanted else encodings.recognise(head, complete=len(head) < encodings.HEAD_BYTES)
    if wanted is None and not _is_wide(guess.encoding):
        other_files.refuse_binary(kind_head)
    look = _decoded(head[:_LOOK_BYTES], guess.encoding)
    found = Recognised(CSV, guess.encoding, guess.confidence, converted=True, chunks=source)
    found.samples = _samples(head, look, guess.encoding)
    if guess.confidence < encodings.SURE:
        found.warnings.append(_guessed(guess, found.samples))
    if json_lines.is_json_lines(look):
        found.format = JSON_LINES
        text = _unmarked(source) if guess.encoding == UTF_8 else _transcoded(source, guess.encoding, found.warnings)
        found.chunks = csv_chunks(json_lines.rows(text, found.warnings))
    elif not _is_read_by_the_scan(head, guess.encoding):
        found.chunks = _transcoded(source, guess.encoding, found.warnings)
    else:
        found.converted = False
        if guess.encoding == UTF_8:
            found.chunks = _checked(source, found.warnings, only_ascii=head.isascii())
    return found


def _is_wide(encoding: str) -> bool:
    return encoding.startswith(("utf-16", "utf-32"))


def _decoded(head: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(encoding)("replace").decode(head)


def _samples(head: bytes, look: str, encoding: str) -> list[str]:
    """Sample values: of the first characters, or where these are ASCII, of the first lines that are not."""
    first = look[:_SAMPLED_CHARS]
    if first.isascii() and encoding == UTF_8 and not head.isascii():
        first = _decoded(b"\n".join(encodings.foreign_lines(head)), encoding)
    return encodings.samples(first)


def _guessed(guess: Guess, samples: list[str]) -> ListWarning:
    values = ", ".join(f'"{value}"' for value in samples)
    shown = f"; it reads {values}" if values else ""
    return ListWarning(
        "encoding_guessed",
        f"The file's encoding is not certain: {guess.encoding} is the best guess ({guess.confidence:.0%}){shown}. "
        "If that is wrong, name it with `encoding`.",
    )


def _is_read_by_the_scan(head: bytes, encoding: str) -> bool:
    """Whether the scan reads the file as it is: UTF-8, or UTF-16 that it recognises by itself."""
    if encoding not in {UTF_8, UTF_16_LE, UTF_16_BE}:
        return False
    read, _, _ = opened([head[:HEAD_BYTES]])
    return read == encoding


def _unmarked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(chunks, b"")
    return chain((first.removeprefix(codecs.BOM_UTF8),), chunks)


def _transcoded(source: Iterator[bytes], encoding: str, warnings: list[ListWarning]) -> Iterator[bytes]:
    text = Transcoding(source, encoding)
    yield from text
    if text.replaced:
        warnings.append(
            ListWarning(
                "bytes_replaced",
                f"{text.replaced:,} bytes or characters of the file do not exist in {encoding}; they became U+FFFD. "
                "Check the encoding.",
                text.replaced,
            )
        )


def _checked(source: Iterator[bytes], warnings: list[ListWarning], *, only_ascii: bool) -> Iterator[bytes]:
    """The chunks as they are; lines that are not UTF-8, which the scan reads as cp1252, are counted.

    Args:
        source: the file.
        warnings: gets one at the end if there are such lines.
        only_ascii: whether the first bytes, by which the encoding was recognised, are ASCII and so told nothing.
    """
    decoder = codecs.getincrementaldecoder(UTF_8)()
    count = 0
    sample: list[bytes] = []
    for chunk in source:
        try:
            if not chunk.isascii() or decoder.getstate()[0]:
                decoder.decode(chunk)
        except UnicodeDecodeError:
            decoder.reset()
            bad = [line for line in chunk.splitlines() if _is_bad(line)]
            count += max(len(bad), 1)  # none where a character is cut between two chunks
            sample = sample or bad[:_BAD_LINES]
        yield chunk
    count += bool(decoder.getstate()[0])
    if count:
        warnings.append(_not_utf_8(count, sample, only_ascii=only_ascii))


def _not_utf_8(count: int, lines: list[bytes], *, only_ascii: bool) -> ListWarning:
    guess = encodings.detect(lines)
    advice = "save the list in one encoding, or name it with `encoding`"
    if guess.encoding != "cp1252":
        advice = f"they look more like {guess.encoding}, which `encoding` can name"
    return ListWarning(
        "encoding_guessed" if only_ascii else "not_utf_8",
        f"About {count:,} lines of the file are not UTF-8; they are read as Windows-1252. If that is wrong, {advice}.",
        count,
    )


def _is_bad(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return True
    return False
