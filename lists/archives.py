"""Unpacks gzip, and zip archives of exactly one file, as streams with bounds. Knows nothing of what is in them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import IO, Final

from lists.errors import UnusableList

#: The most bytes that an archive may unpack to, so that no bomb fills the disk: three lists of 10,000,000 rows.
MAX_BYTES: Final = 2 * 1024 * 1024 * 1024
#: The most bytes out per byte in. A CSV of few different rows packs at 1:50 to 1:100; deflate's limit is 1:1032.
MAX_RATIO: Final = 200
#: The ratio counts from this number of bytes out on: a small file of equal rows may pack better, and does no harm.
RATIO_FROM_BYTES: Final = 10 * 1024 * 1024
#: The most bytes of a zip archive's list of contents, which is read at once: about 100,000 files.
MAX_DIRECTORY_BYTES: Final = 8 * 1024 * 1024

_PIECE_BYTES: Final = 1024 * 1024
_ENCRYPTED: Final = 0x1
_NAMED: Final = 5
_NAME_CHARS: Final = 60
_END_MARK: Final = b"PK\x05\x06"
#: The end record and the longest comment after it (PKWARE APPNOTE 4.3.16).
_END_BYTES: Final = 22 + 65_535


class Bounds:
    """Counts the bytes that come out of an archive, and stops one that unpacks to too many."""

    def __init__(self) -> None:
        self._out = 0

    def check(self, piece: bytes, packed_bytes: int) -> bytes:
        """Count a piece and return it.

        Args:
            piece: the next bytes that came out.
            packed_bytes: all bytes that have gone in so far.

        Raises:
            UnusableList: too many bytes have come out.
        """
        self._out += len(piece)
        if self._out > MAX_BYTES:
            raise UnusableList(f"The archive unpacks to more than {MAX_BYTES:,} bytes; split the list.")
        if self._out > RATIO_FROM_BYTES and self._out > MAX_RATIO * packed_bytes:
            raise UnusableList(
                f"The archive unpacks to more than {MAX_RATIO} times its size, as no list does; upload the CSV itself."
            )
        return piece


def unzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a gzip file (RFC 1952), of all its members, in pieces of at most 1 MiB.

    Raises:
        UnusableList: the file is damaged or cut off, or it unpacks to too many bytes.
    """
    bounds = Bounds()
    packed_bytes = 0
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for chunk in chunks:
        packed_bytes += len(chunk)
        data = chunk
        while data:
            if member.eof:
                data = data.lstrip(b"\0")  # padding that tapes and some tools add
                member = zlib.decompressobj(zlib.MAX_WBITS | 16) if data else member
                continue
            piece = _inflated(member, data)
            data = member.unconsumed_tail or member.unused_data
            if piece:
                yield bounds.check(piece, packed_bytes)
    if not member.eof:
        raise UnusableList("The gzip file is cut off: its end is missing. Upload it again.")


def _inflated(member: zlib._Decompress, data: bytes) -> bytes:
    try:
        return member.decompress(data, _PIECE_BYTES)
    except zlib.error:
        raise UnusableList("The gzip file is damaged; pack the list again, or upload the CSV itself.") from None


def opened_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """The zip archive in a file.

    Raises:
        UnusableList: the file is no zip archive, or its list of contents is damaged or very long.
    """
    size = file.seek(0, 2)
    file.seek(max(size - _END_BYTES, 0))
    end = file.read()
    directory_bytes = int.from_bytes(end[(at := end.rfind(_END_MARK) + 12) : at + 4], "little")
    if _END_MARK in end and directory_bytes > MAX_DIRECTORY_BYTES:
        raise UnusableList("The zip archive contains too many files; upload the CSV itself.")
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError):
        raise UnusableList("The zip archive is damaged or cut off; upload it again.") from None


def only_file(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one file of an archive, without folders and what macOS adds.

    Raises:
        UnusableList: the archive has no file, several, or an encrypted one.
    """
    files = [entry for entry in archive.infolist() if not _is_beside(entry)]
    if not files:
        raise UnusableList("The zip archive contains no file; pack one CSV.")
    if len(files) > 1:
        names = ", ".join(f'"{_shown(entry.filename)}"' for entry in files[:_NAMED])
        more = f" and {len(files) - _NAMED:,} more" if len(files) > _NAMED else ""
        raise UnusableList(f"The zip archive contains {len(files):,} files: {names}{more}. Upload one CSV at a time.")
    if files[0].flag_bits & _ENCRYPTED:
        raise UnusableList("The zip archive is encrypted; upload it without a password.")
    return files[0]


def _is_beside(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    return entry.is_dir() or path.parts[:1] == ("__MACOSX",) or path.name.startswith(("._", ".DS_Store"))


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() else " " for char in name)[:_NAME_CHARS]


def content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of a file in an archive, in pieces of 1 MiB.

    Raises:
        UnusableList: the file is damaged, packed in an unknown way, or unpacks to too many bytes.
    """
    bounds = Bounds()
    try:
        with archive.open(entry) as member:
            while piece := member.read(_PIECE_BYTES):
                yield bounds.check(piece, entry.compress_size)
    except (NotImplementedError, RuntimeError):
        raise UnusableList("The zip archive is packed in a way that is not supported; use plain zip.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        raise UnusableList("The zip archive is damaged; pack the list again, or upload the CSV itself.") from None
